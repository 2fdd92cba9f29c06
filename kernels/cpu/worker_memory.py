"""The CPU loop's working memory: one block of segments of one category at a time, small enough to stay in the cache.

The values are fields of records rather than separate arrays. The distances of fields in memory are known when the loops
are compiled. With separate arrays the vectorised loops would first test at run time which of ten arrays overlap; these
tests took as long as the work itself.
"""

from typing import NamedTuple

import numpy as np

from kernels.nesting import FIELDS
from kernels.product_records import record_type
from kernels.tile import LANES

RUN = 64
"""The most products of small neighbouring categories whose factors are multiplied in one call."""

CACHE_LINE = 64
"""Size in bytes; a vector that straddles two cache lines takes two loads."""

ROW_FIELDS = ("utility_at_zero", "slope", "target", "unconstrained_price", "price", "share")
"""Fields of a product's row, one value per segment: u(0) - shift; beta; the unconstrained price at R = 0 in units
(formulas.target_of); the best prices for R without and with bounds, in cents; e^(u - shift), later the probability."""

STATE_FIELDS = (
    *("category_value", "attained", "shift", "outside", "total", "earned", "passes"),
    *("is_open", "is_padding", "below", "above", "is_out_of_range"),
)
"""Fields of a category's state, one value per segment: R and the largest R attained; the shift that is subtracted from
utilities; the sums of a pass (see formulas); the number of passes; flags, 0 or 1, for an R that is not settled, for a
segment that is padding, and for sums that need another shift. below and above are scratch memory."""


class WorkerMemory(NamedTuple):
    """The working memory of T workers for categories of up to n products.

    products [T, n]: records of one category, see product_records.product_records
    rows [T, n]: a record per product with ROW_FIELDS, each [LANES]
    state [T]: a record per worker with STATE_FIELDS, each [LANES]
    search [T, FIELDS, LANES]: the searches of a category whose dissimilarity is below 1, see nesting
    appeal, sensitivity [T, n, LANES]: products of the factors
    """

    products: np.ndarray
    rows: np.ndarray
    state: np.ndarray
    search: np.ndarray
    appeal: np.ndarray
    sensitivity: np.ndarray


def new_worker_memory(workers: int, longest: int, real: np.dtype) -> WorkerMemory:
    """Return working memory for categories of up to `longest` products, and for runs of smaller ones."""
    longest = max(longest, RUN)
    row, state = (np.dtype([(name, real, (LANES,)) for name in names]) for names in (ROW_FIELDS, STATE_FIELDS))
    return WorkerMemory(
        products=_aligned((workers, longest), record_type(real)),
        rows=_aligned((workers, longest), row),
        state=_aligned((workers,), state),
        search=_aligned((workers, FIELDS, LANES), real),
        appeal=_aligned((workers, longest, LANES), real),
        sensitivity=_aligned((workers, longest, LANES), real),
    )


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return zeros that begin on a cache line."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    begin = -memory.ctypes.data % CACHE_LINE
    return memory[begin : begin + size].view(dtype).reshape(shape)
