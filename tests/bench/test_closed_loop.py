"""The shop of the closed loop: what it earns under the truth, without any job."""

import numpy as np
import polars as pl
import pytest

from tests.bench.closed_loop import LARGEST_MOVE, LAUNCH, open_shop, summary_of

SMALLER = ("data.source.people.users=200", "data.source.assortment.products=30", "data.source.assortment.categories=4")


@pytest.fixture(scope="module")
def shop():
    return open_shop(["seed=5", *SMALLER, "data.source.baskets.quantity_sensitivity=1.0"], 2, promotions=True)


@pytest.fixture(scope="module")
def extra(shop):
    return shop.sell_until_launch()[1]


def test_from_the_launch_on_list_prices_and_costs_stay_and_promotions_are_cuts_from_them(shop):
    history = shop.history
    for name in ("list_price", "cost"):
        assert (getattr(history, name)[LAUNCH:] == getattr(history, name)[LAUNCH - 1]).all()
    is_cut = history.price[LAUNCH:] < history.list_price[LAUNCH:]

    assert 0 < is_cut.mean() < 0.3
    assert (history.price[LAUNCH:] <= history.list_price[LAUNCH:]).all()


def test_expected_profit_is_the_mean_of_weeks_that_are_sold(shop, extra, monkeypatch):
    rng, group = np.random.default_rng(0), np.arange(200) % 3
    price = np.rint(shop.history.price[LAUNCH] * rng.uniform(0.9, 1.1, (3, 30))).astype(np.int64)
    cost = pl.DataFrame({"product_id": shop.ids, "cost": shop.history.cost[LAUNCH] / 100})
    profits, default_rng = [], np.random.default_rng
    for seed in range(300):
        monkeypatch.setattr(np.random, "default_rng", lambda *_, seed=seed: default_rng(seed))
        lines = shop.sell(LAUNCH, price, group, extra).join(cost, on="product_id")
        profits.append(lines.select((pl.col("quantity") * (pl.col("price") - pl.col("cost"))).sum()).item())

    expected = shop.profit_at(LAUNCH, price, group, extra)

    assert expected == pytest.approx(np.mean(profits), abs=4 * np.std(profits) / np.sqrt(300))
    assert np.std(profits) / np.sqrt(300) < 0.02 * expected


def test_no_price_within_the_largest_move_earns_more_than_the_best_ones(shop, extra):
    now, types = shop.history.price[LAUNCH], shop.market.user_type
    rng = np.random.default_rng(1)

    best = shop.best_profit(LAUNCH, extra)

    for move in [np.ones((12, 30)), *rng.uniform(1 - LARGEST_MOVE, 1 + LARGEST_MOVE, (20, 12, 30))]:
        assert shop.profit_at(LAUNCH, now * move, types, extra) < best


def test_shares_are_of_mean_gains_and_verdicts_of_all_categories_together():
    ledger = pl.DataFrame({"category_id": [None, "A", None, None], "verdict": ["kept", "missed", "kept", "beaten"]})

    found = summary_of([(0.02, 0.1), (0.06, 0.1), (0.09, 0.2)], [(0.1, 0.2), (0.3, 0.4), (-0.1, 0.12345)], ledger)

    assert (found["share"], found["share_first_half"], found["share_second_half"]) == (0.425, 0.2, 0.5)
    assert (found["first_error"], found["last_error"]) == ([0.1, 0.2], [-0.1, 0.123])
    assert found["verdicts"] == {"kept": 2, "beaten": 1}
