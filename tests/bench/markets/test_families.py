"""Every family of the zoo is a market that the jobs can read and that pays for personalised prices."""

from functools import cache

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.raw.raw_tables import SCHEMAS
from gpu_pricer.tables.checking import check
from gpu_pricer.tables.reading import conform
from tests.bench.markets.families import FAMILIES
from tests.bench.markets.reserved import RESERVED

SEED = 101
ALL = [*FAMILIES.values(), *RESERVED.values()]
IDS = [*FAMILIES, *(f"reserved {number}" for number in range(len(RESERVED)))]
every_family = pytest.mark.parametrize("family", ALL, ids=IDS)


@cache
def drawn(family):
    """The family's market, drawn once."""
    return family(SEED)


@every_family
def test_market_has_the_size_and_the_spread_of_a_shop(family):
    truth, transactions = drawn(family).truth, drawn(family).tables["transactions"]

    weeks = transactions["time"].dt.truncate("1w").n_unique()
    assert 500 <= len(truth.user_id) <= 2000
    assert 8 <= len(truth.start) - 1 <= 40
    assert 100 <= len(truth.product_id) <= 350
    assert 26 <= weeks <= 60
    assert np.quantile(truth.unit_cost / truth.today, [0.1, 0.9]) == pytest.approx(0.5, abs=0.3)
    assert len(np.unique(truth.types)) > 1


@every_family
def test_tables_keep_every_rule_of_the_input_contract(family):
    for name, table in drawn(family).tables.items():
        frame = conform(table.lazy(), SCHEMAS[name], name, keep_others=name != "transactions").collect()
        assert check(frame, SCHEMAS[name]).broken == {}


@every_family
def test_nearly_every_visit_buys_something(family):
    market = drawn(family)

    visits = market.tables["transactions"].select("user_id", week=pl.col("time").dt.truncate("1w"))
    weeks = visits["week"].n_unique()
    bought = visits.n_unique()
    assert bought / (weeks * market.truth.visits.sum()) == pytest.approx(1, abs=0.05)


@every_family
def test_units_never_rise_with_their_own_price(family):
    truth = drawn(family).truth
    price = truth.today[:, None]

    dearer = np.where((truth.rank == 0)[:, None], 1.2 * price, price)

    fall = truth.units(price) - truth.units(dearer)
    assert (fall[truth.rank == 0] > 0).all()
    assert (fall[truth.rank > 0] <= 0).all()


@every_family
def test_prices_move_as_in_a_shop(family):
    transactions = drawn(family).tables["transactions"]

    lines = transactions.with_columns(cut=1 - transactions["price"] / transactions["list_price"])
    on_promotion = lines.filter(lines["cut"] > 0.05)["cut"]
    assert 0.03 < len(on_promotion) / lines.height < 0.6
    assert 0.05 < on_promotion.quantile(0.02) < on_promotion.quantile(0.98) < 0.45


@pytest.mark.parametrize("family", ["by_weight", "displays"])
def test_equal_seeds_draw_equal_markets_and_other_seeds_others(family):
    again, other = FAMILIES[family](SEED), FAMILIES[family](SEED + 1)

    first = drawn(FAMILIES[family])
    assert all(table.equals(again.tables[name]) for name, table in first.tables.items())
    assert not any(table.equals(other.tables[name]) for name, table in first.tables.items())
    assert np.array_equal(first.truth.types, again.truth.types)
    assert np.array_equal(first.truth.units(first.truth.today[:, None]), again.truth.units(again.truth.today[:, None]))
    assert first.truth.hidden.equals(again.truth.hidden)
