"""The CPU loop under draws of the price sensitivity: category by category, segment by segment, in float64.

An item, one category for one segment, takes the same operations in the same order whatever the tile and the number of
workers, so the results are the same bits.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from kernels.compiled import compiled
from kernels.posterior.category_draws import evaluate_prices, new_workspace, open_category_draws, stationary_price
from kernels.posterior.outcomes import fill_outcomes
from kernels.posterior.price_search import binding_side_at, improve_prices


class DemandDraws(NamedTuple):
    """A tile's demand with the draws of its price sensitivity.

    utility_at_zero, slope [P, S]: the utility at a price of 0 and the utility that each cent takes off; factor
    [H, S, D], row [G]: as in draws.Draws.
    """

    utility_at_zero: np.ndarray
    slope: np.ndarray
    factor: np.ndarray
    row: np.ndarray


class PriceSearch(NamedTuple):
    """Whether better prices are requested, and how they are searched for; without a request the arrays are not read.

    is_fixed bool [P, S]: the cells whose price stays; binding_side int8 [P, S]: filled with BindingSide; tolerance: see
    price_search.improve_prices.
    """

    is_requested: bool
    is_fixed: np.ndarray
    binding_side: np.ndarray
    tolerance: float


NO_SEARCH = PriceSearch(
    is_requested=False, is_fixed=np.empty((0, 0), np.bool_), binding_side=np.empty((0, 0), np.int8), tolerance=0.0
)


@compiled(parallel=True)
def evaluate_tile(tile, products, demand, search, price, requested, outcomes, longest, edges):
    """Improve prices float64 [P, S] in cents if `search` requests it, and fill the requested outcomes at the result.

    products [P]: records; requested: an OutcomeGroups; longest: the number of products of the largest category;
    edges [T + 1]: see partition.worker_edges, item i being segment i % S of category i // S.
    """
    for worker in prange(edges.shape[0] - 1):
        begin, end = edges[worker], edges[worker + 1]
        evaluate_items(tile, products, demand, search, price, requested, outcomes, longest, begin, end)


@compiled()
def evaluate_items(tile, products, demand, search, price, requested, outcomes, longest, begin, end):
    """Do one worker's items, begin to end - 1."""
    segments, start = price.shape[1], tile.category_start
    workspace = new_workspace(longest, demand.factor.shape[2])
    for item in range(begin, end):
        category, s = item // segments, item % segments
        first, last, row = start[category], start[category + 1], demand.row[category]
        factor = workspace.single_factor if row < 0 else demand.factor[row, s]
        category_draws = open_category_draws(
            workspace, products[first:last], tile.has_outside_option, tile.dissimilarity[category],
            demand.utility_at_zero[first:last], demand.slope[first:last], factor, s,
        )  # fmt: skip
        own_price = workspace.price[: last - first]
        for j in range(last - first):
            own_price[j] = price[first + j, s]
        is_searched = search.is_requested and row >= 0
        if is_searched:
            trial, best = workspace.trial[: last - first], workspace.best[: last - first]
            is_fixed = search.is_fixed[first:last, s]
            improve_prices(category_draws, tile.endings, search.tolerance, is_fixed, own_price, trial, best)
        category_value = evaluate_prices(category_draws, own_price)
        if is_searched:
            for j in range(last - first):
                price[first + j, s] = own_price[j]
                search.binding_side[first + j, s] = binding_side_at(
                    category_draws.products[j], own_price[j], stationary_price(category_draws, j)
                )
        if requested.means:
            outcomes.category_value[category, s] = category_value
        fill_outcomes(category_draws, own_price, requested, outcomes, workspace, category, first, s)
