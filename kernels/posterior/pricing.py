"""Prices, choices and intervals where the price sensitivity is known by draws only; on the CPU, in float64."""

from collections.abc import Sequence

import numpy as np
from numba import get_num_threads

from kernels.checks import require, require_array
from kernels.demand import Demand, in_double
from kernels.inputs import PricingInputs, Shelf
from kernels.partition import ITEM_COST, worker_edges
from kernels.posterior.draws import Draws
from kernels.posterior.outcomes import Outcomes, new_outcomes
from kernels.posterior.tile_loop import DemandDraws, PriceSearch, expect_tile
from kernels.pricing import ONE_AT_A_TIME, ROUNDINGS, PricedCells, Totals, utility_lines
from kernels.product_records import product_columns, product_records
from kernels.tile import tile_of

TAIL = 0.05
"""On either side of a 90 % interval."""


def expected_cells(
    demand: Demand, inputs: PricingInputs, draws: Draws, cells: PricedCells, is_fixed: np.ndarray | None = None
) -> PricedCells:
    """Return cells at prices that maximise the expected profit over draws, searched for from those of `cells`.

    A local optimum (see expected_prices): expected profit is never below that of the given prices, which stay where
    there is no more to gain than their own rounding may cost, or no draws. Probabilities and category_worth are means
    over draws; there are no totals. is_fixed bool [P, S]: cells whose price and `held` stay. Same bits for any tiling
    and number of threads. Raises ValueError for families, and where demand, offer and draws disagree on their shapes.
    """
    require(not inputs.has_families, "expected profit is not maximised over price families", inputs.has_families)
    shape = (demand.product_count, demand.segment_count)
    fixed = np.zeros(shape, np.bool_) if is_fixed is None else is_fixed
    require_array("is_fixed", fixed, shape, "b")
    search = PriceSearch(fixed, cells.binding_side.copy(), float(ROUNDINGS * np.finfo(demand.dtype).eps))
    price = cells.price.astype(np.float64)
    found = _expect(demand, inputs.shelf, inputs, draws, price, ("means",), search)
    return PricedCells(
        price=price.astype(cells.price.dtype),
        probability=found.probability.astype(demand.dtype),
        binding_side=np.where(fixed, cells.binding_side, search.binding_side),
        category_value=found.category_value.astype(demand.dtype),
        totals=None,
        steps=cells.steps,
    )


def expected_outcomes(demand: Demand, inputs: PricingInputs, draws: Draws, price: np.ndarray, *groups: str) -> Outcomes:
    """Return some groups of outcomes (see outcomes.GROUPS) of prices [P, S] or [P, 1] in cents over draws."""
    return _expect(demand, inputs.shelf, inputs, draws, price, groups)


def expected_choices(demand: Demand, shelf: Shelf, draws: Draws, price: np.ndarray) -> np.ndarray:
    """Return the mean probability [P, S] over draws that a segment chooses a product, at prices [P, S] or [P, 1]."""
    return _expect(demand, shelf, None, draws, price, ("means",)).probability


def expected_totals(demand: Demand, shelf: Shelf, draws: Draws, price: np.ndarray, visits: np.ndarray) -> Totals:
    """Return what the choices at prices [P, S] or [P, 1] add up to, expected over draws; visits float64 [S]."""
    chosen = expected_choices(demand, shelf, draws, price) * visits
    return Totals(chosen.sum(axis=1, keepdims=True), (chosen * price).sum(axis=1, keepdims=True))


def _expect(
    demand: Demand,
    shelf: Shelf,
    inputs: PricingInputs | None,
    draws: Draws,
    price: np.ndarray,
    groups: Sequence[str],
    search: PriceSearch | None = None,
) -> Outcomes:
    """Outcomes of prices, which a search betters first, in place."""
    products, segments, categories = demand.product_count, demand.segment_count, shelf.category_count
    require(draws.segment_count == segments, f"Draws must be of the demand's {segments} segments", draws.segment_count)
    require(len(draws.row) == categories, f"Draws must be of the shelf's {categories} categories", len(draws.row))
    is_shaped = np.ndim(price) == 2 and price.shape in ((products, segments), (products, 1))
    require(is_shaped, f"price must have shape {(products, segments)} or {(products, 1)}", np.shape(price))
    exact, found = in_double(demand), new_outcomes(products, segments, categories, groups)
    uncertain = DemandDraws(
        *utility_lines(exact, shelf), np.ascontiguousarray(draws.factor), draws.row.astype(np.int64)
    )
    if search is None:
        search = PriceSearch(np.empty((products, 0), np.bool_), np.empty((products, 0), np.int8), 0.0)
        price = np.array(np.broadcast_to(price, (products, segments)), np.float64)
    tile = tile_of(exact, shelf, inputs)
    records = product_records(product_columns(exact, shelf, inputs), tile.category_start, exact.dtype)
    sizes = np.diff(shelf.category_start)
    cost = np.where(draws.row < 0, 1, draws.factor.shape[2]) * (sizes + ITEM_COST)
    edges = worker_edges(cost, segments, get_num_threads(), "right")
    with ONE_AT_A_TIME:
        expect_tile(tile, records, uncertain, search, price, found, TAIL, int(sizes.max(initial=0)), edges)
    return found
