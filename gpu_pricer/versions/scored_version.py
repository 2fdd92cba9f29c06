"""The version of the price table that `score` makes: where it lies, what it is made of, and how it is written."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.constraints import MarketData
from gpu_pricer.constraints.warm_start import start_fingerprint
from gpu_pricer.errors import InputError, Refused
from gpu_pricer.policy import Policy, columns_read, with_rule_columns
from gpu_pricer.pricing import (
    POINT,
    PricingProblem,
    Tiling,
    match_products,
    problem_of,
    table_columns,
)
from gpu_pricer.tables.artefact import DemandArtefact, DemandInfo, sales_age
from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.locking import locked
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.tables.priced_products import catalog_fingerprint
from gpu_pricer.tables.version.code import code_fingerprint
from gpu_pricer.tables.version.names import FOLDER_NAME, LOCK, PLAN, PLAN_LOCK, RECORD, UNPRICED, new_run
from gpu_pricer.tables.version.price_history import write_history
from gpu_pricer.tables.version.price_version import CONTRACT, PriceVersion
from gpu_pricer.tables.version.seal import seal
from gpu_pricer.tables.version.tally import Tally
from gpu_pricer.tables.version.version_record import finish_version, open_shard
from gpu_pricer.versions.backends import backend_of, resolved
from gpu_pricer.versions.constrained_prices import prepare_constraints
from gpu_pricer.versions.priced_catalog import PricedCatalog, ShardPart
from gpu_pricer.versions.shard_files import write_shards

log = logging.getLogger(__name__)

ENOUGH = 10
"""Products whose prices tell that a shop has whole amounts alone."""


class Origin(NamedTuple):
    """The sources of a version: the demand's demand.json, and the fingerprints of artefact, policy and catalog."""

    demand: DemandInfo
    artefact: str
    policy: str
    catalog: str


class Search(NamedTuple):
    """How the best prices are sought.

    warm_start: the record of an earlier version, whose multipliers are the first guess, if any; uncertainty: one of
    UNCERTAINTIES.
    """

    warm_start: Path | None = None
    uncertainty: str = POINT


BY_POINT_ESTIMATES = Search()


def origin_of(artefact: DemandArtefact, policy: Policy, catalog: pl.DataFrame, part: ShardPart | None = None) -> Origin:
    """Return the sources of a version that is priced from these, or of which these are a shard's part."""
    if part is not None:
        return Origin(artefact.info, part.artefact, policy.fingerprint(), part.catalog)
    return Origin(artefact.info, artefact.fingerprint(), policy.fingerprint(), catalog_fingerprint(catalog))


def score(
    artefact: DemandArtefact,
    priced: PricedCatalog,
    policy: Policy,
    tiling: Tiling,
    folder: Path,
    backend: str,
    search: Search = BY_POINT_ESTIMATES,
    complete: Callable[[PriceVersion], None] = lambda version: None,
) -> PriceVersion | None:
    """Write this process's shards into the folder; return the finished version, or None while other shards are missing.

    complete: what else belongs to a finished version; it is called before the version's record is written, without
    which nothing publishes it.
    """
    catalog, day, history, part = priced
    warm_start, uncertainty = search
    found, origin = resolved(backend), origin_of(artefact, policy, catalog, part)
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    _warn_of_unknown_categories(matched.products, artefact)
    _warn_of_old_sales(artefact.info, day)
    market = market_of(artefact, catalog, policy)
    del priced, catalog  # here and below: a million products take 50 MB of catalog, 110 of matches, 100 of tables
    problem = problem_of(artefact, matched, policy, uncertainty)
    del artefact, matched
    _warn_of_parts(problem, policy, origin.demand.currency)
    backend = backend_of(problem, backend, found)
    version = empty_version(problem, origin, tiling, folder.name, backend, uncertainty)
    version = version if day is None else replace(version, day=day.isoformat())
    version = replace(version, warm_start=start_fingerprint(warm_start))
    version = version if part is None else replace(version, unpriced=part.unpriced)
    table_columns(problem, tiling.layout, tiling.details)  # refuses unknown columns before anything is written
    constraints = prepare_constraints(problem, policy, market, warm_start, backend)
    del market
    with locked(folder / LOCK, "score this version", shared=tiling.shard is not None):
        require_unpublished(folder)  # again, for it may have been published since the command began
        open_shard(folder, tiling.shard)
        if part is None:
            write_unpriced(problem.unpriced, folder / RECORD)
        if history is not None:
            write_history(history, folder)
        finished = write_shards(problem, tiling, folder, version, constraints, part)
        del problem, constraints
        if finished is not None:
            finish(folder, finished, complete)
        return finished


def _warn_of_unknown_categories(products: pl.DataFrame, artefact: DemandArtefact) -> None:
    """Log how many products are in a category that the demand has no product of: it is a market of its own."""
    known = artefact.products["category_id"].unique()
    moved = products.filter(~pl.col("category_id").is_in(known.implode()))["product_id"]
    if len(moved):
        log.warning(
            "%d products are in categories that the demand does not know, such as %s: they are priced as if "
            "they had no substitutes; correct category_id, or train again",
            len(moved), moved.head(3).to_list(),
        )  # fmt: skip


def _warn_of_parts(problem: PricingProblem, policy: Policy, currency: str) -> None:
    """Log that today's prices are whole amounts and the ladder has none, as for a currency without smaller units."""
    today = problem.products.today
    if len(today) >= ENOUGH and (today % CENTS == 0).all() and not policy.ladders[0].has_whole_amounts:
        log.warning(
            "today's prices are all whole amounts of %s and policy.ladder has none: set policy.ladder.endings=[0.0], "
            "or list the prices that exist in policy.ladder.prices, if prices must stay whole", currency,
        )  # fmt: skip


def _warn_of_old_sales(info: DemandInfo, day: date | None) -> None:
    """Log that the sales behind the demand are old on the day on which prices are set; None where nobody asked."""
    warning = None if day is None else sales_age(info, day).warning
    if warning is not None:
        log.warning("%s", warning)


def finish(folder: Path, version: PriceVersion, complete: Callable[[PriceVersion], None]) -> None:
    """Complete the version, then write its record and its seal, without which nothing publishes it."""
    try:
        complete(version)
    except Refused:
        _close(folder, version)  # so that `publish` says why it refuses the version too
        raise
    _close(folder, version)


def _close(folder: Path, version: PriceVersion) -> None:
    for name in (PLAN, PLAN_LOCK):
        (folder / name).unlink(missing_ok=True)
    finish_version(folder, version)
    seal(folder)


def market_of(artefact: DemandArtefact, catalog: pl.DataFrame, policy: Policy) -> MarketData:
    """Return the columns of the catalog and the segments that the policy's constraints read."""
    active = policy.active_constraints
    names = {"product_id", *columns_read(active)} if active else set()
    read = catalog.select(name for name in catalog.columns if name in names)
    return MarketData(read, artefact.segments, artefact.info.currency)


def version_folder(prices: Path, shards: Path | None, tiling: Tiling) -> Path:
    """Return the folder to write into.

    Raises InputError for a published version, a name that is not allowed, or a table in `prices` that is not ours.
    """
    if shards is None or shards.resolve().parent == prices.resolve():
        current_run(prices)
    if shards is None:
        if tiling.shard is not None:
            raise InputError(
                "score.shard needs paths.shards, so that every shard goes into the same folder, found null: "
                "set it, for example to prices/tonight"
            )
        return prices / new_run()
    folder = shards.resolve()
    if not FOLDER_NAME.fullmatch(folder.name):
        raise InputError(
            "the folder of paths.shards must be named with letters, digits, '.', '_' and '-', "
            f"found {folder.name!r}: choose another, it becomes part of every file name"
        )
    require_unpublished(shards)
    return shards


def require_unpublished(folder: Path) -> None:
    """Raise InputError if the folder holds a published version, whose files readers use."""
    inside = folder.resolve()
    if inside.name in published_runs(inside.parent):
        raise InputError(f"paths.shards must be a new folder, found the published version {inside}: name another")


def empty_version(
    problem: PricingProblem, origin: Origin, tiling: Tiling, run: str, backend: str, uncertainty: str
) -> PriceVersion:
    """Return the record of the version before any price is written, for prices that are set today."""
    created = datetime.now(UTC).isoformat()
    return PriceVersion(
        run=run,
        created=created,
        day=created[:10],
        layout=tiling.layout,
        currency=origin.demand.currency,
        valid_from=origin.demand.pricing_period,
        artefact=origin.artefact,
        policy=origin.policy,
        catalog=origin.catalog,
        code=code_fingerprint(),
        warm_start="",
        details=sorted(tiling.details),
        backend=backend,
        uncertainty=uncertainty,
        contract=CONTRACT,
        includes_vat=problem.includes_vat,
        segments=len(problem.segments.segment_id),
        shards=tiling.shards,
        unpriced=problem.unpriced.height,
        files=[],
        origins=[],
        file_tallies=[],
        tally=Tally.sum([]),
    )


def write_unpriced(unpriced: pl.DataFrame, folder: Path) -> None:
    """Write the products without a price into the record, so that <version>/*.parquet has only the price table."""
    with replacing_file(folder / UNPRICED) as fresh:
        write_table(unpriced, fresh)
    if unpriced.height:
        log.warning("%d products cannot be priced, see %s", unpriced.height, folder / UNPRICED)
