"""The search for uniform prices, against every combination of rungs with the profit of the logit written out."""

from dataclasses import replace
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


def of_another_kind(market, kind):
    """The market with nests, without an outside option, with prices set by hand, or with a product off the shelf."""
    rng = np.random.default_rng(3)
    if kind == "nested":
        return replace(market, shelf=replace(market.shelf, dissimilarity=rng.uniform(0.2, 1, len(SIZES))))
    if kind == "no outside option":
        return replace(market, shelf=replace(market.shelf, has_outside_option=False))
    if kind == "by hand":
        is_set = rng.random((PRODUCTS, TYPES)) < 0.3
        return replace(market, by_hand=np.where(is_set, rng.uniform(700, 1500, is_set.shape), np.nan))
    if kind == "off the shelf":
        return replace(market, shelf=replace(market.shelf, on_shelf=np.arange(PRODUCTS) % 4 != 2))
    return market


def profit_of(market, category, products, price):
    """The profit of a category's products [k] at prices [k], from a visit, the mean over the types."""
    demand, shelf = market.demand, market.shelf
    paid = np.tile(price, (TYPES, 1))
    if market.by_hand is not None:
        own = market.by_hand[products].T
        paid = np.where(np.isnan(own), paid, own)
    odds = np.exp(demand.appeal[:, products] - demand.sensitivity[:, products] * (paid / REFERENCE - 1))
    odds *= shelf.on_shelf[products]
    total = odds.sum(axis=1)
    if not total.any():
        return 0.0
    dissimilarity = 1.0 if shelf.dissimilarity is None else shelf.dissimilarity[category]
    bought = total**dissimilarity / (1 + total**dissimilarity) if shelf.has_outside_option else 1.0
    earned = ((paid - market.unit_cost[products]) * market.weight[products] * odds).sum(axis=1) / total * bought
    return earned @ market.visits / market.visits.sum()


@pytest.mark.parametrize("kind", ["logit", "nested", "no outside option", "by hand", "off the shelf"])
def test_prices_are_the_best_of_all_combinations_of_rungs(drawn, kind):
    market, rungs = of_another_kind(drawn[0], kind), drawn[1]
    starts = [np.full(PRODUCTS, 1000.0), np.full(PRODUCTS, 1500.0)]

    price = best_uniform_price(market, rungs, starts)

    for category, (first, end) in enumerate(pairwise(START)):
        products = np.arange(first, end)
        legal = [
            np.array(found)
            for found in combinations(rungs.price[:RUNGS], repeat=end - first)
            if all(found[p - first] == found[rungs.leader[p] - first] for p in products)
        ]
        best = max(profit_of(market, category, products, found) for found in legal)
        assert any((price[products] == found).all() for found in legal)
        assert profit_of(market, category, products, price[products]) == pytest.approx(best, rel=1e-9)


def test_a_family_keeps_one_price_though_another_product_stands_between(drawn):
    market, rungs = drawn
    first, end = START[4], START[5]
    leader = rungs.leader.copy()
    leader[end - 1] = first

    price = best_uniform_price(market, replace(rungs, leader=leader), [np.linspace(800, 1400, PRODUCTS)])

    assert price[end - 1] == price[first] != price[first + 1]


def test_prices_of_no_category_are_worse_than_at_any_start(drawn):
    market, _ = drawn
    rungs = Rungs(np.tile(np.arange(600.0, 1500.0), PRODUCTS), np.arange(PRODUCTS + 1) * 900, np.arange(PRODUCTS))
    starts = [np.random.default_rng(k).uniform(600, 1500, PRODUCTS).round() for k in range(4)]

    found = market.category_profit(best_uniform_price(market, rungs, starts))

    for start in starts:
        assert (found >= market.category_profit(start) * (1 - 1e-12)).all()
