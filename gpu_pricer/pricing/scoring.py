"""Pricing the whole catalog × segment matrix into files, in memory that does not grow with the matrix."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from gpu_pricer.errors import InputError
from gpu_pricer.pricing.layouts.long import long_columns, long_groups
from gpu_pricer.pricing.layouts.wide import wide_columns, wide_groups
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile
from gpu_pricer.pricing.tiles.tally import tally_of
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.parquet.file import TYPES, Column
from gpu_pricer.tables.parquet.pages import ColumnChunk
from gpu_pricer.tables.price_table import write_prices
from gpu_pricer.tables.version.names import file_name
from gpu_pricer.tables.version.tally import Tally


class Layout(NamedTuple):
    """The two functions of a layout: the columns of a problem's price table, and the row groups of a solved tile."""

    columns: Callable[[PricingProblem, Sequence[str]], list[Column]]
    groups: Callable[[SolvedTile, Sequence[str]], Iterable[Sequence[ColumnChunk]]]


LAYOUT = {"long": Layout(long_columns, long_groups), "wide": Layout(wide_columns, wide_groups)}


def table_columns(problem: PricingProblem, layout: str, details: Sequence[str] = ()) -> list[Column]:
    """Return the columns of the problem's price table; InputError for ids that the layout cannot hold."""
    columns = LAYOUT[layout].columns(problem, details)
    for column in columns:
        if column.dtype not in TYPES:
            raise InputError(
                f"{column.name} must be whole numbers or text, found {column.dtype}: convert it in the demand artefact"
            )
    return columns


def tiles_of_files(problem: PricingProblem, tiling: Tiling, shard: int, run: str) -> dict[str, tuple[int, int]]:
    """Return the tiles of a shard's files, as ranges of categories, by file name, in order."""
    tiles = tiling.tiles(shard, problem.products.category_start, len(problem.segments.segment_id))
    return {file_name(run, shard, number): tile for number, tile in enumerate(tiles)}


def score_tiles(
    problem: PricingProblem,
    tiling: Tiling,
    tiles: Mapping[str, tuple[int, int]],
    folder: Path,
    metadata: Mapping[str, str],
    on_file: Callable[[str, Tally], None],
    solve: Callable[[int, int], SolvedTile],
) -> dict[str, Tally]:
    """Price ranges of categories into files of the folder, tiles by file name; return each file's sums.

    The calling thread computes, with every core, while other threads write; at most as many tiles as there are writers
    wait to be written. on_file: called with the name and the sums of each file that was written; solve: returns the
    tile of the problem's categories from the first to the one before the last. The rows are the same, bit for bit, for
    any tiling.
    """
    columns, groups = table_columns(problem, tiling.layout, tiling.details), LAYOUT[tiling.layout].groups

    def write(tile: SolvedTile, name: str) -> str:
        """Write a tile into the file and return the file's name."""
        write_prices(folder / name, columns, groups(tile, tiling.details), metadata)
        return name

    def await_next() -> None:
        """Wait for the oldest file that is being written, and report it."""
        name = pending.popleft().result()
        on_file(name, tallies[name])

    tallies: dict[str, Tally] = {}
    pending: deque[Future[str]] = deque()
    with ThreadPoolExecutor(tiling.writers) as writers:
        for name, (first, last) in tiles.items():
            tile = solve(first, last)
            tallies[name] = tally_of(tile)
            if len(pending) == tiling.writers:
                await_next()
            pending.append(writers.submit(write, tile, name))
        while pending:
            await_next()
    return tallies
