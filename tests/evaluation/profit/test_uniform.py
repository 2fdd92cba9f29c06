"""The search for uniform prices, against every combination of rungs with the profit of the logit written out."""

from itertools import pairwise
from itertools import product as combinations

import numpy as np
import pytest

from gpu_pricer.evaluation.profit import Rungs, TrueMarket, best_uniform_price
from kernels import DenseDemand, Shelf

SIZES = (1, 3, 2, 1, 3, 2)
"""Products of the categories: those of three have more turns than the others, and stand between them."""
START = np.concatenate([[0], np.cumsum(SIZES)])
PRODUCTS, TYPES, RUNGS = int(START[-1]), 3, 9
REFERENCE = 1000.0


@pytest.fixture(params=[0, 1, 2])
def drawn(request):
    """A market of types that differ, and nine rungs for every product, of whom two share one price."""
    rng = np.random.default_rng(request.param)
    shape = TYPES, PRODUCTS
    demand = DenseDemand(
        appeal=rng.normal(-1, 0.7, shape),
        sensitivity=np.exp(rng.normal(1, 0.4, shape)),
        appeal_offset=np.zeros(PRODUCTS),
        sensitivity_offset=np.zeros(PRODUCTS),
    )
    shelf = Shelf(START.astype(np.int64), np.full(PRODUCTS, REFERENCE), np.ones(PRODUCTS, bool), True)
    cost, weight = rng.uniform(300, 700, PRODUCTS), rng.uniform(0.5, 1.5, PRODUCTS)
    market = TrueMarket(demand, shelf, cost, weight, rng.uniform(1, 3, TYPES))
    leader = np.arange(PRODUCTS)
    leader[START[1] + 1] = START[1]
    rung = np.tile(np.arange(700.0, 700.0 + 100 * RUNGS, 100), PRODUCTS)
    return market, Rungs(rung, np.arange(PRODUCTS + 1) * RUNGS, leader)


def profit_of(market, products, price):
    """The profit of a category's products [k] at prices [k], from a visit, the mean over the types."""
    demand = market.demand
    odds = np.exp(demand.appeal[:, products] - demand.sensitivity[:, products] * (price / REFERENCE - 1))
    share = odds / (1 + odds.sum(axis=1, keepdims=True))
    earned = ((price - market.unit_cost[products]) * market.weight[products] * share).sum(axis=1)
    return earned @ market.visits / market.visits.sum()


def test_prices_are_the_best_of_all_combinations_of_rungs(drawn):
    market, rungs = drawn
    starts = [np.full(PRODUCTS, 1000.0), np.full(PRODUCTS, 1500.0)]

    price = best_uniform_price(market, rungs, starts)

    for first, end in pairwise(START):
        products = np.arange(first, end)
        legal = [
            np.array(found)
            for found in combinations(rungs.price[:RUNGS], repeat=end - first)
            if all(found[p - first] == found[rungs.leader[p] - first] for p in products)
        ]
        best = max(profit_of(market, products, found) for found in legal)
        assert any((price[products] == found).all() for found in legal)
        assert profit_of(market, products, price[products]) == pytest.approx(best, rel=1e-9)


def test_categories_of_another_size_change_nothing(drawn):
    market, rungs = drawn
    whole = best_uniform_price(market, rungs, [np.full(PRODUCTS, 1000.0)])

    for category, (first, end) in enumerate(pairwise(START)):
        products = np.arange(first, end)
        alone = market.select_categories(np.array([category]))
        found = best_uniform_price(alone, rungs.of(products), [np.full(len(products), 1000.0)])
        np.testing.assert_array_equal(found, whole[products])
