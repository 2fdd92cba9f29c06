"""Prices fed back night after night: limits on each move let them walk away, limits around an anchor do not."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from gpu_pricer.tables.version.price_history import EarlierPrices, continued_history, with_published
from gpu_pricer.versions.priced_catalog import with_history_columns
from tests.markets import NO_RULES, a_policy, catalog_of, small_artefact
from tests.pricing.tile_file import rows_of

NIGHTS, FIRST_NIGHT = 30, date(2026, 11, 1)
EACH_NIGHT = replace(NO_RULES, max_decrease=0.30, max_increase=0.15)
CAP = {"max_decrease": 0.30, "max_increase": 0.15}
ARTEFACT = small_artefact(71, segments=1, products=24, categories=6)


def first_catalog():
    """Prices of which one half should rise far, because costs have risen, and the other half should fall far."""
    is_cheap = pl.int_range(pl.len()) % 2 == 0
    price = pl.when(is_cheap).then("price").otherwise(pl.col("price") * 3).round(2)
    cost = pl.col("price") * pl.when(is_cheap).then(2.5).otherwise(0.02)
    return catalog_of(ARTEFACT).sort("product_id").with_columns(price=price, cost=cost, list_price=price)


def prices_of(catalog, policy):
    """Tonight's prices [P], with their bindings, sorted by product."""
    problem = pricing_problem(ARTEFACT, catalog, policy)
    table = rows_of(solve_tile(problem, 0, problem.category_count, "cpu")).sort("product_id")
    return table.select("product_id", pl.col("price").cast(pl.Float64), "today_price", "binding")


def nights(policy, catalog):
    """Yield tonight's prices for NIGHTS nights, each fed back as the next night's price of today."""
    history, days = None, policy.bounds.days_needed
    for night in range(NIGHTS):
        known = catalog
        if days is not None:
            day = FIRST_NIGHT + timedelta(night)
            earlier = None if history is None else EarlierPrices(history, day - timedelta(1))
            history = continued_history(earlier, catalog, day, days)
            known = with_history_columns(catalog, policy, history, day)
        tonight = prices_of(known, policy)
        if history is not None:
            price = pl.col("price")
            history = with_published(history, tonight.select("product_id", least_published=price, most_published=price))
        yield tonight
        catalog = catalog.drop("price").join(tonight.select("product_id", "price"), on="product_id")


def furthest(policy, catalog):
    """The largest rise and the largest fall against the first night's price of today, over all nights and products."""
    first = catalog.sort("product_id")["price"]
    ratio = pl.concat([night["price"] / first for night in nights(policy, catalog)])
    return ratio.max() - 1, 1 - ratio.min()


def test_limits_on_each_nights_move_let_prices_walk_away():
    rise, fall = furthest(a_policy(EACH_NIGHT), first_catalog())

    assert rise > 1
    assert fall > 0.5


def test_no_price_leaves_the_window_around_its_anchor_on_any_night():
    rules = replace(EACH_NIGHT, anchor={"column": "list_price", **CAP})

    rise, fall = furthest(a_policy(rules), first_catalog())

    assert 0.1 < rise <= 0.15 + 1e-9
    assert 0.2 < fall <= 0.30 + 1e-9


@pytest.mark.parametrize("days", [7, 28])
def test_no_price_leaves_the_window_around_its_price_of_some_days_ago(days):
    rules = replace(EACH_NIGHT, anchor={"days": days, **CAP})
    catalog = first_catalog()

    found = [catalog.sort("product_id")["price"], *(night["price"] for night in nights(a_policy(rules), catalog))]

    for night, price in enumerate(found):
        ratio = price / found[max(night - 1 - days, 0)]
        assert ratio.max() <= 1.15 + 1e-9
        assert ratio.min() >= 0.70 - 1e-9
    assert (found[-1] / found[0]).max() > (1.3 if days == 7 else 1.1)


def test_price_that_changed_stays_for_the_days_between_changes():
    rules = replace(EACH_NIGHT, min_days_between_changes=7)
    catalog = first_catalog()

    found = [catalog.sort("product_id")["price"], *(night["price"] for night in nights(a_policy(rules), catalog))]

    changed = np.array([(price != before).to_list() for before, price in pairwise(found)])
    assert changed[0].mean() > 0.5
    for product in changed.T:
        assert (np.diff(np.flatnonzero(product)) >= 7).all()
    assert changed.sum(axis=0).max() > 2


def test_price_outside_its_window_returns_by_the_largest_move():
    catalog = first_catalog().with_columns(list_price=pl.col("price") / 2)
    rules = replace(EACH_NIGHT, anchor={"column": "list_price", **CAP})

    found = list(nights(a_policy(rules, ladder=None), catalog))

    first, list_price = found[0]["price"] / found[0]["today_price"].cast(pl.Float64), catalog["list_price"]
    assert 0.69 < first.min() <= first.max() < 0.71
    assert set(found[0]["binding"]) == {"anchor_max_increase_broken"}
    assert (found[-1]["price"] / list_price).max() <= 1.15
