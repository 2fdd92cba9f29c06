"""The oracle's prices are legal and the best there are."""

from itertools import product

import numpy as np
import pytest

from tests.bench.markets.best_prices import best_uniform, oracle
from tests.bench.markets.market import drawn_market
from tests.bench.markets.rungs import market_rungs
from tests.bench.markets.small import small_scenario


def priced(seed, **size):
    """Truth, rungs, the best uniform and the best prices of a small market."""
    market = drawn_market(small_scenario(seed, **size), np.random.default_rng(seed))
    rungs = market_rungs(market.truth, market.tables["products"])
    uniform = best_uniform(market.truth, rungs)
    return market.truth, rungs, uniform, oracle(market.truth, rungs, uniform)


def profit_of_types(truth, price):
    """Profit [T] of prices [P, T]."""
    return np.bincount(truth.types, truth.user_profit(price[:, truth.types]).sum(axis=0))


@pytest.mark.parametrize("seed", [1, 2])
def test_oracle_beats_uniform_prices_and_they_beat_todays(seed):
    truth, _, uniform, best = priced(seed)

    found = [truth.profit(price) for price in (truth.today[:, None], uniform, best[:, truth.types])]
    assert found == sorted(found)
    assert found[2] > 1.01 * found[1]


def test_no_other_rung_of_one_product_improves_the_oracle():
    truth, rungs, _, best = priced(3)
    profit = profit_of_types(truth, best)

    for row, own in enumerate(np.split(rungs.price, rungs.start[1:-1])):
        for rung in own:
            other = best.copy()
            other[row] = rung
            assert (profit_of_types(truth, other) <= profit * (1 + 1e-9)).all()


def test_oracle_is_the_best_of_all_combinations():
    truth, rungs, uniform, best = priced(7, categories=1, products=3)
    prices = np.array([*product(*np.split(rungs.price, rungs.start[1:-1]))])

    profits = np.array([profit_of_types(truth, np.repeat(row[:, None], 3, axis=1)) for row in prices])

    assert profit_of_types(truth, best) == pytest.approx(profits.max(axis=0), rel=1e-12)
    of_uniform = profit_of_types(truth, np.repeat(uniform, 3, axis=1)).sum()
    assert of_uniform == pytest.approx(profits.sum(axis=1).max(), rel=1e-12)


def test_rungs_keep_the_policy_and_the_prices_of_the_log():
    truth, rungs, _, _ = priced(4)

    product = np.repeat(np.arange(len(truth.today)), np.diff(rungs.start))
    ratio = rungs.price / truth.today[product]
    assert (rungs.price % 10 == 9).all()
    assert ((ratio >= 0.7) & (ratio <= 1.15)).all()
    assert (rungs.price >= truth.lowest[product]).all()
    assert (rungs.price <= truth.highest[product]).all()
    assert (rungs.price - truth.unit_cost[product] >= 0.05 * rungs.price - 1e-9).all()
