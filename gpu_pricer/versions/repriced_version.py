"""A version that differs from an earlier one by events: files that they do not touch are carried over.

The prices of a category depend only on its own products and, under constraints, on the multipliers, which are kept. So
pricing a file without an affected category again would write the same rows. After its checksum is verified against the
earlier version's seal, the file is carried over as a hard link: nothing is rewritten, the new folder holds the complete
version, as readers of `_current` and the removal of old versions need it, and the file exists until the last folder
that links it is removed.
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

import numpy as np
import polars as pl

from gpu_pricer.constraints import ConstrainedProblem, objective_weights
from gpu_pricer.constraints.category_sums import KnownCategories
from gpu_pricer.constraints.constrained_problem import ConstrainedPrices
from gpu_pricer.constraints.kept_multipliers import NotKept, Tolerance, keep_multipliers, require_kept
from gpu_pricer.errors import InputError
from gpu_pricer.policy import Policy, with_rule_columns
from gpu_pricer.pricing import PricingProblem, Tiling, match_products, problem_of, score_tiles
from gpu_pricer.pricing.carrying import FilePlan, plan_files
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile, solve_tile
from gpu_pricer.process.progress import progress
from gpu_pricer.tables.events import changed_products
from gpu_pricer.tables.files.durable import sync
from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tables.price_table import products_in
from gpu_pricer.tables.priced_products import catalog_fingerprint
from gpu_pricer.tables.schemas import category_key
from gpu_pricer.tables.version.code import code_fingerprint
from gpu_pricer.tables.version.decisions import read_decided
from gpu_pricer.tables.version.finished_files import remove_leftovers
from gpu_pricer.tables.version.names import LOCK, RECORD, file_name
from gpu_pricer.tables.version.price_history import earlier_prices, recorded_history, write_history
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.seal import require_unchanged
from gpu_pricer.tables.version.version_record import close_shard, open_shard
from gpu_pricer.versions.backends import resolved
from gpu_pricer.versions.constrained_prices import record_constrained
from gpu_pricer.versions.priced_catalog import PricedCatalog, columns_of_history, continued_catalog
from gpu_pricer.versions.scored_version import (
    Origin,
    Search,
    empty_version,
    finish,
    market_of,
    score,
    write_unpriced,
)
from gpu_pricer.versions.version_sources import Sources

log = logging.getLogger(__name__)

NO_LINKS = (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)
"""How file systems answer that cannot name a file twice."""


class Base(NamedTuple):
    """The version that events change: its folder, its record, and what it was priced from."""

    folder: Path
    version: PriceVersion
    sources: Sources


def reprice(
    base: Base,
    priced: PricedCatalog,
    folder: Path,
    tiling: Tiling,
    tolerance: Tolerance,
    complete: Callable[[PriceVersion], None],
) -> PriceVersion:
    """Write the version for the catalog after events into a new folder.

    Without constraints its prices equal those of a full run on that catalog, bit for bit. Under constraints they are
    those of the base's multipliers, as long as that costs no more than the tolerance. Otherwise, and where rules share
    a budget among all categories or the code has changed, everything is priced again; the log says so.
    priced: from catalog_of_base. tiling: how new files are cut; its layout and details must be the base's.
    complete: see `score`.
    """
    try:
        require_carriable(base)
        touched = _touched(base, priced.catalog, tiling, tolerance)
    except NotKept as reason:
        log.info("everything is priced again: %s", reason)
    else:
        return _reprice_touched(base, priced, touched, folder, tiling, complete)
    artefact, policy, version = base.sources.artefact, base.sources.policy, base.version
    made = score(artefact, priced, policy, tiling, folder, version.backend, Search(None, version.uncertainty), complete)
    assert made is not None  # one shard holds everything
    return made


def catalog_of_base(base: Base, catalog: pl.DataFrame, policy: Policy) -> PricedCatalog:
    """Return a changed catalog of the base with what rules of `policy` that count days read on the base's day.

    A full run on that day would find the same.
    """
    history, day = recorded_history(base.folder), date.fromisoformat(base.version.day)
    if history is not None:
        catalog = catalog.drop(columns_of_history(base.sources.catalog, base.sources.policy, history, day))
    return continued_catalog(catalog, policy, None if history is None else earlier_prices(base.folder), day)


def require_carriable(base: Base) -> None:
    """Raise NotKept where prices of untouched categories cannot stay, whatever the events are."""
    version = base.version
    if not read_decided(base.folder).is_empty():
        raise NotKept(f"people decided prices of {version.run}, around which others were not priced again")
    if base.sources.policy.bounds.max_changes is not None:
        raise NotKept("policy.bounds.max_changes shares one budget among all categories")
    if version.code != code_fingerprint():
        raise NotKept(f"{version.run} was priced by other code")
    if len(version.file_tallies) < len(version.files):
        raise NotKept(f"{version.run} does not record the sums over its files")


class Kept(NamedTuple):
    """A problem with constraints, and its prices at the multipliers of an earlier version."""

    constrained: ConstrainedProblem
    prices: ConstrainedPrices


class Touched(NamedTuple):
    """What is priced again after events, which files stay, and the prices under constraints, if there are any."""

    problem: PricingProblem
    plan: FilePlan
    kept: Kept | None


def _touched(base: Base, catalog: pl.DataFrame, tiling: Tiling, tolerance: Tolerance) -> Touched:
    """Return what events touch of the base, for the catalog after them; NotKept if everything must be priced again."""
    artefact, before, policy = base.sources
    resolved(base.version.backend)
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    problem = problem_of(artefact, matched, policy, base.version.uncertainty)
    categories = matched.products["category_id"].gather(problem.products.category_start[:-1]).to_list()
    changed = changed_products(before, catalog)
    touched = {*changed.select(category_key())["category_id"]}
    is_known = np.array([category not in touched for category in categories], np.bool_)
    kept = _at_kept_multipliers(base, catalog, problem, is_known, tolerance)
    most = tiling.cells_per_file // len(problem.segments.segment_id)
    files = categories_of_files(base)
    plan = plan_files(files, touched, categories, problem.products.category_start, most)
    log.info(
        "%d products changed in %d categories: %d of %d files are carried over",
        changed["product_id"].n_unique(), len(touched), len(plan.carried), len(files),
    )  # fmt: skip
    return Touched(problem, plan, kept)


def _reprice_touched(
    base: Base,
    priced: PricedCatalog,
    touched: Touched,
    folder: Path,
    tiling: Tiling,
    complete: Callable[[PriceVersion], None],
) -> PriceVersion:
    """Write the version with new files for touched categories and the base's files for the others; see `reprice`.

    Raise InputError where a file to carry over has changed since it was scored: the new seal would hide that.
    """
    problem, plan, kept = touched
    before = base.version
    require_unchanged(base.folder, plan.carried)
    origin = Origin(base.sources.artefact.info, before.artefact, before.policy, catalog_fingerprint(priced.catalog))
    version = empty_version(problem, origin, tiling, folder.name, before.backend, before.uncertainty)
    version = replace(version, day=before.day)
    with locked(folder / LOCK, "reprice this version", shared=True):
        open_shard(folder, None)
        remove_leftovers(folder, None, ())
        write_unpriced(problem.unpriced, folder / RECORD)
        if priced.history is not None:
            write_history(priced.history, folder)
        if kept is not None:
            record_constrained(*kept, folder / RECORD)
        lagrangian = None if kept is None else kept.prices.lagrangian
        made = _write(problem, plan, base, tiling, folder, version, lagrangian)
        finished = close_shard(folder, 0, made)
        assert finished is not None  # there is one shard
        finish(folder, finished, complete)
    return finished


def _at_kept_multipliers(
    base: Base, catalog: pl.DataFrame, problem: PricingProblem, is_known: np.ndarray, tolerance: Tolerance
) -> Kept | None:
    """Return the prices under constraints at the base's multipliers, None without constraints; NotKept if these go.

    is_known bool [G]: the categories that no event touches.
    """
    artefact, _, policy = base.sources
    if not policy.active_constraints:
        return None
    record = base.folder / RECORD
    solved, known = require_kept(record, base.version.run), KnownCategories(record, is_known)
    market = market_of(artefact, catalog, policy)
    constrained = ConstrainedProblem(problem, policy.active_constraints, market, base.version.backend, known)
    found = keep_multipliers(constrained, objective_weights(policy.objective), record, solved, tolerance)
    return Kept(constrained, found)


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
        ids = products_in(base.folder / name).cast(known.schema["product_id"]).to_frame("product_id")
        found[name] = {*known.join(ids, on="product_id", how="semi")["category_id"]}
    return found


def _write(
    problem: PricingProblem,
    plan: FilePlan,
    base: Base,
    tiling: Tiling,
    folder: Path,
    version: PriceVersion,
    lagrangian: LagrangianWeights | None,
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
        return solve_tile(problem, first, last, version.backend, lagrangian)

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
        log.info("%s is copied, because its file system has no hard links (%s)", old, error.strerror)
        shutil.copyfile(old, new)
        sync(new)
