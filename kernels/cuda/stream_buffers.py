"""One chunk on its way through the device: computing its a and b, pricing it, adding it up, and copying it back."""

from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from kernels.checks import require
from kernels.cuda.category_solver import LAYERS, SLOPE, UTILITY_AT_ZERO
from kernels.cuda.chunk import ChunkCells, TileChunk
from kernels.cuda.device_memory import Buffer, Device, Precision
from kernels.cuda.nested_kernel import nested_kernel
from kernels.cuda.outputs import bound_kernel, totals_kernel
from kernels.cuda.price_kernel import DeviceTile, price_kernel
from kernels.outputs import BlockSums, Cells
from kernels.tile import Tile


@dataclass(frozen=True)
class LaunchSettings:
    """How a tile is cut up for the device. The defaults are guesses that no GPU has judged yet.

    chunk_cells: the cells of a chunk, unless one category has more for `threads` segments; 8 bytes each, for a and b,
        should fit into the L2 cache (H100: 50 MB, A100: 40 MB)
    threads: of a block of the pricing kernel
    shared_bytes: how much shared memory a block may keep its rows in; 48 KiB are allowed without special request
    sum_threads: of a block of the kernels that add up, a power of 2
    precision: how factors are multiplied; TF32 uses tensor cores and keeps three digits, and tests/bench/gpu_check.py
        measures what that costs

    Raises ValueError unless the counts are positive, sum_threads is a power of 2 and precision is known.
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
    """A tile to price, the arrays to fill, and the tile's copy on the device.

    tile, tolerance, cells, sums: as in cpu.tile_loop.price_tile; device: see device_memory
    device_tile: what the pricing kernel reads; visits float64 [C, S'] and passes int32 [1]: numba's arrays on the
        device, visits only with totals
    factors: for a and then for b, the products' factors [P, D] and the segments' [D, S'], CuPy's arrays on the
        device; if the tile is dense, the first of each pair is a or b itself [P, S'], on the host
    """

    tile: Tile
    tolerance: Any
    cells: Cells
    sums: BlockSums
    settings: LaunchSettings
    device: Device
    device_tile: DeviceTile
    factors: tuple[tuple[Any, Any], ...]
    visits: Any
    passes: Any

    @property
    def real(self) -> np.dtype:
        """The type that prices are computed in."""
        return self.tile.product_appeal.dtype

    @property
    def has_nested(self) -> bool:
        """Whether the dissimilarity of some category is below 1."""
        return bool((self.tile.dissimilarity < 1).any())

    @property
    def has_shares(self) -> bool:
        """Whether probabilities, or sums of them, are computed."""
        return self.cells.has_probability or self.sums.has_totals


@dataclass
class StreamBuffers:
    """A stream with memory for one chunk at a time. While one chunk's results are copied, another stream computes.

    streams: the stream as CuPy and as numba take it
    scratch [LAYERS, cells]: a and b, over which the pricing kernel may keep its rows
    price, probability, binding_side, category_value, left: see chunk.ChunkCells
    totals, bound: see cuda.outputs
    due: the copies under way, each as the host memory that is filled, the array that gets its content, and whether the
        content is added to that array instead of replacing it
    """

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

    def start(self, tile_launch: TileLaunch, chunk: TileChunk) -> None:
        """Send a chunk to the stream: its a and b, its kernels, and the copies of their results."""
        with tile_launch.device.on(self.streams[0]):
            self.score(tile_launch, chunk)
            self.launch(tile_launch, chunk)
            self.add_up(tile_launch, chunk)
            self.bring_back(tile_launch, chunk)

    def collect(self, tile_launch: TileLaunch) -> None:
        """Wait for the chunk on its way, if there is one, and write its results to the arrays of the launch."""
        tile_launch.device.wait(self.streams[0])
        for host, destination, is_added in self.due:
            if is_added:
                destination += host
            else:
                destination[...] = host
        self.due.clear()

    def score(self, tile_launch: TileLaunch, chunk: TileChunk) -> None:
        """Fill the scratch with the chunk's a and b before offsets; unless dense, with the argument of b's softplus."""
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

    def launch(self, tile_launch: TileLaunch, chunk: TileChunk) -> None:
        """Send to the stream the R to start from, and the pricing kernels."""
        category_value = self.category_value.part(chunk.categories, chunk.segments)
        category_value[1][...] = tile_launch.cells.category_value[_solves(chunk)]
        tile_launch.device.send(category_value, self.streams[0])
        threads, real = tile_launch.settings.threads, tile_launch.real
        sizes = np.diff(tile_launch.tile.category_start[chunk.category : chunk.category + chunk.categories + 1])
        kernels = [price_kernel(real, threads, shared_rows(int(sizes.max()), real, tile_launch.settings))]
        if tile_launch.has_nested:
            kernels.append(nested_kernel(real, threads))
        blocks = chunk.categories * -(-chunk.segments // threads)
        for kernel in kernels:
            kernel[blocks, threads, self.streams[1]](
                tile_launch.device_tile,
                chunk,
                tile_launch.tolerance,
                self.scratch.view,
                self.views(tile_launch),
                tile_launch.passes,
            )

    def views(self, tile_launch: TileLaunch) -> ChunkCells:
        """Return the chunk's cells as the kernels take them."""
        return ChunkCells(
            price=self.price.view,
            probability=self.probability.view,
            binding_side=self.binding_side.view,
            category_value=self.category_value.view,
            left=self.left.view,
            has_shares=tile_launch.has_shares,
            has_binding_side=tile_launch.cells.has_binding_side,
        )

    def add_up(self, tile_launch: TileLaunch, chunk: TileChunk) -> None:
        """Send to the stream the kernels that add up, and the copies of their results, for the sums that are filled."""
        threads, sums = tile_launch.settings.sum_threads, tile_launch.sums
        classes = len(sums.visits)
        rows, categories = _slices(chunk)[0], _solves(chunk)[0]
        if sums.has_totals and chunk.products:
            kernel = totals_kernel(threads)[(chunk.products, classes), threads, self.streams[1]]
            kernel(chunk, tile_launch.visits, self.views(tile_launch), self.totals.view)
            part = self.totals.part(2, chunk.products, classes)
            tile_launch.device.fetch(part, self.streams[0])
            self.due += [(part[1][0], sums.chosen[0, rows], True), (part[1][1], sums.revenue[0, rows], True)]
        if sums.has_bound:
            kernel = bound_kernel(threads)[(chunk.categories, classes), threads, self.streams[1]]
            kernel(chunk, tile_launch.visits, self.views(tile_launch), self.bound.view)
            self._bring(tile_launch, self.bound, sums.bound[0, categories], is_added=True)

    def bring_back(self, tile_launch: TileLaunch, chunk: TileChunk) -> None:
        """Send to the stream the copies of the pricing kernel's results, due in the arrays that the launch fills."""
        cells, here = tile_launch.cells, _slices(chunk)
        if cells.has_price:
            self._bring(tile_launch, self.price, cells.price[here])
        if cells.has_probability:
            self._bring(tile_launch, self.probability, cells.probability[here])
        if cells.has_binding_side:
            self._bring(tile_launch, self.binding_side, cells.binding_side[here])
        if tile_launch.has_shares:
            self._bring(tile_launch, self.category_value, cells.category_value[_solves(chunk)])

    def _bring(self, tile_launch: TileLaunch, buffer: Buffer, destination: np.ndarray, is_added: bool = False) -> None:
        """Send to the stream the copy of a buffer to the host; `collect` writes or adds it to the destination."""
        part = buffer.part(*destination.shape)
        tile_launch.device.fetch(part, self.streams[0])
        self.due.append((part[1], destination, is_added))


def shared_rows(longest: int, real: np.dtype, settings: LaunchSettings) -> int:
    """Return how many products a block keeps in shared memory, at least `longest`; 0 if these do not fit.

    It is the largest number that fits, or a half or a quarter of that: a block that uses less memory leaves room for
    more blocks, and no more than three kernels are compiled.
    """
    most = settings.shared_bytes // (LAYERS * real.itemsize * settings.threads)
    return next((most // part for part in (4, 2, 1) if longest <= most // part), 0)


def new_stream_buffers(tile_launch: TileLaunch, chunks: list[TileChunk]) -> StreamBuffers:
    """Return a stream with memory for the largest of the chunks. Raises MemoryError if the device has too little."""
    cells, solves = max(chunk.cells for chunk in chunks), max(chunk.solves for chunk in chunks)
    products, categories = max(chunk.products for chunk in chunks), max(chunk.categories for chunk in chunks)
    real, outputs, sums = tile_launch.real, tile_launch.cells, tile_launch.sums
    classes = len(sums.visits)

    def buffer(size: int, dtype: Any, is_used: bool = True) -> Buffer:
        """Return memory, of one element if it is not used."""
        return tile_launch.device.buffer((max(size, 1) if is_used else 1,), dtype)

    return StreamBuffers(
        streams=tile_launch.device.new_stream(),
        scratch=tile_launch.device.buffer((LAYERS, max(cells, 1)), real, has_host=tile_launch.tile.is_dense),
        price=buffer(cells, outputs.price.dtype if outputs.has_price else real),
        probability=buffer(cells, real, tile_launch.has_shares),
        binding_side=buffer(cells, np.int8, outputs.has_binding_side),
        category_value=buffer(solves, real),
        left=tile_launch.device.buffer((4, solves), real, has_host=False),
        totals=buffer(2 * products * classes, np.float64, sums.has_totals),
        bound=buffer(categories * classes, np.float64, sums.has_bound),
    )


def _slices(chunk: TileChunk) -> tuple[slice, slice]:
    """Return the chunk's products and segments in the tile."""
    return (
        slice(chunk.product, chunk.product + chunk.products),
        slice(chunk.segment, chunk.segment + chunk.segments),
    )


def _solves(chunk: TileChunk) -> tuple[slice, slice]:
    """Return the chunk's categories and segments in the tile."""
    return slice(chunk.category, chunk.category + chunk.categories), _slices(chunk)[1]
