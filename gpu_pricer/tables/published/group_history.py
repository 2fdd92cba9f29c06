"""The prices that each segment saw, and from when: the published versions as files of the input table group_prices.

A folder has one file for each publication, which says what that publication changed: the rows of a cell (segment and
product) whose price differs from the last one in the files before. The files stay when those of old versions go.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.errors import InputError, readable
from gpu_pricer.tables.files.disk_errors import write_parts
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.price_table import cells_of, collect_prices, price_files
from gpu_pricer.tables.published.last_prices import LastPrices
from gpu_pricer.tables.published.price_copy import bring_version
from gpu_pricer.tables.published.promises import publications
from gpu_pricer.tables.published.version_log import VersionEntry, version_entries
from gpu_pricer.tables.schemas import PRICE_GROUP, GroupPrices
from gpu_pricer.tables.stores.local_copy import shown
from gpu_pricer.tables.version.names import SEAL
from gpu_pricer.tables.version.seal import require_sealed
from gpu_pricer.tables.version.version_files import require_files
from gpu_pricer.tables.version.version_record import read_version

log = logging.getLogger(__name__)

MOST_NAMED = 3
FILE = re.compile(r"(?P<number>\d{20})-(?P<run>.+)\.parquet")
"""The name of a file: the publication's number in Delta's log, as wide as there, and its run."""
TYPES = {PRICE_GROUP: pl.String(), "time": pl.Date(), "price": pl.Float64()}
"""The columns of a file beside product_id, which has the type of the catalog's."""
ANEW = "restore it, or remove the folder, which is then written anew from the versions that are kept"


class Addition(NamedTuple):
    """What was added to a folder.

    publications: how many Delta's log has. files, rows: what was written. since, until: the days of these rows, None
    without one.
    """

    publications: int
    files: int
    rows: int
    since: date | None
    until: date | None


def add_publications(prices: Path, folder: Path) -> Addition:
    """Write the file of every publication after the last one that the folder tells, oldest first.

    The prices of a publication hold from its day in Delta's log, or from the day for which its version was scored if
    that is later, and never from a day before one that is told already: a publication replaces those before it.
    The log names publications whose files were removed before. InputError where a file of the folder cannot be read, or
    one of a version has changed since it was scored.
    """
    entries = {entry.number: entry for entry in version_entries(prices) if entry.number is not None}
    files = _told_files(prices, folder, {number: entry.run for number, entry in entries.items()})
    told = int(files[-1].name.partition("-")[0]) if files else -1
    later = {number: entry for number, entry in entries.items() if number > told}
    since = {each.number: each.since for each in publications(prices)}
    kept = {number: entry for number, entry in later.items() if entry.is_kept}
    _warn_of_removed([entry for entry in later.values() if not entry.is_kept], prices)
    last, until = _last_prices(files if kept else [])
    rows, added = 0, []
    for number, entry in kept.items():
        version = bring_version(prices, entry.run)
        record = read_version(version)
        require_files(version, record)
        if (version / SEAL).is_file():  # versions of early releases have none
            require_sealed(version)
        day = max(filter(None, (since[number], date.fromisoformat(record.day), until)))
        folder.mkdir(parents=True, exist_ok=True)
        with replacing_file(folder / f"{number:020d}-{entry.run}.parquet") as fresh:
            changed = write_parts(_changed(version, last, day), fresh)
        if changed:
            rows, until = rows + changed, day
            added.append(day)
    return Addition(len(entries), len(kept), rows, min(added, default=None), max(added, default=None))


def _warn_of_removed(removed: list[VersionEntry], prices: Path) -> None:
    """Log the numbers and runs of the first of the publications that cannot be told, and how many more there are."""
    if removed:
        named = ", ".join(f"{entry.number} ({entry.run})" for entry in removed[:MOST_NAMED])
        further = f" and {len(removed) - MOST_NAMED:,} more" if len(removed) > MOST_NAMED else ""
        log.warning(
            "publications of %s cannot be told, since their files were removed before: %s%s; run "
            "gpu-pricer history after each publication", shown(prices), named, further,
        )  # fmt: skip


def _told_files(prices: Path, folder: Path, runs: Mapping[int, str]) -> list[Path]:
    """Return the files of the folder, oldest first; InputError for one that is damaged, or of other prices.

    runs: by number, those that Delta's log has.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"history.out must be a folder, found a file at {folder}: set history.out to another place")
    files = sorted(folder.glob("*.parquet"))
    for file in files:
        with readable(file, ANEW):
            schema = pl.read_parquet_schema(file)
        if not (_is_of(file, runs) and TYPES.items() <= schema.items()):
            raise InputError(
                f"{folder} must hold only what `gpu-pricer history` wrote of {shown(prices)}, found {file.name}: set "
                "history.out to another folder"
            )
    return files


def _is_of(file: Path, runs: Mapping[int, str]) -> bool:
    """Return whether a file is of one of the runs, or of one before them, whose entry Delta has removed of its log."""
    match = FILE.fullmatch(file.name)
    if match is None:
        return False
    number = int(match["number"])
    return runs[number] == match["run"] if number in runs else number < min(runs, default=0)


def _last_prices(files: list[Path]) -> tuple[LastPrices, date | None]:
    """Return the last price of every cell that the files tell, and the last day, None without a row."""
    last, until = LastPrices(), None
    for file in files:
        with readable(file, ANEW):
            told = pl.read_parquet(file, columns=GroupPrices.column_names())
        if told.height:
            last.take(told.drop("time"))
            until = max(filter(None, (until, told.select(pl.col("time").max()).item())))
    return last, until


def _changed(version: Path, last: LastPrices, day: date) -> Iterator[pl.DataFrame]:
    """Yield the rows of group_prices that a version in a folder changes from a day on, for each of its files.

    last: before the version, and afterwards with it. Ids of segments are text, whatever the layout of the version, so
    that all files have the same types.
    """
    for file in price_files(version):
        cells = cells_of(pl.scan_parquet(file), pl.String()).select(
            pl.col("segment_id").cast(pl.String).alias(PRICE_GROUP), "product_id", pl.col("price").cast(pl.Float64)
        )
        found = collect_prices(cells, file)
        product_id = found.schema["product_id"]
        if last.product_id is not None and product_id != last.product_id.dtype:
            raise InputError(
                f"{version} must have a product_id of the kind that earlier publications had "
                f"({last.product_id.dtype}), found {product_id}: set history.out to another folder"
            )
        yield last.take(found).select(PRICE_GROUP, "product_id", pl.lit(day).alias("time"), "price")
