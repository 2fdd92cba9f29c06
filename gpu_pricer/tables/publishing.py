"""The published price table: a Delta Lake table whose versions are folders of files already written.

One transaction adds a version's files and removes those of its predecessor. Then the link `_current`, which is for
readers that know only Parquet, is pointed at the new folder. If the process dies in between, the next publishing mends
the link; Delta's log decides which version is current.
"""

import json
import os
import shutil
import time
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions

from gpu_pricer.errors import InputError
from gpu_pricer.tables.price_version import RUN_ID, PriceVersion, read_version
from gpu_pricer.tables.publication_gates import FileFacts
from gpu_pricer.tables.replacing import whole_or_absent

CURRENT = "_current"
IDLE_SECONDS = 24 * 3600
"""A folder that nobody wrote to for this long belongs to a run that died, not to one that is still scoring."""


def published_runs(prices: Path) -> dict[str, int]:
    """Return by published run the last Delta version in which that run was the table, oldest first."""
    if not DeltaTable.is_deltatable(str(prices)):
        return {}
    entries = sorted(DeltaTable(str(prices)).history(), key=lambda entry: entry["version"])
    runs: dict[str, int] = {}
    for entry in entries:
        if "run" in entry:
            runs.pop(entry["run"], None)
            runs[entry["run"]] = entry["version"]
    return runs


def current_run(prices: Path) -> str | None:
    """Return the run whose files readers of the Delta table see now, None if nothing is published.

    If an older version was restored, the current run is the run of that version.
    """
    if not DeltaTable.is_deltatable(str(prices)):
        return None
    return next((Path(uri).parent.name for uri in DeltaTable(str(prices)).file_uris()), None)


def bring_inside(folder: Path, prices: Path) -> Path:
    """Return the version's folder inside `prices`, copied there, completely or not at all, if it lies elsewhere.

    Raise InputError if another version of that name is there.
    """
    inside = prices / folder.resolve().name
    if folder.resolve() == inside.resolve():
        return inside
    if inside.exists():
        if read_version(inside) == read_version(folder):
            return inside
        raise InputError(f"{folder} must be published as {inside}, found another version there: rename it")
    fresh = prices / f"{inside.name}.part"
    shutil.rmtree(fresh, ignore_errors=True)
    with whole_or_absent(fresh):
        shutil.copytree(folder, fresh)
        fresh.rename(inside)
    return inside


def commit_version(prices: Path, folder: Path, version: PriceVersion, files: Sequence[FileFacts]) -> int:
    """Make the folder's files the table, in one transaction, and return the new Delta version.

    Raise InputError, with nothing changed, if somebody else committed meanwhile.
    """
    actions = [_add_action(prices, folder / facts.name, facts) for facts in files]
    schema = Schema.from_arrow(pl.read_parquet(folder / files[0].name, n_rows=0).to_arrow().schema)
    commit = CommitProperties(custom_metadata=version.metadata, max_commit_retries=0)
    try:
        if DeltaTable.is_deltatable(str(prices)):
            table = DeltaTable(str(prices))
            table.create_write_transaction([*actions], "overwrite", schema, commit_properties=commit)
            return DeltaTable(str(prices)).version()
        create_table_with_add_actions(str(prices), schema, actions, mode="error", commit_properties=commit)
        return 0
    except (CommitFailedError, DeltaError) as error:
        raise InputError(
            f"only one publisher may commit to {prices} at a time, found: {error}: nothing was published, run it again"
        ) from error


def point_current(prices: Path, run: str) -> None:
    """Point `_current` at the run's folder, in one atomic step."""
    fresh = prices / f"{CURRENT}.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(run, target_is_directory=True)
    fresh.replace(prices / CURRENT)


def remove_old_versions(prices: Path, keep: int) -> list[str]:
    """Delete the folders of all but the current and the last `keep` published versions; return the deleted names.

    A folder that was never published is deleted only if its name is a run id, it is older than every kept version and
    nobody wrote to it for a day. Delta's log stays: a deleted version is still listed there but no longer readable.
    """
    runs = list(published_runs(prices))
    current = current_run(prices)
    if current is None:
        return []
    kept = {*runs[-keep:], current}
    stale = set(runs) - kept
    folders = [path for path in prices.iterdir() if path.is_dir() and not path.is_symlink()]
    oldest_kept = min((_last_write(path) for path in folders if path.name in kept), default=0.0)
    idle_since = min(oldest_kept, time.time() - IDLE_SECONDS)
    removed = []
    for folder in folders:
        is_leftover = RUN_ID.fullmatch(folder.name.removesuffix(".part")) and _last_write(folder) < idle_since
        if folder.name in stale or (is_leftover and folder.name not in kept):
            shutil.rmtree(folder)
            removed.append(folder.name)
    return sorted(removed)


def _add_action(prices: Path, path: Path, facts: FileFacts) -> AddAction:
    stats = {
        "numRecords": facts.rows,
        "minValues": facts.least,
        "maxValues": facts.largest,
        "nullCount": facts.nulls,
    }
    status = path.stat()
    return AddAction(
        path=path.relative_to(prices).as_posix(),
        size=status.st_size,
        partition_values={},
        modification_time=int(status.st_mtime * 1000),
        data_change=True,
        stats=json.dumps(stats, default=_as_number),
    )


def _as_number(value: object) -> float | str:
    """Return a value as Delta's statistics write it: money as a number, dates as text."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"no Delta statistic can hold {value!r}")


def _last_write(folder: Path) -> float:
    return max(path.stat().st_mtime for path in [folder, *folder.rglob("*")])
