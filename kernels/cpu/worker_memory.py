"""The CPU loop's working memory: LANES segments of one category at a time, small enough to stay in the cache.

Fields of records, and not arrays of their own: their distances are then known when the loops are compiled, so that
these vectorise without first asking at run time which of ten arrays overlap, which took as long as the work itself.
"""

from typing import NamedTuple

import numpy as np

from kernels.product_records import record_type

LANES = 64
"""Segments of one category that are iterated together."""

RUN = 64
"""Products of small categories that BLAS multiplies in one call: it prepares the segments' factors anew in each."""

CACHE_LINE = 64
"""Bytes; a vector that straddles two lines takes two loads."""


class WorkerMemory(NamedTuple):
    """What T workers need for categories of up to n products.

    products [T, n]: records of one category (see products.product_records); rows [T, n]: u(0), beta, the target that
    the category's R moves (see rows.score_rows), the price without bounds and with them, and its share, first as
    e^(u - shift); lanes [T]: one number per segment; appeal, sensitivity [T, n, LANES]: products of the factors.
    """

    products: np.ndarray
    rows: np.ndarray
    state: np.ndarray
    appeal: np.ndarray
    sensitivity: np.ndarray


def new_worker_memory(workers: int, longest: int, real: np.dtype) -> WorkerMemory:
    """Return working memory for categories of up to `longest` products, and runs of smaller ones."""
    longest = max(longest, RUN)
    row = np.dtype(
        [
            (name, real, (LANES,))
            for name in ("utility_at_zero", "slope", "target", "unconstrained_price", "price", "share")
        ]
    )
    state_fields = (
        "category_value attained shift outside total earned passes is_open is_padding below above is_out_of_range"
    )
    state = np.dtype([(name, real, (LANES,)) for name in state_fields.split()])
    return WorkerMemory(
        _aligned((workers, longest), record_type(real)),
        _aligned((workers, longest), row),
        _aligned((workers,), state),
        _aligned((workers, longest, LANES), real),
        _aligned((workers, longest, LANES), real),
    )


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return zeros that begin on a cache line."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    begin = -memory.ctypes.data % CACHE_LINE
    return memory[begin : begin + size].view(dtype).reshape(shape)
