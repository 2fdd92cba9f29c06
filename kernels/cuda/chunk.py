"""The parts into which a tile is cut for the device, and the device's copies of a part's cells."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

# Layers of ChunkCells.left: the R that a solve's prices are best for, and the sums of the pass that confirmed it.
CATEGORY_VALUE, EARNED, TOTAL, OUTSIDE = range(4)


class TileChunk(NamedTuple):
    """Neighbouring categories of a tile for neighbouring segments.

    category, product, segment: the numbers of the first ones in the tile
    categories, products, segments: how many there are
    """

    category: int
    product: int
    segment: int
    categories: int
    products: int
    segments: int

    @property
    def cells(self) -> int:
        """Products times segments."""
        return self.products * self.segments

    @property
    def solves(self) -> int:
        """Categories times segments: each is solved for its own R, by one thread."""
        return self.categories * self.segments


class ChunkCells(NamedTuple):
    """A chunk's cells on the device, in flat arrays.

    price, probability, binding_side [products * segments]: by product, then segment; see outputs.Cells
    category_value [categories * segments]: by category, then segment; on entry the R to start from, on return the R
        that the prices earn, if has_shares
    left [4, categories * segments]: R and the sums that the dual bound is computed from, in the layers CATEGORY_VALUE,
        EARNED, TOTAL and OUTSIDE
    has_shares: whether probability and category_value are filled; has_binding_side: whether binding_side is filled
    """

    price: Any
    probability: Any
    binding_side: Any
    category_value: Any
    left: Any
    has_shares: bool
    has_binding_side: bool


def chunks_of(category_start: np.ndarray, segments: int, chunk_cells: int, threads: int) -> Iterator[TileChunk]:
    """Yield chunks of about `chunk_cells` cells, which together cover all categories [G] for all segments.

    A chunk has all segments, unless some category for all segments has more cells than `chunk_cells`; then a chunk has
    a multiple of `threads` segments. category_start int64 [G + 1].
    """
    count = np.maximum(np.diff(category_start), 1)  # an empty category is solved, too
    until = np.concatenate([[0], np.cumsum(count)])
    longest = int(count.max(initial=1))
    width = max(min(max(chunk_cells // longest // threads, 1) * threads, segments), 1)
    for begin in range(0, segments, width):
        wide, first = min(width, segments - begin), 0
        while first < len(count):
            last = int(np.searchsorted(until, until[first] + chunk_cells // wide, "right")) - 1
            last = max(last, first + 1)
            product, end = int(category_start[first]), int(category_start[last])
            yield TileChunk(
                category=first,
                product=product,
                segment=begin,
                categories=last - first,
                products=end - product,
                segments=wide,
            )
            first = last
