"""A version that differs from an earlier one by events: files that they do not touch are carried over.

Given a policy without rules that couple categories, the prices of a category depend on nothing but its own products. So
the rows of a file without a touched category are what pricing it again would write. It is carried over as a hard link:
no byte of it is read or written, the new version's folder holds the whole version, as readers of `_current` and the
rules for old versions need it, and the file goes with the last folder that has it.
"""

import errno
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.backends import resolved
from gpu_pricer.jobs.priced_catalog import PricedCatalog, columns_of_history, continued_catalog
from gpu_pricer.jobs.progress import progress
from gpu_pricer.jobs.scored_version import Search, empty_version, finish, origin_of, score, write_unpriced
from gpu_pricer.jobs.version_sources import Sources
from gpu_pricer.policy import Policy, with_rule_columns
from gpu_pricer.pricing import PricingProblem, Tiling, match_products, problem_of, score_tiles
from gpu_pricer.pricing.carrying import FilePlan, plan_files
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile, solve_tile
from gpu_pricer.tables.code import code_fingerprint
from gpu_pricer.tables.decisions import read_decided
from gpu_pricer.tables.durable import sync
from gpu_pricer.tables.events import changed_products
from gpu_pricer.tables.finished_files import remove_leftovers
from gpu_pricer.tables.locking import locked
from gpu_pricer.tables.price_history import recorded_history
from gpu_pricer.tables.price_version import LOCK, RECORD, PriceVersion, close_shard, file_name, open_shard
from gpu_pricer.tables.schemas import category_key

log = logging.getLogger(__name__)

NO_LINKS = (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)
"""How file systems answer that cannot name a file twice."""


class Base(NamedTuple):
    """The version that events change: its folder, its record, and what it was priced from."""

    folder: Path
    version: PriceVersion
    sources: Sources


def reprice(
    base: Base, catalog: pl.DataFrame, folder: Path, tiling: Tiling, complete: Callable[[PriceVersion], None]
) -> PriceVersion:
    """Write the version for the catalog after events into a new folder, equal to a full run on it, bit for bit.

    tiling: how new files are cut; its layout and details must be the base's. complete: see `score`. Rules that couple
    categories, and code that has changed since, have everything priced again; the log says so.
    """
    artefact, _, policy = base.sources
    reason = why_everything(base)
    if reason is not None:
        log.info("everything is priced again: %s", reason)
        priced, search = catalog_of_base(base, catalog, policy), Search(None, base.version.uncertainty)
        made = score(artefact, priced, policy, tiling, folder, base.version.backend, search, complete)
        assert made is not None  # one shard holds everything
        return made
    resolved(base.version.backend)
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    problem = problem_of(artefact, matched, policy, base.version.uncertainty)
    origin = origin_of(artefact, policy, catalog)
    version = empty_version(problem, origin, tiling, folder.name, base.version.backend, base.version.uncertainty)
    version = replace(version, day=base.version.day)
    categories = matched.products["category_id"].gather(problem.products.category_start[:-1]).to_list()
    changed = changed_products(base.sources.catalog, catalog)
    touched = {*changed.select(category_key())["category_id"]}
    most = tiling.cells_per_file // len(problem.segments.segment_id)
    files = categories_of_files(base)
    plan = plan_files(files, touched, categories, problem.products.category_start, most)
    log.info(
        "%d products changed in %d categories: %d of %d files are carried over",
        changed["product_id"].n_unique(), len(touched), len(plan.carried), len(files),
    )  # fmt: skip
    with locked(folder / LOCK, "reprice this version", shared=True):
        open_shard(folder, None)
        remove_leftovers(folder, None, ())
        write_unpriced(problem.unpriced, folder / RECORD)
        finished = close_shard(folder, 0, _write(problem, plan, base, tiling, folder, version))
        assert finished is not None  # there is one shard
        finish(folder, finished, complete)
    return finished


def catalog_of_base(base: Base, catalog: pl.DataFrame, policy: Policy) -> PricedCatalog:
    """Return a changed catalog of the base with what rules of `policy` that count days read on the base's day.

    A full run on that day would find the same.
    """
    history, day = recorded_history(base.folder), date.fromisoformat(base.version.day)
    if history is not None:
        catalog = catalog.drop(columns_of_history(base.sources.catalog, base.sources.policy, history, day))
    return continued_catalog(catalog, policy, history, day)


def why_everything(base: Base) -> str | None:
    """Return why events on some categories have all of them priced again; None if they do not."""
    policy, version = base.sources.policy, base.version
    if not read_decided(base.folder).is_empty():
        return f"people decided prices of {version.run}, around which others were not priced again"
    if policy.active_constraints:
        return f"policy.constraints ({', '.join(policy.active_constraints)}) couple all categories and are solved again"
    if policy.bounds.max_changes is not None:
        return "policy.bounds.max_changes shares one budget among all categories"
    if policy.bounds.days_needed is not None:
        return "rules that count days go by the history of prices, which the events continue"
    if version.code != code_fingerprint():
        return f"{version.run} was priced by other code"
    if len(version.file_tallies) < len(version.files):
        return f"{version.run} does not record the sums over its files"
    return None


def require_repriceable(base: Base, tiling: Tiling) -> None:
    """Raise InputError for a version that events cannot go on from."""
    version = base.version
    if (tiling.layout, sorted(tiling.details)) != (version.layout, version.details):
        raise InputError(
            f"reprice must keep the layout of {version.run}, {version.layout} with details {version.details}, found "
            f"{tiling.layout} with {sorted(tiling.details)}: set score.layout={version.layout} "
            f"score.details=[{','.join(version.details)}]"
        )
    if tiling.shards > 1 or tiling.leave_one_out:
        raise InputError(
            "reprice writes one shard and no costs of rules, found "
            f"score.shards={tiling.shards} score.leave_one_out={tiling.leave_one_out}: leave both out"
        )


def categories_of_files(base: Base) -> dict[str, set[str]]:
    """Return the categories of each file of the version; of its columns only product_id is read."""
    known = base.sources.catalog.select("product_id", category_key())
    found = {}
    for name in base.version.files:
        ids = pl.scan_parquet(base.folder / name).select(pl.col("product_id").unique()).collect()
        ids = ids.cast({"product_id": known.schema["product_id"]})
        found[name] = {*known.join(ids, on="product_id", how="semi")["category_id"]}
    return found


def _write(
    problem: PricingProblem, plan: FilePlan, base: Base, tiling: Tiling, folder: Path, version: PriceVersion
) -> PriceVersion:
    """Link the carried files, price the others, and return the version with the files in the plan's order."""
    names = {index: file_name(folder.name, 0, number) for number, index in enumerate(plan.order)}
    tallies, origins = {}, {}
    for index, name in enumerate(plan.carried):
        carry(base.folder / name, folder / names[index])
        tallies[names[index]] = base.version.tallies[name]
        origins[names[index]] = base.version.origins[base.version.files.index(name)]
    first = len(plan.carried)
    tiles = {names[first + index]: tile for index, tile in enumerate(plan.tiles)}
    start = problem.products.category_start
    cells = sum(int(start[last] - start[first]) for first, last in tiles.values()) * len(problem.segments.segment_id)

    def solve(first: int, last: int) -> SolvedTile:
        return solve_tile(problem, first, last, version.backend)

    with progress("reprice", max(cells, 1)) as done:
        tallies |= score_tiles(
            problem, tiling, tiles, folder, version.metadata, lambda name, tally: done(tally.rows), solve
        )
    return version.with_files({name: tallies[name] for name in sorted(tallies)}, origins)


def carry(old: Path, new: Path) -> None:
    """Give a file a second name; on a file system without hard links it is copied, and the log says so."""
    try:
        os.link(old, new)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        log.info("%s is copied, for its file system has no hard links (%s)", old, error.strerror)
        shutil.copyfile(old, new)
        sync(new)
