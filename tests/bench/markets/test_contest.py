"""Rivals and our own prices are legal, and the response is compared user by user."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.truth.learned_response import Elasticities
from tests.bench.markets.contest import Ours
from tests.bench.markets.judging import require_legal
from tests.bench.markets.market import drawn_market
from tests.bench.markets.response import within_product_slope
from tests.bench.markets.rivals import RIVALS, Canonical, logit_prices, rival_prices
from tests.bench.markets.rungs import market_rungs
from tests.bench.markets.small import small_scenario
from tests.bench.markets.told import write_told


@pytest.fixture
def prepared(gpu_pricer, tmp_path):
    """A small market and the canonical tables that `prepare` makes of it."""
    market = drawn_market(small_scenario(6, users=80, weeks=20), np.random.default_rng(6))
    market.write(tmp_path / "raw")
    gpu_pricer("prepare", "data=parquet", "data.path=raw", "paths.data=data")
    names = ("shelf", "choices", "categories")
    tables = (pl.read_parquet(tmp_path / "data" / f"{name}.parquet") for name in names)
    return market, Canonical(*tables, market.tables["products"])


def test_every_rival_sets_legal_prices_for_every_user(prepared):
    market, tables = prepared
    rungs = market_rungs(market.truth, tables.products)

    prices = rival_prices(market.truth, tables, rungs)

    assert [*prices] == [*RIVALS]
    require_legal(rungs, market.truth.today, prices)
    assert {price.shape for price in prices.values()} == {(len(market.truth.product_id), len(market.truth.user_id))}


def test_knowing_the_types_earns_more_than_pooling(prepared):
    market, tables = prepared
    truth = market.truth

    told, pooled = (logit_prices(truth, tables, group) for group in (truth.types, np.zeros_like(truth.types)))

    assert truth.profit(told) > truth.profit(pooled)
    assert all(len(np.unique(told[:, truth.types == kind], axis=1).T) == 1 for kind in range(3))


def test_prices_off_the_rungs_are_refused(prepared):
    market, tables = prepared
    rungs, today = market_rungs(market.truth, tables.products), market.truth.today

    require_legal(rungs, today, {"today": today[:, None]})
    with pytest.raises(ValueError, match=r"ours must set prices of .* found \[1\.\]"):
        require_legal(rungs, today, {"ours": np.ones((len(today), 1))})


class SmallArtefact:
    """The parts of an artefact that say which user is in which segment."""

    segments = pl.DataFrame({"segment_id": [1, 0], "visits": [3.0, 8.0]})
    user_segments = pl.DataFrame({"user_id": ["H0", "H2"], "segment_id": [1, 0]})


def test_users_pay_the_prices_of_their_segment_and_others_those_of_the_largest():
    cells = pl.DataFrame({"segment_id": [0, 1, 0, 1], "product_id": [7, 7, 8, 8], "price": [1.09, 2.09, 3.19, 4.19]})

    price = Ours(SmallArtefact, 0.0, cells, None).prices(np.array(["H0", "H1", "H2"]), np.array([8, 7]))

    assert price.tolist() == [[419, 319, 319], [209, 109, 109]]


def test_cells_without_a_price_are_refused():
    cells = pl.DataFrame({"segment_id": [0], "product_id": [7], "price": [1.09]})

    with pytest.raises(ValueError, match="found 1 none"):
        Ours(SmallArtefact, 0.0, cells, None).prices(np.array(["H0"]), np.array([7]))


@pytest.mark.parametrize(("factor", "slope"), [(1.0, 1.0), (2.0, 0.5), (0.0, None)])
def test_slope_is_that_of_true_on_estimated_differences_inside_a_product(factor, slope):
    rng = np.random.default_rng(0)
    segment = np.array([0, 0, 1, 2, 2])
    true = -2 + rng.normal(0, 0.5, (4, 3))[:, segment] + rng.normal(0, 1, (4, 1))
    learned = -5 + factor * true[:, [0, 2, 3]]
    visits = np.where(segment == np.arange(3)[:, None], [1.0, 2.0, 1.0, 0.5, 3.0], 0.0)
    ids = pl.Series(["a", "b", "c"])

    found = within_product_slope(Elasticities(learned, true, np.ones_like(true), visits, ids, pl.Series([0] * 4)))

    assert found == (None if slope is None else pytest.approx(slope))


def test_told_files_hold_types_and_shocks(tmp_path):
    truth = drawn_market(small_scenario(6), np.random.default_rng(6)).truth

    write_told(truth, tmp_path / "told")

    types, shocks = (pl.read_parquet(tmp_path / "told" / f"{name}.parquet") for name in ("types", "shocks"))
    assert types.columns == ["user_id", "segment_id"]
    assert types["segment_id"].n_unique() == 3
    assert shocks.equals(truth.hidden)
