"""Writing the files of the shards that a process prices, from where an interrupted attempt left them."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gpu_pricer.constraints.lagrangian_record import ITERATES, LAGRANGIAN
from gpu_pricer.pricing import PricingProblem, Tiling, choose_changes, score_tiles, tiles_of_files
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile, solve_tile
from gpu_pricer.process.progress import progress
from gpu_pricer.tables.files.durable import checksum
from gpu_pricer.tables.version.finished_files import FinishedFiles, finished_files, remove_leftovers
from gpu_pricer.tables.version.names import RECORD, file_name
from gpu_pricer.tables.version.price_history import HISTORY
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.tally import Tally
from gpu_pricer.tables.version.version_record import close_shard
from gpu_pricer.versions.constrained_prices import PreparedConstraints, solve_constraints
from gpu_pricer.versions.priced_catalog import ShardPart

log = logging.getLogger(__name__)

WRITTEN_BEFORE = (LAGRANGIAN, ITERATES, HISTORY)
"""Files of the record that prices depend on."""


def write_shards(
    problem: PricingProblem,
    tiling: Tiling,
    folder: Path,
    version: PriceVersion,
    constraints: PreparedConstraints | None,
    part: ShardPart | None = None,
) -> PriceVersion | None:
    """Solve the constraints, if any, price and write this process's shards; return the version as `score` does.

    part: of a problem that has the products of one shard alone.
    """
    segments, products = len(problem.segments.segment_id), len(problem.products.product_id)
    log.info("pricing %d products x %d segments on %s into %s", products, segments, version.backend, folder)
    lagrangian = solve_constraints(constraints, folder / RECORD)
    problem = choose_changes(problem, tiling.all_tiles(problem.products.category_start, segments), version.backend)
    tiles = _tiles(problem, tiling, version.run, part)
    before = 0 if part is None else part.first_category
    done = {shard: finished_files(folder, shard, _made_of(version, folder, tiles[shard], before)) for shard in tiles}
    remove_leftovers(folder, tiling.shard, done.values())
    start = problem.products.category_start
    own = sum(int(start[end] - start[first]) for ranges in tiles.values() for first, end in ranges.values())
    with progress("score", segments * own) as advance:
        for shard in tiles:
            _finish_files(problem, tiling, tiles[shard], folder, version, done[shard], advance, lagrangian)
    finished = None
    for journal in done.values():
        journal.forget()  # before the shards are complete, for whoever completes the last one seals the folder
    for shard, names in tiles.items():
        finished = close_shard(folder, shard, version.with_files({name: done[shard].tallies[name] for name in names}))
    if finished is None:
        log.info("wrote shard %s of %d; run.json is written when all are complete", tiling.shard, tiling.shards)
    else:
        moved = finished.tally.moved / (finished.tally.rows or 1)
        log.info("wrote %s: %.0f %% of the prices differ from today's", folder, 100 * moved)
    return finished


def _tiles(
    problem: PricingProblem, tiling: Tiling, run: str, part: ShardPart | None
) -> dict[int, dict[str, tuple[int, int]]]:
    """Return the tiles of each of this process's shards by file name, as ranges of the problem's categories."""
    if part is None:
        return {shard: tiles_of_files(problem, tiling, shard, run) for shard in tiling.own_shards}
    alone = tiles_of_files(problem, replace(tiling, shards=1, shard=None), 0, run)
    (shard,) = tiling.own_shards
    return {shard: {file_name(run, shard, number): tile for number, tile in enumerate(alone.values())}}


def _finish_files(
    problem: PricingProblem,
    tiling: Tiling,
    tiles: dict[str, tuple[int, int]],
    folder: Path,
    version: PriceVersion,
    done: FinishedFiles,
    advance: Callable[[int], None],
    lagrangian: LagrangianWeights | None,
) -> None:
    """Price those of the shard's tiles that an earlier attempt did not finish, and add their files to `done`."""
    if done.tallies:
        log.info("%d of %d files are reused from an earlier attempt", len(done.tallies), len(tiles))
        advance(sum(tally.rows for tally in done.tallies.values()))

    def add(name: str, tally: Tally) -> None:
        done.add(name, tally)
        advance(tally.rows)

    def solve(first: int, last: int) -> SolvedTile:
        return solve_tile(problem, first, last, version.backend, lagrangian)

    left = {name: tile for name, tile in tiles.items() if name not in done.tallies}
    score_tiles(problem, tiling, left, folder, version.metadata, add, solve)


def _made_of(version: PriceVersion, folder: Path, tiles: dict[str, tuple[int, int]], before: int) -> dict[str, object]:
    """Return all that the bytes of a shard's files depend on; what is written before them counts by its SHA-256.

    before: how many categories the version has before the problem's first one, from which `tiles` count.
    """
    paths = [folder / RECORD / name for name in WRITTEN_BEFORE]
    written = {path.name: checksum(path, from_disk=False) for path in paths if path.is_file()}
    ranges = {name: (first + before, end + before) for name, (first, end) in tiles.items()}
    own = {"backend": version.backend, "day": version.day, "tiles": ranges, "written": written}
    return {**version.common, **own}
