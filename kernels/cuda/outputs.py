"""The CUDA kernels that add up a chunk's cells over its segments; the twin of cpu.outputs.

Their arguments are a chunk.TileChunk, visits float64 [C, S'], a chunk.ChunkCells, and the flat array to fill. Import
this module only where CUDA, or its simulator, is available.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import cuda

from kernels.cuda.chunk import CATEGORY_VALUE, EARNED, OUTSIDE, TOTAL
from kernels.formulas import category_value_bound


@cache
def totals_kernel(threads: int) -> Any:
    """Return the kernel that fills totals float64, a flat [2, products, C]: expected choices, and choices * price.

    It is launched with a block of `threads`, a power of 2, for each product and class. It computes in float64, as the
    CPU does, because totals over many segments are compared with constraints to the unit. It is a kernel of its own,
    because the pricing kernel must contain no float64.
    """

    @cuda.jit
    def add_totals(chunk, visits, cells, totals):
        """Add up one product for one class of segments."""
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
    """Return the kernel that fills bound float64, a flat [categories, C]: visits * max(R, F(R)), in cents.

    It is launched with a block of `threads`, a power of 2, for each category and class.
    """

    @cuda.jit
    def add_bound(chunk, visits, cells, bound):
        """Add up one category for one class of segments."""
        parts = cuda.shared.array((1, threads), np.float64)
        t: Any = cuda.threadIdx.x
        category, c = cuda.blockIdx.x, cuda.blockIdx.y
        most = 0.0
        for s in range(t, chunk.segments, threads):
            solve = category * chunk.segments + s
            category_value = np.float64(cells.left[CATEGORY_VALUE, solve])
            earned, total = np.float64(cells.left[EARNED, solve]), np.float64(cells.left[TOTAL, solve])
            outside = np.float64(cells.left[OUTSIDE, solve])
            most += visits[c, chunk.segment + s] * category_value_bound(category_value, earned, total, outside)
        parts[0, t] = most
        add_threads(parts, t, threads)
        if t == 0:
            bound[category * visits.shape[0] + c] = parts[0, 0]

    return add_bound


@cuda.jit(device=True)
def add_threads(parts, t, threads):
    """Add up parts [n, threads] into parts [n, 0], always in the same order; all threads of the block take part.

    t: the number of the thread; threads: their number, a power of 2.
    """
    half = threads // 2
    while half > 0:
        cuda.syncthreads()  # type: ignore[call-arg]
        if t < half:
            for k in range(len(parts)):
                parts[k, t] += parts[k, t + half]
        half //= 2
    cuda.syncthreads()  # type: ignore[call-arg]
