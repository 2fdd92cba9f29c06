"""The CUDA loop over a tile, the twin of `cpu`: chunks of whole categories, computed while the one before is copied.

CuPy owns memory, streams and matrix products; the kernels are numba's, over the same formulas as the CPU's. Import
this module only where CUDA, or its simulator, is there to be used.
"""

import logging
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from typing import Any

import numpy as np

from kernels.cuda.device_memory import new_device
from kernels.cuda.launched import Chunk, DeviceTile
from kernels.cuda.stream_buffers import LaunchSettings, StreamBuffers, TileLaunch, new_stream_buffers
from kernels.outputs import Cells, Sums
from kernels.product_records import ProductColumns, product_records
from kernels.tile import Tile

_log = logging.getLogger(__name__)


def price_tile(
    tile: Tile,
    columns: ProductColumns,
    tolerance: Any,
    cells: Cells,
    sums: Sums,
    settings: LaunchSettings | None = None,
) -> int:
    """Fill cells and sums with what is best; return the most passes that a lane took.

    What cpu.price_tile means by that, and equally good; not the same bits, since products of factors and fused
    multiply-adds round otherwise. Sums over all segments go to block 0 of `sums`. Raises MemoryError if even one
    block of a category finds no memory on the device.
    """
    tile_launch = new_tile_launch(tile, columns, tolerance, cells, sums, settings or LaunchSettings())
    chunks, buffer_sets = reserve(tile_launch)
    tile_launch.device.settle()
    for chunk, buffers in zip(chunks, cycle(buffer_sets), strict=False):
        buffers.collect(tile_launch)
        buffers.start(tile_launch, chunk)
    for buffers in buffer_sets:
        buffers.collect(tile_launch)
    return int(tile_launch.device.read(tile_launch.passes)[0])


def chunks_of(category_start: np.ndarray, segments: int, chunk_cells: int, threads: int) -> Iterator[Chunk]:
    """Yield chunks of whole categories with about so many cells; of all segments, unless a category is too large."""
    count = np.maximum(np.diff(category_start), 1)  # an empty category has lanes, too
    until = np.concatenate([[0], np.cumsum(count)])
    longest = int(count.max(initial=1))
    width = max(min(max(chunk_cells // longest // threads, 1) * threads, segments), 1)
    for begin in range(0, segments, width):
        wide, first = min(width, segments - begin), 0
        while first < len(count):
            last = int(np.searchsorted(until, until[first] + chunk_cells // wide, "right")) - 1
            last = max(last, first + 1)
            product, end = int(category_start[first]), int(category_start[last])
            yield Chunk(first, product, begin, last - first, end - product, wide)
            first = last


def reserve(tile_launch: TileLaunch) -> tuple[list[Chunk], list[StreamBuffers]]:
    """Return chunks and two slots for them, of half as many cells for as long as the device's memory is too small."""
    settings, chunk_cells = tile_launch.settings, tile_launch.settings.chunk_cells
    while True:
        chunks = list(
            chunks_of(tile_launch.tile.category_start, tile_launch.tile.segment_count, chunk_cells, settings.threads)
        )
        try:
            return chunks, [new_stream_buffers(tile_launch, chunks) for _ in chunks[:2]]
        except MemoryError:
            if chunk_cells == 1:
                raise
            chunk_cells //= 2
            _say_smaller(chunk_cells)


@cache
def _say_smaller(chunk_cells: int) -> None:
    """Log it, once for all tiles."""
    _log.warning("the GPU has too little free memory; going on with chunks of %d cells", chunk_cells)


def new_tile_launch(
    tile: Tile, columns: ProductColumns, tolerance: Any, cells: Cells, sums: Sums, settings: LaunchSettings
) -> TileLaunch:
    """Return the job with everything on its way to the device."""
    device = new_device(settings.precision)
    endings = tile.endings if tile.endings.size else np.zeros(1, tile.endings.dtype)
    records = product_records(columns, tile.category_start, tile.endings.dtype)
    products, category_start, endings = map(device.for_kernels, (records, tile.category_start, endings))
    device_tile = DeviceTile(products, category_start, endings, bool(tile.has_outside_option), bool(tile.is_dense))
    factors: Any = (
        (tile.product_appeal, tile.segment_appeal),
        (tile.product_sensitivity, tile.segment_sensitivity),
    )
    if not tile.is_dense:
        factors = tuple((device.upload(rows), device.upload(_columns(blocks))) for rows, blocks in factors)
    visits = device.for_kernels(sums.visits) if len(sums.visits) else None
    passes = device.for_kernels(np.zeros(1, np.int32))
    return TileLaunch(tile, tolerance, cells, sums, settings, device, device_tile, factors, visits, passes)


def _columns(blocks: np.ndarray) -> np.ndarray:
    """Return the factors of blocks of segments [B, D, LANES] as [D, S']."""
    return np.ascontiguousarray(blocks.swapaxes(0, 1).reshape(blocks.shape[1], -1))
