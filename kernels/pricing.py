"""The best price of every cell of a tile, what it adds up to, and the choices at given prices."""

from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock
from typing import Any

import numpy as np
from numba import get_num_threads
from threadpoolctl import ThreadpoolController

from kernels.backend import resolve_backend
from kernels.checks import require, require_array
from kernels.cpu import tile_loop as cpu
from kernels.cpu.worker_memory import LANES, WorkerMemory, new_worker_memory
from kernels.demand import Demand
from kernels.inputs import PricingInputs, Shelf
from kernels.outputs import Cells, Sums
from kernels.partition import ITEM_COST, worker_edges
from kernels.product_records import product_columns
from kernels.tile import Tile, pad_segments, padded, tile_of

# R is a ratio of two sums, each good to a few roundings: below this many of them an improvement is noise.
ROUNDINGS = 32

# One call uses every core, numba's workqueue threads abort when two threads enter them, and BLAS is held to one
# thread for each of ours.
ONE_AT_A_TIME = Lock()


@dataclass(frozen=True)
class Totals:
    """Sums over segments for C classes of segments, float64 [P, C]: expected choices, and their price in cents."""

    chosen: np.ndarray
    revenue: np.ndarray


@dataclass(frozen=True)
class PricedCells:
    """The prices of a tile; [P, S], because the price table is sorted by product, then segment.

    price: int32 cents, or the demand's float type where some ladder is continuous (period 0);
    probability: that the segment chooses the product at these prices, 0 for products not on the shelf;
    held int8: -1 where the price that is best without bounds lies below `low`, +1 where it lies above `high`,
    else 0 (with weight <= 0: which end was taken);
    category_worth [G, S]: R, the expected weighted profit of the category at these prices, in cents per
    visit; totals: what it adds up to, if asked for; steps: the most passes that a category took.
    """

    price: np.ndarray
    probability: np.ndarray
    binding_side: np.ndarray
    category_value: np.ndarray
    totals: Totals | None
    steps: int


@dataclass(frozen=True)
class PricedTotals:
    """What the best prices of a tile add up to, for C classes of segments, without the prices themselves.

    bound float64 [G, C]: visits * max(R, F(R)), in cents; no prices reach more, however early the iteration stopped;
    category_worth [G, S], steps: see PricedCells.
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

    A product that is not on the shelf is priced with the R of those that are (0 where none is), which it does
    not enter. visits float64 [S] or [C, S] asks for totals, of one or of C classes of segments; worth [G, S] is an R
    to start from. Computed in the demand's type. Same bits for any tiling along whole categories and segments and
    for any number of threads. It always ends, with numbers: where utilities are so large that their rounding decides
    who is chosen, prices are best for an R between the margins. Raises ValueError if demand and offer disagree on P,
    BackendUnavailable for "cuda" without it.
    """
    shape = (demand.product_count, demand.segment_count)
    price = np.empty(shape, _price_type(demand, inputs))
    cells = Cells(
        price, np.empty(shape, demand.dtype), np.empty(shape, np.int8), _start(demand, inputs.shelf, category_value)
    )
    sums = _new_sums(demand, inputs.shelf, visits, has_bound=False)
    steps = _price(demand, inputs, backend, cells, sums)
    totals = None if visits is None else _totals(sums)
    return PricedCells(*cells[:3], cells.category_value[:, : shape[1]], totals, steps)


def best_prices(
    demand: Demand, inputs: PricingInputs, backend: str = "cpu", out: np.ndarray | None = None
) -> np.ndarray:
    """Return PricedCells.price alone, in `out` [P, S] if given; quicker, as nothing else is computed or written."""
    shape, dtype = (demand.product_count, demand.segment_count), _price_type(demand, inputs)
    price = np.empty(shape, dtype) if out is None else out
    is_fitting = price.shape == shape and price.dtype == dtype
    require(is_fitting, f"out must be {dtype} {shape}", f"{price.dtype} {price.shape}")
    cells = _nothing(demand, _start(demand, inputs.shelf, None))._replace(price=price)
    _price(demand, inputs, backend, cells, _new_sums(demand, inputs.shelf, None, has_bound=False))
    return price


def price_totals(
    demand: Demand,
    inputs: PricingInputs,
    visits: np.ndarray,
    backend: str = "cpu",
    category_value: np.ndarray | None = None,
) -> PricedTotals:
    """Return what the best prices add up to; visits and worth as for price_cells. Needs an outside option."""
    require(inputs.shelf.has_outside_option, "the bound of price_totals needs an outside option", False)
    cells = _nothing(demand, _start(demand, inputs.shelf, category_value))
    sums = _new_sums(demand, inputs.shelf, visits, has_bound=True)
    steps = _price(demand, inputs, backend, cells, sums)
    category_value = cells.category_value[:, : demand.segment_count]
    return PricedTotals(_totals(sums), sums.bound.sum(axis=0), category_value, steps)


def choice_probabilities(demand: Demand, shelf: Shelf, price: np.ndarray) -> np.ndarray:
    """Return the probability [P, S] that a segment chooses a product, at prices [P, S] or [P, 1] in cents.

    In the demand's type (float64 for certificates and evaluation), always on the CPU; 0 for products not on
    the shelf. Raises ValueError if demand, shelf and price disagree on their shapes.
    """
    probability = np.empty((demand.product_count, demand.segment_count), demand.dtype)
    cells = _nothing(demand, _start(demand, shelf, None))._replace(probability=probability)
    _choose(demand, shelf, price, cells, _new_sums(demand, shelf, None, has_bound=False))
    return probability


def choice_totals(demand: Demand, shelf: Shelf, price: np.ndarray, visits: np.ndarray) -> Totals:
    """Return what the choices at prices [P, S] or [P, 1] add up to; see choice_probabilities and price_cells."""
    sums = _new_sums(demand, shelf, visits, has_bound=False)
    _choose(demand, shelf, price, _nothing(demand, _start(demand, shelf, None)), sums)
    return _totals(sums)


def utility_lines(demand: Demand, shelf: Shelf) -> tuple[np.ndarray, np.ndarray]:
    """Return u(0) and the slope per cent [P, S], such that every utility is u(0) - slope * price; on the CPU."""
    _require_same_products(demand, shelf)
    utility_at_zero, slope = (np.empty((demand.product_count, demand.segment_count), demand.dtype) for _ in range(2))
    with ONE_AT_A_TIME, _blas().limit(limits=1, user_api="blas"):
        tile = tile_of(demand, shelf)
        cpu.line_tile(tile, product_columns(demand, shelf), utility_at_zero, slope, *_shared_out(tile, demand))
    return utility_at_zero, slope


def _price(demand: Demand, inputs: PricingInputs, backend: str, cells: Cells, sums: Sums) -> int:
    _require_same_products(demand, inputs.shelf)
    tile, columns = tile_of(demand, inputs.shelf, inputs), product_columns(demand, inputs.shelf, inputs)
    tolerance = demand.dtype.type(ROUNDINGS * np.finfo(demand.dtype).eps)
    if resolve_backend(backend) == "cuda":
        require(not inputs.has_families, "price families need backend 'cpu'", backend)
        from kernels.cuda import tile_loop as cuda

        return cuda.price_tile(tile, columns, tolerance, cells, sums)
    with ONE_AT_A_TIME, _blas().limit(limits=1, user_api="blas"):
        steps = cpu.price_tile(tile, columns, tolerance, cells, sums, *_shared_out(tile, demand))
    return int(steps.max(initial=0))


def _choose(demand: Demand, shelf: Shelf, price: np.ndarray, cells: Cells, sums: Sums) -> None:
    _require_same_products(demand, shelf)
    shape = (demand.product_count, demand.segment_count)
    is_shaped = np.ndim(price) == 2 and price.shape in (shape, (shape[0], 1))
    require(is_shaped, f"price must have shape {shape} or {(shape[0], 1)}", np.shape(price))
    tile, given = tile_of(demand, shelf), np.ascontiguousarray(price, demand.dtype)
    with ONE_AT_A_TIME, _blas().limit(limits=1, user_api="blas"):
        cpu.choose_tile(tile, product_columns(demand, shelf), given, cells, sums, *_shared_out(tile, demand))


def _shared_out(tile: Tile, demand: Demand) -> tuple[WorkerMemory, np.ndarray]:
    """Return the workers' memory and edges int64 [T + 1]: the items are cut into parts of about equal work."""
    sizes = np.diff(tile.category_start)
    blocks = tile.segment_appeal.shape[0]
    edges = worker_edges(sizes + ITEM_COST, blocks, get_num_threads(), "left")
    longest = 1 << int(sizes.max(initial=0)).bit_length()
    return _work(len(edges) - 1, longest, demand.dtype), edges


@lru_cache(maxsize=1)
def _work(workers: int, longest: int, real: np.dtype) -> WorkerMemory:
    """Return working memory, the same for tiles alike: to touch fresh pages takes longer than to price a small tile."""
    return new_worker_memory(workers, longest, real)


@cache
def _blas() -> ThreadpoolController:
    """Return the handle on the BLAS that numba calls, SciPy's, which this loads."""
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()


def _price_type(demand: Demand, inputs: PricingInputs) -> Any:
    return np.dtype(np.int32) if inputs.is_whole_cents else demand.dtype


def _start(demand: Demand, shelf: Shelf, category_value: np.ndarray | None) -> np.ndarray:
    """Return R [G, S'] to start from, 0 unless given."""
    shape = (shelf.category_count, demand.segment_count)
    if category_value is None:
        return np.zeros((shape[0], padded(shape[1])), demand.dtype)
    require_array("category_value", category_value, shape, "f")
    return pad_segments(category_value, demand.dtype)


def _nothing(demand: Demand, category_value: np.ndarray) -> Cells:
    """Return cells that are not to be written."""
    rows = demand.product_count
    return Cells(
        np.empty((rows, 0), np.int32), np.empty((rows, 0), demand.dtype), np.empty((rows, 0), np.int8), category_value
    )


def _new_sums(demand: Demand, shelf: Shelf, visits: np.ndarray | None, has_bound: bool) -> Sums:
    segments = demand.segment_count
    classes = np.empty((0, segments)) if visits is None else np.atleast_2d(visits)
    require_array("visits", classes, (len(classes), segments), "f")
    blocks, shape = padded(segments) // LANES, (demand.product_count, len(classes))
    bound = np.zeros((blocks, shelf.category_count * has_bound, len(classes)))
    return Sums(pad_segments(classes, np.float64), np.zeros((blocks, *shape)), np.zeros((blocks, *shape)), bound)


def _totals(sums: Sums) -> Totals:
    return Totals(sums.chosen.sum(axis=0), sums.revenue.sum(axis=0))


def _require_same_products(demand: Demand, shelf: Shelf) -> None:
    require(
        demand.product_count == shelf.product_count,
        f"demand must cover the shelf's {shelf.product_count} products",
        demand.product_count,
    )
