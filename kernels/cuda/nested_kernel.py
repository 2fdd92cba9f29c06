"""The CUDA kernel that prices the categories whose dissimilarity is below 1, a thread for each category and segment.

It is a kernel apart from price_kernel, because the search for R takes more registers than the iteration, and is
launched only where a tile has such categories. Import this module only where CUDA, or its simulator, is available.
"""

from functools import cache
from typing import Any

from numba import cuda

from kernels.cuda.category_solver import fill_rows, write_category
from kernels.cuda.nested_solver import nest_category
from kernels.cuda.price_kernel import (
    count_passes,
    is_nested,
    leave_sums,
    place_in_chunk,
    work_of_thread,
)
from kernels.formulas import inverse
from kernels.nesting import FIELDS


@cache
def nested_kernel(real: Any, threads: int) -> Any:
    """Return the kernel for numbers of type `real` and blocks of `threads`, launched like price_kernel and after it.

    It keeps its rows in the scratch, over a and b.
    """

    @cuda.jit
    def price_nested(tile, chunk, tolerance, scratch, cells, most):
        """Price the nested categories of a TileChunk of a DeviceTile into ChunkCells; arguments as in price_kernel."""
        search = cuda.local.array((FIELDS, 1), real)
        category, s = work_of_thread(chunk, threads)
        if s < chunk.segments and is_nested(tile, category):
            products = tile.products[tile.category_start[category] : tile.category_start[category + 1]]
            place = place_in_chunk(tile, chunk, category, s)
            fill_rows(products, tile.is_dense, scratch, place, scratch, place)
            category_value, bound, earned, total, outside, passes = nest_category(
                products, tile.endings, tile.dissimilarity[category], tolerance, scratch, place, search
            )
            leave_sums(cells, (category - chunk.category) * chunk.segments + s, bound, earned, total, outside)
            count_passes(most, passes)
            write_category(products, tile.endings, scratch, place, category_value, inverse(total), cells, place)

    return price_nested
