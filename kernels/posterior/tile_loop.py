"""The CPU loop under draws of the price sensitivity: categories one by one, segments one by one, in float64.

Each does the same operations in the same order whatever the tile and the threads, so results are the same bits.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from kernels.compiled import compiled
from kernels.posterior.category_draws import evaluate_prices, new_workspace, open_category_draws, stationary_price
from kernels.posterior.outcomes import describe
from kernels.posterior.price_search import binding_side_at, improve


class DemandDraws(NamedTuple):
    """What a tile's demand is: utility lines free, slope [P, S]; factor [H, S, D] and row [G], see draws.Draws."""

    utility_at_zero: np.ndarray
    slope: np.ndarray
    factor: np.ndarray
    row: np.ndarray


class PriceSearch(NamedTuple):
    """Which prices to better: is_fixed bool [P, S]: those that stay; held int8 [P, S], to be filled, or without
    columns to better none; tolerance: see expected_prices.improve."""

    is_fixed: np.ndarray
    binding_side: np.ndarray
    tolerance: float


@compiled(parallel=True)
def expect_tile(tile, products, demand, search, price, outcomes, tail, longest, edges):
    """Better price float64 [P, S] if asked to, and fill the outcomes.

    products [P]: records; longest: products of the largest category; edges [T + 1]: worker t does the items edges[t]
    to edges[t + 1] - 1, item i being segment i % S of category i // S.
    """
    for worker in prange(edges.shape[0] - 1):
        expect_items(tile, products, demand, search, price, outcomes, tail, longest, edges[worker], edges[worker + 1])


@compiled()
def expect_items(tile, products, demand, search, price, outcomes, tail, longest, begin, end):
    """Do one worker's items."""
    segments, start, draws = price.shape[1], tile.category_start, demand.factor.shape[2]
    workspace, own, memory = new_workspace(longest, draws), np.empty((3, longest)), np.empty((3, max(draws, 1)))
    for item in range(begin, end):
        category, s = item // segments, item % segments
        first, last, row = start[category], start[category + 1], demand.row[category]
        factor = workspace.certain if row < 0 else demand.factor[row, s]
        category_draws = open_category_draws(
            workspace, products[first:last], tile.has_outside_option, demand.utility_at_zero[first:last],
            demand.slope[first:last], factor, s,
        )  # fmt: skip
        given = own[0, : last - first]
        for j in range(last - first):
            given[j] = price[first + j, s]
        if search.binding_side.shape[1] > 0 and row >= 0:
            fixed = search.is_fixed[first:last, s]
            improve(
                category_draws,
                tile.endings,
                search.tolerance,
                fixed,
                given,
                own[1, : last - first],
                own[2, : last - first],
            )
        category_value = evaluate_prices(category_draws, given)
        if search.binding_side.shape[1] > 0 and row >= 0:
            for j in range(last - first):
                price[first + j, s] = given[j]
                search.binding_side[first + j, s] = binding_side_at(
                    category_draws.products[j], given[j], stationary_price(category_draws, j)
                )
        if outcomes.category_value.shape[1] > 0:
            outcomes.category_value[category, s] = category_value
        describe(category_draws, given, tail, outcomes, category, first, s, memory[:, : len(factor)])
