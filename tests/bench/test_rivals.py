"""Every contestant of the benchmark computes what it says, so that rates compare the same work."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from kernels import DenseDemand, choice_probabilities, price_cells
from tests.bench import compiled, coupled, gemm, ladder, ours
from tests.bench.grocery_markets import ENDING, PERIOD, Market, MarketSize, dense, grocery_market

SIZE = MarketSize(products=35, segments=24, category_size=5, factors=(9, 4))

ALONE = MarketSize(products=40, segments=24, category_size=1, factors=(9, 4), bought=0.4)

REGRET = 2e-6
"""Share of a category's profit that one float32 answer may miss of another: some 16 roundings."""

COUPLED = {
    "prices": ours.prices_alone,
    "cells": ours.whole_cells,
    "torch_bracketed": coupled.bracketed,
    "torch_rounded_up": coupled.rounded_up,
    "torch_compile": partial(compiled.compiled, backend="eager"),  # the graphs; compiling them takes a minute
}

LADDER = {
    "torch": ladder.by_torch,
    "torch_blend": ladder.by_torch_blend,
    "numpy": ladder.by_numpy,
    "numba": ladder.by_numba,
    "numba_polynomial": ladder.by_numba_polynomial,
}


def tiles_of(one_pass):
    """Return all tiles of a pass, one after the other: [P, S]."""
    return np.concatenate([tile.copy() for tile in one_pass()])


def profits(market, price):
    """Return what every category earns at these prices, float64 [G, S]."""
    factors = dense(market).demand
    exact = DenseDemand(*[part.astype(np.float64) for part in vars(factors).values()])
    probability = choice_probabilities(exact, market.inputs.shelf, price)
    profit = (price - market.inputs.unit_cost[:, None].astype(np.float64)) * probability
    return np.add.reduceat(profit, market.inputs.shelf.category_start[:-1])


def assert_same_profit(market, price):
    best = profits(market, price_cells(market.demand, market.inputs).price)
    assert np.abs(profits(market, price) / best - 1).max() < REGRET
    assert np.isin(price % PERIOD, ENDING).all()
    assert (price >= market.inputs.low[:, None]).all()
    assert (price <= market.inputs.high[:, None]).all()


@pytest.mark.parametrize("bought", [0.13, 0.53])
@pytest.mark.parametrize("categories", [1, 3, 7])
@pytest.mark.parametrize("rival", COUPLED)
def test_coupled_rivals_earn_what_our_kernel_earns(rival, categories, bought):
    market = grocery_market(replace(SIZE, bought=bought), seed=categories)

    price = tiles_of(COUPLED[rival](market, categories))

    assert_same_profit(market, price)


@pytest.mark.parametrize("rival", LADDER)
def test_searches_of_a_cell_alone_earn_what_our_kernel_earns_on_single_products(rival):
    market = grocery_market(ALONE)

    price = tiles_of(LADDER[rival](market, 7))

    assert_same_profit(market, price)


@pytest.mark.parametrize("rival", LADDER)
def test_searches_of_a_cell_alone_take_no_notice_of_its_category(rival):
    market = grocery_market(SIZE)
    single = replace(market.inputs.shelf, category_start=np.arange(SIZE.products + 1))

    price = tiles_of(LADDER[rival](market, 2))

    assert_same_profit(Market(market.demand, replace(market.inputs, shelf=single)), price)


def test_the_searches_cover_every_rung():
    inputs = grocery_market(replace(SIZE, products=5_000)).inputs

    rungs = (inputs.high - inputs.low) / PERIOD + 1

    assert rungs.max() == ladder.RUNGS


@pytest.mark.parametrize("rival", [gemm.whole, gemm.by_torch])
def test_products_of_whole_tiles_are_those_of_the_factors(rival):
    market = grocery_market(SIZE)

    found = np.concatenate([tile.copy() for tile in rival(market, 3)()], axis=1)

    assert np.abs(found - factor_products(market.demand)).max() < 1e-5


def test_products_of_blocks_are_those_of_the_factors():
    market = grocery_market(replace(SIZE, segments=192))

    found = tiles_of(gemm.blocked(market, 0))

    expected = factor_products(market.demand)[:, :: SIZE.category_size, :: gemm.LANES]
    assert np.abs(found - expected.transpose(1, 2, 0)).max() < 1e-5


def factor_products(demand):
    """Return the products of appeal's and sensitivity's factors, [2, P, S]."""
    return np.array(
        [
            demand.product_appeal @ demand.segment_appeal.T,
            demand.product_sensitivity @ demand.segment_sensitivity.T,
        ]
    )


def test_visits_buy_as_often_as_a_grocery_log_shows():
    market = grocery_market(MarketSize(products=1_000, segments=32))

    probability = price_cells(market.demand, market.inputs).probability

    bought = np.add.reduceat(probability, market.inputs.shelf.category_start[:-1])
    assert np.quantile(bought, 0.05) > 0.05
    assert np.quantile(bought, 0.95) < 0.15
