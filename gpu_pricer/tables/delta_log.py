"""What Delta's log says of the published price table: which run it is now, and which runs it has been."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, PostCommitHookProperties
from deltalake.exceptions import DeltaError

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.tables.stores.address import delta_options
from gpu_pricer.tables.stores.bucket import store_error
from gpu_pricer.tables.stores.local_copy import address_of, shown

FILE_OF_A_RUN = re.compile(r"(?P<run>[^/]+)/(?P=run)-\d{5,}-\d{5,}\.parquet")
"""The path of a file of the published table: <run>/<run>-<shard>-<tile>.parquet."""
RESTORE = "RESTORE"
"""The operation, in Delta's log, by which an earlier version of the table comes back."""
OF_A_VERSION = ("run", "currency", "rows", "policy", "gates")
"""What Delta's log says of a version of the prices, whoever makes it the table, and whenever."""

KEEPS_ENTRIES = PostCommitHookProperties(cleanup_expired_logs=False)
"""For every commit. Otherwise Delta removes entries of its log after 30 days, and with them what was published when,
and which files of events are already in the prices."""
LOG_IS_KEPT = {"delta.enableExpiredLogCleanup": "false"}
"""The table property by which other programs that write to the table keep the entries, too."""


def open_table(prices: Path) -> DeltaTable | None:
    """Return the Delta table in `prices`, or at the address that `prices` is a copy of; None if there is none.

    Raise InputError if its log cannot be read.
    """
    place, options = delta_place(prices)
    with _told(place, options is not None):
        return DeltaTable(place, storage_options=options) if DeltaTable.is_deltatable(place, options) else None


@contextmanager
def _told(place: str, is_stored: bool) -> Iterator[None]:
    """Raise InputError for what delta-rs could not read at the place, in an object store or in a folder.

    delta-rs reads the log piece by piece: a store may answer when the table is opened, and no more after that.
    """
    try:
        yield
    except (OSError, DeltaError) as error:
        if is_stored and isinstance(error, OSError):
            raise InputError(f"{place} must be in an object store that answers, found: {store_error(error)}") from error
        raise InputError(
            f"{place} must hold a whole Delta table or none, found: {first_line(error)}: restore {place}/_delta_log, "
            "or point paths.prices at another folder"
        ) from error


def log_entries(table: DeltaTable | None, prices: Path) -> list[dict[str, Any]]:
    """Return the entries of the log of the table in `prices`, oldest first; none without a table.

    Raise InputError if the log cannot be read.
    """
    if table is None:
        return []
    place, options = delta_place(prices)
    with _told(place, options is not None):
        return sorted(table.history(), key=lambda entry: entry["version"])


def delta_place(prices: Path) -> tuple[str, dict[str, str] | None]:
    """Return where Delta's log of the table lies, and the options by which delta-rs reaches it."""
    address = address_of(prices)
    return (str(prices), None) if address is None else (address, delta_options(address))


def run_of(table: DeltaTable | None, prices: Path) -> str | None:
    """Return the run whose files are the table in `prices`, None without a table.

    Raise InputError if the table is anything but the files of one run, since publishing would replace what it is.
    """
    if table is None:
        return None
    place, options = delta_place(prices)
    with _told(place, options is not None):
        paths = pl.DataFrame(table.get_add_actions())["path"].to_list()
    matches = [FILE_OF_A_RUN.fullmatch(path) for path in paths]
    runs = {match["run"] for match in matches if match}
    if None in matches or len(runs) != 1:
        others = [path for path, match in zip(paths, matches, strict=True) if match is None] or sorted(runs)
        raise InputError(
            f"{shown(prices)} must hold the published price table, which is the files of one run, found a Delta table "
            f"of {', '.join(others[:3]) or 'no files'}: another program wrote it. Point paths.prices at another place, "
            "or restore the last version that `gpu-pricer publish` made"
        )
    return runs.pop()


def current_run(prices: Path) -> str | None:
    """Return the run whose files readers of the Delta table see now, None if nothing is published.

    If an older version was restored, the current run is the run of that version.
    """
    return run_of(open_table(prices), prices)


def publishing_entries(table: DeltaTable | None, prices: Path) -> list[dict[str, Any]]:
    """Return the entries of the log by which a run became the table, oldest first: publications, and restorations.

    An entry of a restoration has its own number and time, what the log says of the restored version under
    OF_A_VERSION, and as its action which one was restored.
    """
    found: dict[int, dict[str, Any]] = {}
    for entry in log_entries(table, prices):
        restored = _restored(entry, found)
        if restored is not None:
            version = {name: restored[name] for name in OF_A_VERSION if name in restored}
            found[entry["version"]] = entry | version | {"action": f"restore of {restored['version']}"}
        elif "run" in entry:
            found[entry["version"]] = entry
    return [*found.values()]


def _restored(entry: dict[str, Any], earlier: dict[int, dict[str, Any]]) -> dict[str, Any] | None:
    """Return the earlier entry that was in force at the version, or at the time, that this entry restores."""
    asked = entry.get("operationParameters") or {}
    if entry.get("operation") != RESTORE:
        return None
    if (number := asked.get("version")) is not None:
        before = [each for each in earlier.values() if each["version"] <= int(number)]
    else:
        before = [each for each in earlier.values() if each["timestamp"] <= int(asked.get("datetime") or 0)]
    return before[-1] if before else None


def published_runs(prices: Path) -> dict[str, int]:
    """Return by published run the last Delta version in which that run became the table, oldest first.

    Delta's log gives the order, no clock and no name does.
    """
    runs: dict[str, int] = {}
    for entry in publishing_entries(open_table(prices), prices):
        runs.pop(entry["run"], None)
        runs[entry["run"]] = entry["version"]
    return runs


def removals(table: DeltaTable | None, prices: Path) -> dict[str, float]:
    """Return the folders that Delta's log names as removed by somebody, as it does in an object store.

    With each the time of that, the last one, in seconds by the committer's clock.
    """
    return {
        name: entry["timestamp"] / 1000
        for entry in log_entries(table, prices)
        for name in str(entry.get("removed", "")).split(",")
        if name
    }
