"""The CUDA loop over a tile, the twin of cpu.tile_loop: a chunk is computed while the one before it is copied.

CuPy owns memory, streams and matrix products; the kernels are numba's, over the same formulas as the CPU's. Import
this module only where CUDA, or its simulator, is available.
"""

import logging
from functools import cache
from itertools import cycle
from typing import Any

import numpy as np

from kernels.cuda.chunk import TileChunk, chunks_of
from kernels.cuda.device_memory import Device, new_device
from kernels.cuda.price_kernel import DeviceTile
from kernels.cuda.stream_buffers import LaunchSettings, StreamBuffers, TileLaunch, new_stream_buffers
from kernels.outputs import BlockSums, Cells
from kernels.product_records import ProductColumns, product_records
from kernels.tile import Tile

_log = logging.getLogger(__name__)


def price_tile(
    tile: Tile,
    columns: ProductColumns,
    tolerance: Any,
    cells: Cells,
    sums: BlockSums,
    settings: LaunchSettings | None = None,
) -> int:
    """Fill cells and sums at the best prices; return the most passes that a category took for a segment.

    The arguments mean what they mean for cpu.tile_loop.price_tile, and the prices are equally good. The bits differ,
    because products of factors and fused multiply-adds round differently. Sums over all segments go to block 0 of
    `sums`. Raises MemoryError if the device's memory does not hold even `threads` segments of one category.
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


def reserve(tile_launch: TileLaunch) -> tuple[list[TileChunk], list[StreamBuffers]]:
    """Return the chunks of the tile, and at most two streams with memory for a chunk each.

    The chunks have about settings.chunk_cells cells; this number is halved until the streams fit into the device's
    memory. Raises MemoryError if the memory is too small for the smallest chunks.
    """
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
    """Log that chunks are smaller than the settings say, once for all tiles."""
    _log.warning("the GPU has too little memory left; going on with chunks of %d cells", chunk_cells)


def new_tile_launch(
    tile: Tile, columns: ProductColumns, tolerance: Any, cells: Cells, sums: BlockSums, settings: LaunchSettings
) -> TileLaunch:
    """Return the launch of a tile, with all that its chunks share on the way to the device."""
    device = new_device(settings.precision)
    endings = tile.endings if tile.endings.size else np.zeros(1, tile.endings.dtype)
    return TileLaunch(
        tile=tile,
        tolerance=tolerance,
        cells=cells,
        sums=sums,
        settings=settings,
        device=device,
        device_tile=DeviceTile(
            products=device.for_kernels(product_records(columns, tile.category_start, tile.endings.dtype)),
            category_start=device.for_kernels(tile.category_start),
            endings=device.for_kernels(endings),
            dissimilarity=device.for_kernels(tile.dissimilarity),
            has_outside_option=bool(tile.has_outside_option),
            is_dense=bool(tile.is_dense),
        ),
        factors=_factors(tile, device),
        visits=device.for_kernels(sums.visits) if sums.has_totals else None,
        passes=device.for_kernels(np.zeros(1, np.int32)),
    )


def _factors(tile: Tile, device: Device) -> tuple[tuple[Any, Any], ...]:
    """Return TileLaunch.factors; those of a dense tile stay on the host."""
    pairs = (
        (tile.product_appeal, tile.segment_appeal),
        (tile.product_sensitivity, tile.segment_sensitivity),
    )
    if tile.is_dense:
        return pairs
    return tuple((device.upload(products), device.upload(_columns(blocks))) for products, blocks in pairs)


def _columns(blocks: np.ndarray) -> np.ndarray:
    """Return the factors of blocks of segments [B, D, LANES] as [D, S']."""
    return np.ascontiguousarray(blocks.swapaxes(0, 1).reshape(blocks.shape[1], -1))
