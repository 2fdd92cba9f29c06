"""review: what needs a decision -> a sheet to fill; a filled sheet -> decisions, and the version that has them."""

import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gpu_pricer.errors import InputError
from gpu_pricer.gates import has_earlier_decisions, publisher
from gpu_pricer.jobs.next_command import next_command
from gpu_pricer.policy.decided_policy import decided_policy
from gpu_pricer.report.scored import scored_version
from gpu_pricer.report.shop_columns import names_of
from gpu_pricer.review.desk import Desk
from gpu_pricer.review.sheet import sheet_of
from gpu_pricer.review.sheet_file import read_answers
from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.decisions import CHANGES, OVERRIDE, REJECT, SCHEMA, read_decided
from gpu_pricer.tables.version.names import RUN_RECORD, new_run
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.decided_version import base_run, write_decided_version
from gpu_pricer.versions.last_scored import last_scored, remember_scored
from gpu_pricer.versions.new_version import completion_from, finished_or_absent
from gpu_pricer.versions.repriced_version import Base
from gpu_pricer.versions.version_sources import read_sources, source_paths

log = logging.getLogger(__name__)

SHEET = "review"
"""In paths.work, with the endings .csv and .parquet."""
DECISIONS = "review.decisions"
"""The key that names the filled sheet."""


class Review(NamedTuple):
    """A version under review: what it was priced from, and the decisions about it."""

    base: Base
    desk: Desk


def inputs(config: DictConfig) -> list[Path]:
    """Return what `review` reads, except the price table and the decisions."""
    folder = reviewed_folder(config)
    answers = [] if config.review.decisions is None else [Path(str(config.review.decisions))]
    return [*source_paths(config, folder, read_version(folder)), folder / RUN_RECORD, *answers]


def main(config: DictConfig) -> dict[str, object]:
    """Write what needs a decision before a version is published, and read decisions back.

    Reads   paths.shards          a scored version; by default the last one that `score` finished for paths.work
            review.decisions      a filled sheet, .csv or .parquet, if given
    Writes  paths.work/review.csv, review.parquet   a row per product that publish.approval asks about: its prices and
                                  what they lead to, why, and the columns decision (accept, reject, override), price
                                  (of an override) and note to fill
            paths.prices/_decisions   the decisions, one line each, with who and when; nothing there is ever changed
            paths.prices/<run>    once nothing is left to decide, the version with the rejected and overridden prices,
                                  which `publish` takes next; every other price is the one that was decided on

    Decisions hold for every later version that proposes the same prices. Where a price has changed since, the product
    is stale and asked about again. review.who names who decides; by default the user of this process.

    Example: gpu-pricer review publish.approval.asks=all
             gpu-pricer review publish.approval.asks=all review.decisions=work/review.csv
    """
    review = open_review(config)
    desk = review.desk
    lines = [] if config.review.decisions is None else _recorded(desk, Path(str(config.review.decisions)))
    path = write_sheet(desk, Path(config.paths.work))
    counts = desk.counts()
    lines.append(
        f"{counts.asked} products to decide on: {counts.accepted} accepted, {counts.rejected} rejected, "
        f"{counts.overridden} overridden, {counts.waiting} open ({counts.stale} decided before at other prices)"
    )
    if counts.off_shelf:
        lines.append(
            f"{counts.off_shelf} more products move that are not on the shelf now: they need no decision "
            "(publish.approval.off_shelf)"
        )
    if counts.waiting:
        lines.append(f"fill {path}, then {next_command('review', f'{DECISIONS}={path}')}")
        lines.append(f"or decide on a page: {next_command('explore', without=[DECISIONS])}")
        print("\n".join(lines))
        return {"sheet": str(path)}
    folder = settle(config, review)
    lines.append(f"decided: {folder}; next: {next_command('publish', without=[DECISIONS])}")
    print("\n".join(lines))
    return {"sheet": str(path), "version": str(folder)}


def _recorded(desk: Desk, path: Path) -> list[str]:
    """Record the answers of a sheet and return a line on them."""
    fresh, stale = desk.record(read_answers(path))
    about = f", {stale} answers are about other prices and do not count" if stale else ""
    return [f"{fresh} new decisions by {desk.who}{about}"]


def write_sheet(desk: Desk, work: Path) -> Path:
    """Write the sheet as CSV and as Parquet, and return the path of the former."""
    sheet, path = sheet_of(desk.figures, desk.standing), work / f"{SHEET}.csv"
    work.mkdir(parents=True, exist_ok=True)
    with replacing_file(path.with_suffix(".parquet")) as fresh:
        write_table(sheet, fresh)
    with replacing_file(path) as fresh:
        sheet.write_csv(fresh, include_bom=True)  # by which spreadsheets know that it is UTF-8
    return path


def reviewed_folder(config: DictConfig) -> Path:
    """Return the version to decide on: paths.shards or the last scored one; of a decided version the one it came from.

    Raises InputError for a version that is published, about which there is nothing left to decide.
    """
    prices = Path(config.paths.prices)
    folder = (
        Path(config.paths.shards) if config.paths.shards is not None else last_scored(Path(config.paths.work), prices)
    )
    if folder.resolve().parent != prices.resolve():
        raise InputError(f"people decide about versions in paths.prices={prices}, found {folder}: score into {prices}")
    folder = prices / folder.resolve().name  # the link _current names the published version
    _require_unpublished(prices, folder)
    run = base_run(folder)
    return folder if run is None else prices / run


def _require_unpublished(prices: Path, folder: Path) -> None:
    if folder.name in published_runs(prices):
        raise InputError(f"the version to decide on must not be published yet, found {folder}: score a new one")


def open_review(config: DictConfig) -> Review:
    """Return the version to decide on with its desk."""
    folder, prices = reviewed_folder(config), Path(config.paths.prices)
    version = read_version(folder)
    sources = read_sources(config, folder, version)
    scored = scored_version(folder, version, *sources)
    names = names_of(config, scored)
    publication = instantiate(config.publish, _convert_="all")
    return Review(
        Base(folder, version, sources), Desk(prices, scored, publication.approval, names, who_decides(config))
    )


def who_decides(config: DictConfig) -> str:
    """Return the name that decisions carry."""
    who = config.review.who
    if who is not None and not (isinstance(who, str) and who.strip()):
        raise InputError(f"review.who must be a name, found {who!r}: set review.who=NAME")
    return publisher().partition("@")[0] if who is None else who.strip()


def settle(config: DictConfig, review: Review) -> Path:
    """Return the version whose prices are as decided, and let `publish` take it next.

    It is the version under review itself where nothing was rejected or overridden, or one that was made before from the
    same decisions; else it is made now. Raise InputError where that one is published already, Refused where the audit
    refuses it.
    """
    prices, work, base, desk = Path(config.paths.prices), Path(config.paths.work), review.base, review.desk
    changes = desk.standing.filter(pl.col("decision").is_in(CHANGES)).with_columns(run=pl.lit(base.version.run))
    changes = changes.select(SCHEMA.names()).sort("product_id")
    folder = base.folder if changes.is_empty() else _made_before(prices, base, changes)
    if folder is None:
        folder = prices / new_run()
        _make(config, base, changes, folder)
    _require_unpublished(prices, folder)
    remember_scored(work, prices, folder)
    return folder


def proposes_what_was_decided(config: DictConfig, folder: Path) -> bool:
    """Return whether the version in a folder of paths.prices lacks prices that people decided about earlier.

    False where people are asked about it, who then go on with `review`, and for a version that was published before.
    """
    prices = Path(config.paths.prices)
    if folder.resolve().parent != prices.resolve() or folder.resolve().name in published_runs(prices):
        return False
    approval = instantiate(config.publish, _convert_="all").approval
    return base_run(folder) is None and has_earlier_decisions(prices, folder, read_version(folder), approval)


def as_decided_before(config: DictConfig, folder: Path) -> Path:
    """Return the version to publish for the one in a folder: with what people decided about the same prices earlier."""
    prices = Path(config.paths.prices)
    current = current_run(prices)
    if current is not None and base_run(prices / current) == folder.resolve().name:
        return prices / current  # published already, by a run that was killed
    if not proposes_what_was_decided(config, folder):
        return folder
    named = cast(DictConfig, OmegaConf.merge(config, {"paths": {"shards": str(folder)}}))
    made = settle(named, open_review(named))
    log.warning("%s proposes prices that people decided about earlier; %s keeps to their decisions", folder, made)
    return made


def _made_before(prices: Path, base: Base, changes: pl.DataFrame) -> Path | None:
    """Return the newest finished version with exactly these decisions, None if there is none."""
    for record in sorted(prices.glob(f"[!_]*/{RUN_RECORD}"), reverse=True):  # _current links to one of them
        folder = record.parents[1]
        if base_run(folder) == base.version.run and read_decided(folder).sort("product_id").equals(changes):
            return folder
    return None


def _make(config: DictConfig, base: Base, changes: pl.DataFrame, folder: Path) -> None:
    """Write the version with the decided prices into a new folder."""
    tiling = replace(
        instantiate(config.score), layout=base.version.layout, details=base.version.details, shards=1, shard=None,
        leave_one_out=False,
    )  # fmt: skip
    artefact, catalog, policy = base.sources
    ids = catalog.select("product_id", text=pl.col("product_id").cast(pl.String))
    typed = changes.rename({"product_id": "text"}).join(ids, on="text", maintain_order="left")
    rejected = typed.filter(pl.col("decision") == REJECT)["product_id"]
    note = pl.format("set by {}: {}", "who", "note").str.strip_suffix(": ").alias("note")
    overridden = typed.filter(pl.col("decision") == OVERRIDE).select("product_id", "price", note)
    with finished_or_absent(folder), tempfile.TemporaryDirectory() as place:
        dtype = artefact.segments.schema["segment_id"]
        decided = decided_policy(policy, rejected, overridden, dtype, Path(place) / "overrides.parquet")
        complete = completion_from(base, config, folder, catalog, decided)
        write_decided_version(base, decided, changes, folder, tiling, complete)
    log.info("wrote %s: %d prices kept, %d set by hand", folder, len(rejected), overridden.height)
