"""Prices, choices and intervals under draws of the price sensitivity; on the CPU, in float64."""

from collections.abc import Sequence

import numpy as np
from numba import get_num_threads

from kernels.checks import require, require_array
from kernels.demand import Demand, in_double
from kernels.inputs import PricingInputs, Shelf
from kernels.partition import ITEM_COST, worker_edges
from kernels.posterior.draws import Draws
from kernels.posterior.outcomes import Outcomes, groups_of, new_outcomes
from kernels.posterior.tile_loop import NO_SEARCH, DemandDraws, PriceSearch, evaluate_tile
from kernels.pricing import ONE_AT_A_TIME, ROUNDINGS, PricedCells, Totals, utility_lines
from kernels.product_records import product_columns, product_records
from kernels.tile import tile_of


def expected_cells(
    demand: Demand, inputs: PricingInputs, draws: Draws, cells: PricedCells, is_fixed: np.ndarray | None = None
) -> PricedCells:
    """Return cells at prices that maximise the mean expected profit over the draws, searched for from those of `cells`.

    The prices are a local optimum (see price_search). Their mean profit is never below that of the given prices. A
    given price stays where the category's gain is within rounding, where the category has no draws, and where is_fixed,
    bool [P, S], is true; where is_fixed is true, binding_side stays too. Probabilities and category_value are means
    over the draws; there are no totals. The result is the same bits for any tiling and number of threads. Raises
    ValueError for families, and where demand, inputs and draws disagree on their shapes.
    """
    require(not inputs.has_families, "expected profit is not maximised over price families", inputs.has_families)
    shape = (demand.product_count, demand.segment_count)
    fixed = np.zeros(shape, np.bool_) if is_fixed is None else is_fixed
    require_array("is_fixed", fixed, shape, "b")
    search = PriceSearch(
        is_requested=True,
        is_fixed=fixed,
        binding_side=cells.binding_side.copy(),
        tolerance=float(ROUNDINGS * np.finfo(demand.dtype).eps),
    )
    price = cells.price.astype(np.float64)
    found = _evaluate(demand, inputs.shelf, inputs, draws, price, ("means",), search)
    return PricedCells(
        price=price.astype(cells.price.dtype),
        probability=found.probability.astype(demand.dtype),
        binding_side=np.where(fixed, cells.binding_side, search.binding_side),
        category_value=found.category_value.astype(demand.dtype),
        totals=None,
        steps=cells.steps,
    )


def expected_outcomes(demand: Demand, inputs: PricingInputs, draws: Draws, price: np.ndarray, *groups: str) -> Outcomes:
    """Return the named groups of outcomes (see Outcomes) of prices [P, S] or [P, 1] in cents.

    Raises ValueError for an unknown group, and where demand, inputs, draws and price disagree on their shapes.
    """
    return _evaluate(demand, inputs.shelf, inputs, draws, price, groups)


def expected_choices(demand: Demand, shelf: Shelf, draws: Draws, price: np.ndarray) -> np.ndarray:
    """Return the probability [P, S] that a segment chooses a product, as a mean over the draws.

    price [P, S] or [P, 1]: in cents. Raises ValueError where demand, shelf, draws and price disagree on their shapes.
    """
    return _evaluate(demand, shelf, None, draws, price, ("means",)).probability


def expected_totals(demand: Demand, shelf: Shelf, draws: Draws, price: np.ndarray, visits: np.ndarray) -> Totals:
    """Return the expected choices and revenue at given prices, summed over segments, as means over the draws; C = 1.

    price: in cents, [P, S] or [P, 1]; visits [S].
    """
    chosen = expected_choices(demand, shelf, draws, price) * visits
    return Totals(chosen.sum(axis=1, keepdims=True), (chosen * price).sum(axis=1, keepdims=True))


def _evaluate(
    demand: Demand,
    shelf: Shelf,
    inputs: PricingInputs | None,
    draws: Draws,
    price: np.ndarray,
    groups: Sequence[str],
    search: PriceSearch = NO_SEARCH,
) -> Outcomes:
    """Return outcomes of prices [P, S] or [P, 1] in cents.

    If `search` requests better prices, they are written into `price`, which must then be float64 [P, S], and the
    outcomes are those of the better prices.
    """
    products, segments, categories = demand.product_count, demand.segment_count, shelf.category_count
    require(draws.segment_count == segments, f"Draws must be of the demand's {segments} segments", draws.segment_count)
    require(len(draws.row) == categories, f"Draws must be of the shelf's {categories} categories", len(draws.row))
    is_shaped = np.ndim(price) == 2 and price.shape in ((products, segments), (products, 1))
    require(is_shaped, f"price must have shape {(products, segments)} or {(products, 1)}", np.shape(price))
    if not search.is_requested:
        price = np.array(np.broadcast_to(price, (products, segments)), np.float64)
    exact, requested = in_double(demand), groups_of(groups)
    outcomes = new_outcomes(products, segments, categories, draws.factor.shape[2], requested)
    utility_at_zero, slope = utility_lines(exact, shelf)
    demand_draws = DemandDraws(utility_at_zero, slope, np.ascontiguousarray(draws.factor), draws.row.astype(np.int64))
    tile = tile_of(exact, shelf, inputs)
    records = product_records(product_columns(exact, shelf, inputs), tile.category_start, exact.dtype)
    sizes = np.diff(shelf.category_start)
    cost = np.where(draws.row < 0, 1, draws.factor.shape[2]) * (sizes + ITEM_COST)
    edges = worker_edges(cost, segments, get_num_threads())
    longest = int(sizes.max(initial=0))
    with ONE_AT_A_TIME:
        evaluate_tile(tile, records, demand_draws, search, price, requested, outcomes, longest, edges)
    return outcomes
