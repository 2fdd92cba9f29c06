"""Pricing the whole catalog × segment matrix into files, in memory that does not grow with it."""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from gpu_pricer.policy.problem import PricingProblem
from gpu_pricer.policy.tile_rows import SolvedTile, rows_of, tally_of
from gpu_pricer.policy.tiling import Tiling
from gpu_pricer.tables.price_table import write_prices
from gpu_pricer.tables.price_version import Tally, file_name
from kernels import price_cells


def score_shard(
    problem: PricingProblem,
    tiling: Tiling,
    shard: int,
    folder: Path,
    metadata: Mapping[str, str],
    backend: str,
    on_tile: Callable[[int], None],
) -> tuple[list[str], Tally]:
    """Price one shard's categories into files of the folder; their names, and their sums.

    This thread computes (the kernels use every core) while others write; as many tiles as writers are in
    flight. on_tile is told the rows of each tile that was written. Same rows, bit for bit, for any tiling.
    """
    names: list[str] = []
    tallies: list[Tally] = []
    pending: deque[Future[int]] = deque()
    with ThreadPoolExecutor(tiling.writers) as writers:
        for first, last in tiling.tiles(shard, problem.category_start, len(problem.segment_id)):
            products = problem.products(first, last)
            cells = price_cells(problem.demand.tile(products.start, products.stop), problem.offer(first, last), backend)
            tile = SolvedTile(problem, first, last, cells)
            tallies.append(tally_of(tile))
            names.append(file_name(folder.name, shard, len(names)))
            if len(pending) == tiling.writers:
                on_tile(pending.popleft().result())
            pending.append(writers.submit(_write, tile, folder / names[-1], metadata))
        for written in pending:
            on_tile(written.result())
    return names, Tally.sum(tallies)


def _write(tile: SolvedTile, path: Path, metadata: Mapping[str, str]) -> int:
    rows = rows_of(tile)
    write_prices(rows, path, metadata)
    return rows.height
