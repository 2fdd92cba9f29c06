"""The CUDA kernel that prices: a thread iterates R of one category for one segment, with the CPU's formulas.

Threads of a block are neighbouring segments of the same category: accesses to rows are coalesced, a product's record
is a broadcast, branches on its rule do not diverge. No two threads share anything, so the kernel needs no barrier.
Import this module only where CUDA, or its simulator, is available.
"""

from functools import cache
from typing import Any, NamedTuple

from numba import cuda

from kernels.cuda.category_solver import LAYERS, fill_rows, solve_category, write_category
from kernels.cuda.chunk import CATEGORY_VALUE, EARNED, OUTSIDE, TOTAL
from kernels.formulas import inverse


class DeviceTile(NamedTuple):
    """What the pricing kernel reads of a tile, on the device, beside the a and b of a chunk.

    products [P]: records of product_records; category_start int64 [G + 1]; endings [E], in cents, at least one;
    dissimilarity [G], has_outside_option, is_dense: as in tile.Tile.
    """

    products: Any
    category_start: Any
    endings: Any
    dissimilarity: Any
    has_outside_option: bool
    is_dense: bool


@cache
def price_kernel(real: Any, threads: int, longest: int) -> Any:
    """Return the kernel for numbers of type `real`, blocks of `threads` and categories of up to `longest` products.

    The kernel keeps its rows in shared memory. If longest is 0, it keeps them in the scratch, over a and b, where
    categories may have any size. It is launched with enough blocks for all segments of the chunk, for each category.
    Categories whose dissimilarity is below 1 are left to nested_kernel.
    """
    width = threads * longest

    @cuda.jit
    def in_shared(tile, chunk, tolerance, scratch, cells, most):
        """Price a TileChunk of a DeviceTile into ChunkCells, with rows in shared memory.

        scratch [2, cells]: a and b; most int32 [1]: raised to the most passes of a thread; tolerance: relative, of R.
        """
        rows, place = cuda.shared.array((LAYERS, width), real), (cuda.threadIdx.x, threads)
        category, s = work_of_thread(chunk, threads)
        if s < chunk.segments and not is_nested(tile, category):
            price_category(tile, chunk, category, s, tolerance, scratch, rows, place, cells, most)

    @cuda.jit
    def in_scratch(tile, chunk, tolerance, scratch, cells, most):
        """Do what in_shared does, with rows in scratch [LAYERS, cells]."""
        category, s = work_of_thread(chunk, threads)
        if s < chunk.segments and not is_nested(tile, category):
            place = place_in_chunk(tile, chunk, category, s)
            price_category(tile, chunk, category, s, tolerance, scratch, scratch, place, cells, most)

    return in_shared if longest else in_scratch


@cuda.jit(device=True)
def work_of_thread(chunk, threads):
    """Return the thread's category in the tile and its segment in the chunk, which may lie beyond the last one."""
    blocks = (chunk.segments + threads - 1) // threads
    return chunk.category + cuda.blockIdx.x // blocks, cuda.blockIdx.x % blocks * threads + cuda.threadIdx.x


@cuda.jit(device=True)
def is_nested(tile, category):
    """Return whether the category's dissimilarity is below 1."""
    dissimilarity = tile.dissimilarity[category]
    return dissimilarity < type(dissimilarity)(1.0)


@cuda.jit(device=True)
def place_in_chunk(tile, chunk, category, s):
    """Return the place (see category_solver) of a category for segment s among the chunk's cells."""
    return (tile.category_start[category] - chunk.product) * chunk.segments + s, chunk.segments


@cuda.jit(device=True)
def price_category(tile, chunk, category, s, tolerance, scratch, rows, place, cells, most):
    """Price a category for segment s of the chunk, with its working memory at `place` of rows [LAYERS, ...].

    scratch, most, tolerance: see price_kernel.
    """
    products = tile.products[tile.category_start[category] : tile.category_start[category + 1]]
    solve, column = (category - chunk.category) * chunk.segments + s, place_in_chunk(tile, chunk, category, s)
    opening = fill_rows(products, tile.is_dense, scratch, column, rows, place)
    category_value, earned, total, outside, passes = solve_category(
        products, tile.endings, tile.has_outside_option, tolerance, rows, place, cells.category_value[solve], opening
    )
    leave_sums(cells, solve, category_value, earned, total, outside)
    count_passes(most, passes)
    write_category(products, tile.endings, rows, place, category_value, inverse(total), cells, column)


@cuda.jit(device=True)
def leave_sums(cells, solve, category_value, earned, total, outside):
    """Write the R that the prices earn, and what the dual bound is computed from, for a category and segment."""
    if cells.has_shares:
        cells.category_value[solve] = earned * inverse(total)
    cells.left[CATEGORY_VALUE, solve], cells.left[EARNED, solve] = category_value, earned
    cells.left[TOTAL, solve], cells.left[OUTSIDE, solve] = total, outside


@cuda.jit(device=True)
def count_passes(most, passes):
    """Raise most [1] to the passes of this thread."""
    if passes > most[0]:  # hardly ever true, which saves a trip to the one address that all threads share
        cuda.atomic.max(most, 0, passes)  # type: ignore[call-arg]
