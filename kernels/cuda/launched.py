"""The CUDA kernels: a thread is one lane, a segment of one category, and iterates it alone, with the CPU's formulas.

Threads of a block are neighbouring segments of the same category: accesses to rows are coalesced, a product's record
is a broadcast, branches on its rule do not diverge. No two threads of the pricing kernel share anything, so it needs
no barrier. Import this module only where CUDA, or its simulator, is there to be used.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from kernels.cuda.category_solver import LAYERS, fill_lane, solve_category, write_category
from kernels.formulas import category_value_bound, inverse


class DeviceTile(NamedTuple):
    """What the pricing kernel reads of a tile.Tile besides its chunk of scores, on the device."""

    products: Any
    category_start: Any
    endings: Any
    has_outside_option: bool
    is_dense: bool


class Chunk(NamedTuple):
    """Whole categories of neighbouring segments: where they begin in the tile, and how many there are."""

    category: int
    product: int
    segment: int
    categories: int
    products: int
    segments: int

    @property
    def cells(self) -> int:
        """Products x segments."""
        return self.products * self.segments

    @property
    def lanes(self) -> int:
        """Categories x segments."""
        return self.categories * self.segments


class ChunkCells(NamedTuple):
    """What the pricing kernel writes of a chunk, in flat arrays: cells by product and segment, lanes by category.

    worth: R to start from, and with has_shares the R reached; left [4, lanes]: what a bound needs, in the layers
    WORTH, EARNED, TOTAL and OUTSIDE. probability and held are written only if asked for.
    """

    price: Any
    probability: Any
    binding_side: Any
    category_value: Any
    left: Any
    has_shares: bool
    has_binding_sides: bool


# Layers of ChunkCells.left: the R that a lane's prices are best for, and the sums of the pass that confirmed it.
CATEGORY_VALUE, EARNED, TOTAL, OUTSIDE = range(4)


@cache
def price_kernel(real: Any, threads: int, longest: int) -> Any:
    """Return the kernel for categories of up to `longest` products, whose rows it keeps in shared memory.

    With 0 the rows stay in the scratch, over a and b, where categories may be of any size. Launched with a block of
    `threads` for each category and so many segments.
    """
    width = threads * longest

    @cuda.jit
    def in_shared(tile, chunk, tolerance, scratch, cells, most):
        """Price a chunk from a and b in scratch [2, cells]; most [1] is raised to the passes of its lanes."""
        rows, lane = cuda.shared.array((LAYERS, width), real), (cuda.threadIdx.x, threads)
        category, s = place_of(chunk, threads)
        if s < chunk.segments:
            price_category(tile, chunk, category, s, tolerance, scratch, rows, lane, cells, most)

    @cuda.jit
    def in_scratch(tile, chunk, tolerance, scratch, cells, most):
        """The same with scratch [LAYERS, cells] for rows."""
        category, s = place_of(chunk, threads)
        if s < chunk.segments:
            lane = lane_of(tile, chunk, category, s)
            price_category(tile, chunk, category, s, tolerance, scratch, scratch, lane, cells, most)

    return in_shared if longest else in_scratch


@cuda.jit(device=True)
def place_of(chunk, threads):
    """Return the thread's category and its segment in the chunk, which may lie beyond the last."""
    blocks = (chunk.segments + threads - 1) // threads
    return chunk.category + cuda.blockIdx.x // blocks, cuda.blockIdx.x % blocks * threads + cuda.threadIdx.x


@cuda.jit(device=True)
def lane_of(tile, chunk, category, s):
    """Return where among the chunk's cells segment s of a category begins, and how far apart its products are."""
    return (tile.category_start[category] - chunk.product) * chunk.segments + s, chunk.segments


@cuda.jit(device=True)
def price_category(tile, chunk, category, s, tolerance, scratch, rows, lane, cells, most):
    """Price a category for segment s, with its working memory at `lane` of rows [LAYERS, ...]."""
    products = tile.products[tile.category_start[category] : tile.category_start[category + 1]]
    place, column = (category - chunk.category) * chunk.segments + s, lane_of(tile, chunk, category, s)
    opening = fill_lane(products, tile.is_dense, scratch, column, rows, lane)
    category_value, earned, total, outside, passes = solve_category(
        products, tile.endings, tile.has_outside_option, tolerance, rows, lane, cells.category_value[place], opening
    )
    if cells.has_shares:
        cells.category_value[place] = earned * inverse(total)
    cells.left[CATEGORY_VALUE, place], cells.left[EARNED, place] = category_value, earned
    cells.left[TOTAL, place], cells.left[OUTSIDE, place] = total, outside
    if passes > most[0]:  # hardly ever true, which saves a trip to the one address that all lanes share
        cuda.atomic.max(most, 0, passes)  # type: ignore[call-arg]
    write_category(products, tile.endings, rows, lane, category_value, inverse(total), cells, column)


@cache
def totals_kernel(threads: int) -> Any:
    """Return the kernel that fills totals float64, a flat [2, products, C]: a chunk's choices times visits [C, S'].

    A block of `threads`, a power of 2, for each product and class. In float64, as on the CPU, since totals over many
    segments are compared with constraints to the unit; and apart from the pricing kernel, which has no float64.
    """

    @cuda.jit
    def add_totals(chunk, visits, cells, totals):
        """Add up one product for one class: expected choices, and their price."""
        parts = cuda.shared.array((2, threads), np.float64)
        t: Any = cuda.threadIdx.x
        p, c = cuda.blockIdx.x, cuda.blockIdx.y
        chosen = revenue = 0.0
        for s in range(t, chunk.segments, threads):
            cell = p * chunk.segments + s
            bought = visits[c, chunk.segment + s] * np.float64(cells.probability[cell])
            chosen += bought
            revenue += bought * np.float64(cells.price[cell])
        parts[0, t], parts[1, t] = chosen, revenue
        add_threads(parts, t, threads)
        if t == 0:
            classes = visits.shape[0]
            totals[p * classes + c] = parts[0, 0]
            totals[(chunk.products + p) * classes + c] = parts[1, 0]

    return add_totals


@cache
def bound_kernel(threads: int) -> Any:
    """Return the kernel that fills bound float64, a flat [categories, C], of a chunk: visits * max(R, F(R))."""

    @cuda.jit
    def add_bound(chunk, visits, cells, bound):
        """Add up one category for one class."""
        parts = cuda.shared.array((1, threads), np.float64)
        t: Any = cuda.threadIdx.x
        category, c = cuda.blockIdx.x, cuda.blockIdx.y
        most = 0.0
        for s in range(t, chunk.segments, threads):
            lane = category * chunk.segments + s
            category_value, earned = np.float64(cells.left[CATEGORY_VALUE, lane]), np.float64(cells.left[EARNED, lane])
            total, outside = np.float64(cells.left[TOTAL, lane]), np.float64(cells.left[OUTSIDE, lane])
            most += visits[c, chunk.segment + s] * category_value_bound(category_value, earned, total, outside)
        parts[0, t] = most
        add_threads(parts, t, threads)
        if t == 0:
            bound[category * visits.shape[0] + c] = parts[0, 0]

    return add_bound


@cuda.jit(device=True)
def add_threads(parts, t, threads):
    """Add up parts [n, threads] into [n, 0], always in the same order; all threads of the block take part."""
    half = threads // 2
    while half > 0:
        cuda.syncthreads()  # type: ignore[call-arg]
        if t < half:
            for k in range(len(parts)):
                parts[k, t] += parts[k, t + half]
        half //= 2
    cuda.syncthreads()  # type: ignore[call-arg]
