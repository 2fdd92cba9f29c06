"""The best price of every cell of a tile, the sums over its segments, and the choices at given prices."""

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
from numba import get_num_threads

from kernels.backend import resolve_backend
from kernels.checks import require, require_array
from kernels.cpu import tile_loop as cpu
from kernels.cpu.worker_memory import WorkerMemory, new_worker_memory
from kernels.demand import Demand
from kernels.inputs import PricingInputs, Shelf
from kernels.outputs import BlockSums, Cells, new_block_sums, new_cells
from kernels.partition import ITEM_COST, worker_edges
from kernels.product_records import product_columns
from kernels.tile import Tile, pad_segments, padded, tile_of

ROUNDINGS = 32
"""Relative tolerance of R, in multiples of the float type's epsilon. R is a ratio of two sums, each of which is exact
to a few epsilons, so a smaller improvement of R is noise."""

# Only one call computes at a time: a call uses every core, and numba's workqueue threading layer aborts the process if
# two threads enter it.
ONE_AT_A_TIME = Lock()


@dataclass(frozen=True)
class Totals:
    """Sums over segments for P products and C classes of segments.

    chosen float64 [P, C]: expected choices, for the visits given
    revenue float64 [P, C]: expected choices times price, in cents
    """

    chosen: np.ndarray
    revenue: np.ndarray


@dataclass(frozen=True)
class PricedCells:
    """The best prices of a tile with P products, G categories and S segments.

    The arrays are [P, S], not [S, P], because the price table is sorted by product, then segment.

    price [P, S]: in cents; int32, or the demand's type if some ladder is continuous (period 0)
    probability [P, S]: the demand's type, that a visit of the segment chooses the product at these prices; 0 for
        products off the shelf
    binding_side int8 [P, S]: a BindingSide: LOW or HIGH if the best price without bounds lies below or above the
        bounds, else NONE. If the weight is not positive: the bound that is the price
    category_value [G, S]: R, the expected weighted profit of the category at these prices, in cents per visit
    totals: sums over segments, if visits were given, else None
    steps: the most passes that a category took (see formulas for a pass)
    """

    price: np.ndarray
    probability: np.ndarray
    binding_side: np.ndarray
    category_value: np.ndarray
    totals: Totals | None
    steps: int


@dataclass(frozen=True)
class PricedTotals:
    """The sums over segments at the best prices of a tile, without the prices themselves.

    totals: expected choices and revenue
    bound float64 [G, C]: visits * max(R, F(R)) of each category and class, in cents; no prices earn more, wherever the
        iteration stopped; in a nested category, visits times the bound of its search (see nesting)
    category_value [G, S], steps: as in PricedCells
    """

    totals: Totals
    bound: np.ndarray
    category_value: np.ndarray
    steps: int


def price_cells(
    demand: Demand,
    inputs: PricingInputs,
    backend: str = "cpu",
    visits: np.ndarray | None = None,
    category_value: np.ndarray | None = None,
) -> PricedCells:
    """Return the most profitable price of every product for every segment, exactly, with substitution.

    visits: float [S], or [C, S] for C classes of segments, asks for totals. category_value: float [G, S], the R to
    start from, in cents; 0 for none; the search of a nested category does not read it. backend: see resolve_backend.
    The computation is in the demand's type. The result has the same bits for any tiling along categories and segments
    and for any number of threads.

    A product off the shelf is priced with the R that the products on the shelf earn, or with R = 0 if no product of the
    category is on the shelf; it adds nothing to R. The iteration (Dinkelbach 1967) always ends with finite numbers: if
    utilities are so large that their rounding decides which product is chosen, the prices are best for an R that lies
    between the products' margins.

    Raises ValueError if demand and inputs differ in P, if visits or category_value have another shape or, with CUDA, if
    products share a price; BackendUnavailable for "cuda" without CUDA; MemoryError if the GPU's memory is too small.
    """
    shape = (demand.product_count, demand.segment_count)
    cells = new_cells(
        _start(demand, inputs.shelf, category_value),
        price=np.empty(shape, _price_type(demand, inputs)),
        probability=np.empty(shape, demand.dtype),
        binding_side=np.empty(shape, np.int8),
    )
    sums = _new_sums(demand, inputs.shelf, visits, has_bound=False)
    steps = _price(demand, inputs, backend, cells, sums)
    return PricedCells(
        price=cells.price,
        probability=cells.probability,
        binding_side=cells.binding_side,
        category_value=cells.category_value[:, : demand.segment_count],
        totals=None if visits is None else _totals(sums),
        steps=steps,
    )


def best_prices(
    demand: Demand, inputs: PricingInputs, backend: str = "cpu", out: np.ndarray | None = None
) -> np.ndarray:
    """Return PricedCells.price [P, S] alone, written into `out` if it is given.

    This is faster than price_cells, because nothing else is computed or written. Raises what price_cells raises, and
    ValueError if `out` has another shape or type.
    """
    shape, dtype = (demand.product_count, demand.segment_count), _price_type(demand, inputs)
    price = np.empty(shape, dtype) if out is None else out
    is_fitting = price.shape == shape and price.dtype == dtype
    require(is_fitting, f"out must be {dtype} {shape}", f"{price.dtype} {price.shape}")
    cells = new_cells(_start(demand, inputs.shelf, None), price=price)
    _price(demand, inputs, backend, cells, _new_sums(demand, inputs.shelf, None, has_bound=False))
    return price


def price_totals(
    demand: Demand,
    inputs: PricingInputs,
    visits: np.ndarray,
    backend: str = "cpu",
    category_value: np.ndarray | None = None,
) -> PricedTotals:
    """Return the sums over segments at the best prices; arguments, results and errors as in price_cells.

    Raises ValueError if the shelf has no outside option, because the bound needs one.
    """
    require(inputs.shelf.has_outside_option, "the bound of price_totals needs an outside option", False)
    cells = new_cells(_start(demand, inputs.shelf, category_value))
    sums = _new_sums(demand, inputs.shelf, visits, has_bound=True)
    steps = _price(demand, inputs, backend, cells, sums)
    return PricedTotals(
        totals=_totals(sums),
        bound=sums.bound.sum(axis=0),
        category_value=cells.category_value[:, : demand.segment_count],
        steps=steps,
    )


def choice_probabilities(demand: Demand, shelf: Shelf, price: np.ndarray) -> np.ndarray:
    """Return the probability [P, S] that a visit of the segment chooses the product, 0 for products off the shelf.

    price: in cents, [P, S], or [P, 1] for one price in all segments. The computation is in the demand's type (float64
    for certificates and evaluation) and always on the CPU. Raises ValueError if demand, shelf and price differ in their
    shapes.
    """
    probability = np.empty((demand.product_count, demand.segment_count), demand.dtype)
    cells = new_cells(_start(demand, shelf, None), probability=probability)
    _choose(demand, shelf, price, cells, _new_sums(demand, shelf, None, has_bound=False))
    return probability


def choice_totals(demand: Demand, shelf: Shelf, price: np.ndarray, visits: np.ndarray) -> Totals:
    """Return the expected choices and revenue at given prices, summed over segments.

    price, errors: see choice_probabilities; visits: see price_cells.
    """
    sums = _new_sums(demand, shelf, visits, has_bound=False)
    _choose(demand, shelf, price, new_cells(_start(demand, shelf, None)), sums)
    return _totals(sums)


def utility_lines(demand: Demand, shelf: Shelf) -> tuple[np.ndarray, np.ndarray]:
    """Return u(0) and the slope, both [P, S] in the demand's type, computed on the CPU.

    Every utility is u(0) - slope * price, with the price in cents. Raises ValueError if demand and shelf differ in P.
    """
    _require_same_products(demand, shelf)
    utility_at_zero, slope = (np.empty((demand.product_count, demand.segment_count), demand.dtype) for _ in range(2))
    tile, columns = tile_of(demand, shelf), product_columns(demand, shelf)
    with ONE_AT_A_TIME:
        work, edges = _shared_out(tile, demand)
        cpu.line_tile(tile, columns, utility_at_zero, slope, work, edges)
    return utility_at_zero, slope


def _price(demand: Demand, inputs: PricingInputs, backend: str, cells: Cells, sums: BlockSums) -> int:
    """Fill cells and sums at the best prices on a backend; return the most passes that a category took."""
    _require_same_products(demand, inputs.shelf)
    tile, columns = tile_of(demand, inputs.shelf, inputs), product_columns(demand, inputs.shelf, inputs)
    tolerance = demand.dtype.type(ROUNDINGS * np.finfo(demand.dtype).eps)
    if resolve_backend(backend) == "cuda":
        require(not inputs.has_families, "price families need backend 'cpu'", backend)
        from kernels.cuda import tile_loop as cuda

        return cuda.price_tile(tile, columns, tolerance, cells, sums)
    with ONE_AT_A_TIME:
        work, edges = _shared_out(tile, demand)
        steps = cpu.price_tile(tile, columns, tolerance, cells, sums, work, edges)
    return int(steps.max(initial=0))


def _choose(demand: Demand, shelf: Shelf, price: np.ndarray, cells: Cells, sums: BlockSums) -> None:
    """Fill cells and sums at given prices [P, S] or [P, 1], in cents."""
    _require_same_products(demand, shelf)
    shape = (demand.product_count, demand.segment_count)
    is_shaped = np.ndim(price) == 2 and price.shape in (shape, (shape[0], 1))
    require(is_shaped, f"price must have shape {shape} or {(shape[0], 1)}", np.shape(price))
    tile, columns = tile_of(demand, shelf), product_columns(demand, shelf)
    given = np.ascontiguousarray(price, demand.dtype)
    with ONE_AT_A_TIME:
        work, edges = _shared_out(tile, demand)
        cpu.choose_tile(tile, columns, given, cells, sums, work, edges)


def _shared_out(tile: Tile, demand: Demand) -> tuple[WorkerMemory, np.ndarray]:
    """Return the workers' memory and edges int64 [T + 1], which cut the items into parts of about equal work."""
    sizes = np.diff(tile.category_start)
    edges = worker_edges(sizes + ITEM_COST, tile.block_count, get_num_threads())
    longest = 1 << int(sizes.max(initial=0)).bit_length()
    return _work(len(edges) - 1, longest, demand.dtype), edges


@lru_cache(maxsize=1)
def _work(workers: int, longest: int, real: np.dtype) -> WorkerMemory:
    """Return the working memory, shared by similar tiles: touching fresh pages takes longer than a small tile does."""
    return new_worker_memory(workers, longest, real)


def _price_type(demand: Demand, inputs: PricingInputs) -> Any:
    """Return the type of prices: int32 for whole cents, else the demand's type."""
    return np.dtype(np.int32) if inputs.is_whole_cents else demand.dtype


def _start(demand: Demand, shelf: Shelf, category_value: np.ndarray | None) -> np.ndarray:
    """Return the R to start from, [G, S'] in the demand's type; 0 unless given as category_value [G, S]."""
    shape = (shelf.category_count, demand.segment_count)
    if category_value is None:
        return np.zeros((shape[0], padded(shape[1])), demand.dtype)
    require_array("category_value", category_value, shape, "f")
    return pad_segments(category_value, demand.dtype)


def _new_sums(demand: Demand, shelf: Shelf, visits: np.ndarray | None, has_bound: bool) -> BlockSums:
    """Return BlockSums of zeros for visits [S] or [C, S]; without visits, BlockSums that the loop does not fill."""
    return new_block_sums(visits, demand.product_count, shelf.category_count, demand.segment_count, has_bound)


def _totals(sums: BlockSums) -> Totals:
    """Return the sums over all blocks of segments."""
    return Totals(chosen=sums.chosen.sum(axis=0), revenue=sums.revenue.sum(axis=0))


def _require_same_products(demand: Demand, shelf: Shelf) -> None:
    """Raise ValueError unless demand and shelf have the same number of products."""
    require(
        demand.product_count == shelf.product_count,
        f"demand must cover the shelf's {shelf.product_count} products",
        demand.product_count,
    )
