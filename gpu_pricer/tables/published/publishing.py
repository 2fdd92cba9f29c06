"""The published price table: a Delta Lake table whose versions are folders of files already written.

One transaction adds a version's files and removes those of its predecessor. Then the link `_current`, which is for
readers that know only Parquet, is pointed at the new folder. If the process dies in between, the next publishing mends
the link; Delta's log decides which version is current.
"""

import json
import logging
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.tables.delta_log import (
    KEEPS_ENTRIES,
    LOG_IS_KEPT,
    current_run,
    delta_place,
    open_table,
    published_runs,
)
from gpu_pricer.tables.files.durable import checksums, sync, sync_tree
from gpu_pricer.tables.files.replacing import whole_or_absent
from gpu_pricer.tables.stores.local_copy import shown
from gpu_pricer.tables.version.names import FOLDER_NAME, LOCK
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.seal import require_sealed
from gpu_pricer.tables.version.version_files import FileFacts
from gpu_pricer.tables.version.version_record import read_version

log = logging.getLogger(__name__)

CURRENT = "_current"


def require_name(folder: Path, version: PriceVersion) -> None:
    """Raise InputError unless the version's folder has the name of its run, by which readers find its files."""
    names = {folder.name, folder.resolve().name}
    if version.run not in names or not FOLDER_NAME.fullmatch(version.run):
        raise InputError(
            f"the folder of a version must have the name of its run, {version.run}, found {folder}: rename it back, or "
            "score again"
        )


def bring_inside(folder: Path, prices: Path, version: PriceVersion) -> Path:
    """Return the version's folder inside `prices`, copied there, completely or not at all, if it lies elsewhere.

    All its files are on the disk then. Raise InputError if another version of that name is there,
    or the same with other files.
    """
    inside = prices / version.run
    if folder.resolve() != inside.resolve() and not inside.exists():
        _copy(folder, prices / f"{inside.name}.{secrets.token_hex(4)}.part", inside)
    elif folder.resolve() != inside.resolve():
        if read_version(inside) != version:
            raise InputError(f"{folder} must be published as {inside}, found another version there: rename it")
        require_sealed(inside)
    sync_tree(inside)
    sync(prices)
    return inside


def _copy(folder: Path, fresh: Path, inside: Path) -> None:
    """Copy the folder by way of the path `fresh`; raise InputError if the copy reads otherwise than the original."""
    with whole_or_absent(fresh):
        shutil.copytree(folder, fresh, ignore=shutil.ignore_patterns(Path(LOCK).name))
        sync_tree(fresh)
        original, copy = checksums(folder), checksums(fresh)
        original.pop(LOCK, None)
        if copy != original:
            others = sorted(name for name in original | copy if original.get(name) != copy.get(name))
            raise InputError(
                f"the copy of {folder} must be the same bytes, found {', '.join(others[:3])} different: check the "
                "disk, then publish again"
            )
        fresh.rename(inside)


def commit_version(
    prices: Path,
    table: DeltaTable | None,
    folder: Path,
    version: PriceVersion,
    files: Sequence[FileFacts],
    notes: Mapping[str, str],
) -> int:
    """Make the folder's files the table, in one transaction, and return the new Delta version.

    table: the Delta table as it was when the version was checked, None if there was none. notes: what else Delta's log
    is to say of the version, which outlives the version's folder. Raise InputError, with nothing changed, if somebody
    else committed since, or if the entry cannot be written. An error of Delta after the commit, as in the upkeep of its
    log, is logged, because the version is published then.
    """
    actions = [_add_action(prices, folder / facts.name, facts) for facts in files]
    schema = Schema.from_arrow(pl.read_parquet(folder / files[0].name, n_rows=0).to_arrow().schema)
    commit = CommitProperties(custom_metadata=version.metadata | {**notes}, max_commit_retries=0)
    number = 0 if table is None else table.version() + 1
    try:
        if table is None:
            place, options = delta_place(prices)
            create_table_with_add_actions(
                place,
                schema,
                actions,
                mode="error",
                configuration=LOG_IS_KEPT,
                storage_options=options,
                commit_properties=commit,
                post_commithook_properties=KEEPS_ENTRIES,
            )
        else:
            table.create_write_transaction(
                [*actions], "overwrite", schema, commit_properties=commit, post_commithook_properties=KEEPS_ENTRIES
            )
    except (OSError, DeltaError) as error:
        if published_runs(prices).get(version.run) != number:
            raise _not_committed(prices, table, error) from error
        log.warning("%s is published, but Delta could not clean up its log: %s", version.run, first_line(error))
    return number


def _not_committed(prices: Path, table: DeltaTable | None, error: Exception) -> InputError:
    """Return the error for a commit that failed: somebody else committed since the table was read, or storage did."""
    now = open_table(prices)
    is_outrun = now is not None and (table is None or now.version() > table.version())
    rule, remedy = f"the disk or store of {shown(prices)} must take a commit", "mend that and run it again"
    if is_outrun:
        rule, remedy = f"only one publisher may commit to {shown(prices)} at a time", "run it again"
    return InputError(f"{rule}, found: {first_line(error)}: nothing was published, {remedy}")


def commit_entry(table: DeltaTable, notes: Mapping[str, str]) -> None:
    """Add an entry to Delta's log that changes no file; raise CommitFailedError if somebody else committed since."""
    commit = CommitProperties(custom_metadata={**notes}, max_commit_retries=0)
    table.create_write_transaction(
        [], "append", table.schema(), commit_properties=commit, post_commithook_properties=KEEPS_ENTRIES
    )


def commit_notes(prices: Path, table: DeltaTable, notes: Mapping[str, str]) -> None:
    """Say something in Delta's log, in an entry of its own that leaves the published version as it is.

    table: as it was when the notes were true. Raise InputError, with nothing said, if somebody else committed since.
    """
    try:
        commit_entry(table, notes)
    except (OSError, DeltaError) as error:
        raise InputError(
            f"{shown(prices)} must take an entry of Delta's log, found: {first_line(error)}: run it again"
        ) from error


def point_current(prices: Path) -> str | None:
    """Point `_current` at the folder of the current run, each time in one atomic step, and return that run.

    The link is pointed again if another publisher committed meanwhile, so that whoever writes it last writes the truth.
    """
    run = current_run(prices)
    while run is not None:
        fresh = prices / f"{CURRENT}.{secrets.token_hex(4)}"
        with whole_or_absent(fresh):
            fresh.symlink_to(run, target_is_directory=True)
            fresh.replace(prices / CURRENT)
        pointed, run = run, current_run(prices)
        if run == pointed:
            break
    return run


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
