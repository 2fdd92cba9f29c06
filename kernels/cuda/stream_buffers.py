"""One chunk on its way through the device: scored, priced, added up, and copied back."""

from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from kernels.checks import require
from kernels.cuda.category_solver import LAYERS, SLOPE, UTILITY_AT_ZERO
from kernels.cuda.device_memory import Buffer, Device, Precision
from kernels.cuda.launched import Chunk, ChunkCells, DeviceTile, bound_kernel, price_kernel, totals_kernel
from kernels.outputs import Cells, Sums
from kernels.tile import Tile


@dataclass(frozen=True)
class LaunchSettings:
    """How a tile is cut up for the device; guesses that no GPU has judged yet.

    chunk_cells: a chunk's cells, unless one category of `threads` segments has more; 8 bytes each, a and b, are to
    stay in the L2 cache (H100: 50 MB, A100: 40 MB). threads: of the pricing kernel's blocks; shared_bytes: what a
    block may keep its rows in, 48 KiB without special request; sum_threads, a power of 2: of the kernels that add
    up. precision: TF32 multiplies factors on tensor cores, with three digits; what that costs is for
    tests/bench/gpu_check.py to say.
    """

    chunk_cells: int = 2_000_000
    threads: int = 64
    shared_bytes: int = 48 * 1024
    sum_threads: int = 128
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        for name in ("chunk_cells", "threads", "sum_threads"):
            require(getattr(self, name) > 0, f"LaunchSettings.{name} must be positive", getattr(self, name))
        is_power = self.sum_threads & (self.sum_threads - 1) == 0
        require(is_power, "LaunchSettings.sum_threads must be a power of 2", self.sum_threads)
        known = get_args(Precision)
        require(self.precision in known, f"LaunchSettings.precision must be one of {known}", self.precision)


@dataclass(frozen=True)
class TileLaunch:
    """A tile, what it fills, and its part on the device: factors and visits are CuPy's, the rest is numba's."""

    tile: Tile
    tolerance: Any
    cells: Cells
    sums: Sums
    settings: LaunchSettings
    device: Device
    device_tile: DeviceTile
    factors: tuple[tuple[Any, Any], ...]
    visits: Any
    passes: Any

    @property
    def real(self) -> np.dtype:
        """The type everything is computed in."""
        return self.tile.product_appeal.dtype

    @property
    def has_shares(self) -> bool:
        """Whether anybody wants probabilities, or what follows from them."""
        return self.cells.probability.shape[1] > 0 or len(self.sums.visits) > 0

    @property
    def has_binding_sides(self) -> bool:
        """Whether anybody wants to know which bounds hold."""
        return self.cells.binding_side.shape[1] > 0


@dataclass
class StreamBuffers:
    """A stream and memory for one chunk at a time; while one slot's results are copied, the other one's computed."""

    streams: tuple[Any, Any]
    scratch: Buffer
    price: Buffer
    probability: Buffer
    binding_side: Buffer
    category_value: Buffer
    left: Buffer
    totals: Buffer
    bound: Buffer
    due: list[tuple[np.ndarray, np.ndarray, bool]] = field(default_factory=list)

    def start(self, tile_launch: TileLaunch, chunk: Chunk) -> None:
        """Send a chunk to the stream: its scores, its kernels, and the copies of what they fill."""
        with tile_launch.device.on(self.streams[0]):
            self.score(tile_launch, chunk)
            self.launch(tile_launch, chunk)
            self.add_up(tile_launch, chunk)
            self.bring_back(tile_launch, chunk)

    def collect(self, tile_launch: TileLaunch) -> None:
        """Wait for the chunk, if there is one, and put its results where they belong."""
        tile_launch.device.wait(self.streams[0])
        for host, destination, adds in self.due:
            if adds:
                destination += host
            else:
                destination[...] = host
        self.due.clear()

    def score(self, tile_launch: TileLaunch, chunk: Chunk) -> None:
        """Fill the scratch with a and b before offsets."""
        rows, columns = _slices(chunk)
        for layer, (products, segments) in zip((UTILITY_AT_ZERO, SLOPE), tile_launch.factors, strict=True):
            shape = (chunk.products, chunk.segments)
            if tile_launch.tile.is_dense:
                part = self.scratch.part(*shape, layer=layer)
                part[1][...] = products[rows, columns]
                tile_launch.device.send(part, self.streams[0])
            elif chunk.products:
                out = self.scratch.on_device(*shape, layer=layer)
                tile_launch.device.multiply(products[rows], segments[:, columns], out)

    def launch(self, tile_launch: TileLaunch, chunk: Chunk) -> None:
        """Send the pricing kernel, and before it the R to start from."""
        category_value = self.category_value.part(chunk.categories, chunk.segments)
        category_value[1][...] = tile_launch.cells.category_value[_lanes(chunk)]
        tile_launch.device.send(category_value, self.streams[0])
        threads, real = tile_launch.settings.threads, tile_launch.real
        sizes = np.diff(tile_launch.tile.category_start[chunk.category : chunk.category + chunk.categories + 1])
        kernel = price_kernel(real, threads, shared_rows(int(sizes.max()), real, tile_launch.settings))
        blocks = chunk.categories * -(-chunk.segments // threads)
        kernel[blocks, threads, self.streams[1]](
            tile_launch.device_tile,
            chunk,
            tile_launch.tolerance,
            self.scratch.view,
            self.views(tile_launch),
            tile_launch.passes,
        )

    def views(self, tile_launch: TileLaunch) -> ChunkCells:
        """Return the cells as the kernels take them."""
        buffers = (self.price, self.probability, self.binding_side, self.category_value, self.left)
        return ChunkCells._make(
            [*(buffer.view for buffer in buffers), tile_launch.has_shares, tile_launch.has_binding_sides]
        )

    def add_up(self, tile_launch: TileLaunch, chunk: Chunk) -> None:
        """Send the kernels that add up, if anybody wants sums, and the copies of what they fill."""
        classes, threads, sums = len(tile_launch.sums.visits), tile_launch.settings.sum_threads, tile_launch.sums
        rows, categories = _slices(chunk)[0], _lanes(chunk)[0]
        if classes and chunk.products:
            kernel = totals_kernel(threads)[(chunk.products, classes), threads, self.streams[1]]
            kernel(chunk, tile_launch.visits, self.views(tile_launch), self.totals.view)
            part = self.totals.part(2, chunk.products, classes)
            tile_launch.device.fetch(part, self.streams[0])
            self.due += [(part[1][0], sums.chosen[0, rows], True), (part[1][1], sums.revenue[0, rows], True)]
        if classes and sums.bound.shape[1]:
            kernel = bound_kernel(threads)[(chunk.categories, classes), threads, self.streams[1]]
            kernel(chunk, tile_launch.visits, self.views(tile_launch), self.bound.view)
            self._bring(tile_launch, self.bound, sums.bound[0, categories], adds=True)

    def bring_back(self, tile_launch: TileLaunch, chunk: Chunk) -> None:
        """Send the copies of what the pricing kernel fills and somebody wants."""
        for name in ("price", "probability", "binding_side"):
            unconstrained_price = getattr(tile_launch.cells, name)
            if unconstrained_price.shape[1]:
                self._bring(tile_launch, getattr(self, name), unconstrained_price[_slices(chunk)])
        if tile_launch.has_shares:
            self._bring(tile_launch, self.category_value, tile_launch.cells.category_value[_lanes(chunk)])

    def _bring(self, tile_launch: TileLaunch, buffer: Buffer, destination: np.ndarray, adds: bool = False) -> None:
        part = buffer.part(*destination.shape)
        tile_launch.device.fetch(part, self.streams[0])
        self.due.append((part[1], destination, adds))


def shared_rows(longest: int, real: np.dtype, settings: LaunchSettings) -> int:
    """Return how many products of rows a block keeps in shared memory, or 0 if its categories are too long.

    All that fit, or the half or quarter of them: less memory a block leaves room for more blocks, and three kernels
    are compiled at most.
    """
    most = settings.shared_bytes // (LAYERS * real.itemsize * settings.threads)
    return next((most // part for part in (4, 2, 1) if longest <= most // part), 0)


def new_stream_buffers(tile_launch: TileLaunch, chunks: list[Chunk]) -> StreamBuffers:
    """Return a slot with memory for the largest of the chunks."""
    cells, lanes = max(chunk.cells for chunk in chunks), max(chunk.lanes for chunk in chunks)
    products, categories = max(chunk.products for chunk in chunks), max(chunk.categories for chunk in chunks)
    classes, real = len(tile_launch.sums.visits), tile_launch.real
    price = tile_launch.cells.price.dtype if tile_launch.cells.price.shape[1] else real

    def buffer(size: int, dtype: Any, unconstrained_price: bool = True) -> Buffer:
        return tile_launch.device.buffer((max(size, 1) if unconstrained_price else 1,), dtype)

    return StreamBuffers(
        tile_launch.device.new_stream(),
        tile_launch.device.buffer((LAYERS, max(cells, 1)), real, has_host=tile_launch.tile.is_dense),
        buffer(cells, price),
        buffer(cells, real, tile_launch.has_shares),
        buffer(cells, np.int8, tile_launch.has_binding_sides),
        buffer(lanes, real),
        tile_launch.device.buffer((4, lanes), real, has_host=False),
        buffer(2 * products * classes, np.float64),
        buffer(categories * classes, np.float64),
    )


def _slices(chunk: Chunk) -> tuple[slice, slice]:
    """Return the chunk's products and segments in the tile."""
    return (
        slice(chunk.product, chunk.product + chunk.products),
        slice(chunk.segment, chunk.segment + chunk.segments),
    )


def _lanes(chunk: Chunk) -> tuple[slice, slice]:
    """Return the chunk's categories and segments in the tile."""
    return slice(chunk.category, chunk.category + chunk.categories), _slices(chunk)[1]
