"""Every version that a folder of prices has had: what Delta's log says of its publication, and what lies there now."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gpu_pricer.errors import InputError
from gpu_pricer.tables.delta_log import open_table, publishing_entries, run_of
from gpu_pricer.tables.price_table import price_files
from gpu_pricer.tables.published.price_copy import bring_version
from gpu_pricer.tables.stores.local_copy import address_of, shown
from gpu_pricer.tables.version.names import RUN_RECORD
from gpu_pricer.tables.version.version_files import require_files
from gpu_pricer.tables.version.version_record import read_version

UNKNOWN = "-"
CURRENT, SUPERSEDED, UNPUBLISHED = "current", "superseded", "unpublished"


class VersionEntry(NamedTuple):
    """One publication of a version, or a version that was never published.

    number: of Delta's log, None if not published. run: the name of its folder. when: the time of the commit, or of the
    scoring, in UTC. status: current, superseded or unpublished. is_kept: whether its files are there. rows, by, policy,
    gates, note: as recorded, UNKNOWN where they were not.
    """

    number: int | None
    run: str
    when: str
    status: str
    is_kept: bool
    rows: str
    policy: str
    by: str
    gates: str
    note: str


def version_entries(prices: Path) -> list[VersionEntry]:
    """Return the publications of the price table, oldest first, then the finished versions that were not published."""
    table = open_table(prices)
    current, commits = run_of(table, prices), publishing_entries(table, prices)
    last = max((commit["version"] for commit in commits if commit["run"] == current), default=None)
    entries = [_published(prices, commit, is_current=commit["version"] == last) for commit in commits]
    published = {entry.run for entry in entries}
    folders = sorted(path.parents[1] for path in prices.glob(f"*/{RUN_RECORD}"))
    return entries + [
        _unpublished(path) for path in folders if path.name not in published and not path.name.startswith("_")
    ]


def find_version(prices: Path, name: str) -> Path:
    """Return the folder of the version that a run, a number of Delta's log or a path names.

    Raise InputError if there is none, or if its files have been removed.
    """
    entries = version_entries(prices)
    runs = {str(entry.number): entry.run for entry in entries if entry.number is not None}
    for folder in (prices / runs.get(name, name), Path(name)):
        if (folder / RUN_RECORD).is_file():
            return bring_version(folder.parent, folder.name)
    if name in (runs.keys() | runs.values()):
        raise InputError(
            f"the files of {name} must still be in {shown(prices)}, found that they were removed: name a later version "
            "(see gpu-pricer versions), and keep more of them with publish.keep and publish.keep_hours"
        )
    known = ", ".join(f"{number} ({run})" for number, run in list(runs.items())[-3:]) or "none"
    raise InputError(
        f"a version must be a run, its number or a folder, found {name!r}: the last published ones in {shown(prices)} "
        f"are {known}, see gpu-pricer versions"
    )


def damage_of(prices: Path, entry: VersionEntry) -> str:
    """Return what is lost or cut off of a version whose files are kept, "" if nothing is.

    Only the ends of its files are read. Of a copy of an object store nothing is said: it fetches files when they are
    asked for, and verifies them then.
    """
    folder = prices / entry.run
    if not entry.is_kept or address_of(prices) is not None:
        return ""
    try:
        require_files(folder, read_version(folder))
        price_files(folder)
    except InputError as error:
        return str(error)
    return ""


def _published(prices: Path, commit: dict, is_current: bool) -> VersionEntry:
    when = datetime.fromtimestamp(commit["timestamp"] / 1000, UTC).isoformat(timespec="seconds")
    told = {name: str(commit.get(name, UNKNOWN)) for name in ("rows", "policy", "by", "gates")}
    notes = [f"{name}: {commit[name]}" for name in ("action", "accepted", "reason", "decisions") if name in commit]
    return VersionEntry(
        number=commit["version"],
        run=commit["run"],
        when=when,
        status=CURRENT if is_current else SUPERSEDED,
        is_kept=(prices / commit["run"] / RUN_RECORD).is_file(),
        note="; ".join(notes),
        **told,
    )


def _unpublished(folder: Path) -> VersionEntry:
    """Return the entry of a version that was never published; one whose record cannot be read has no more than a name.

    The list is what one looks at when something is broken, so that a broken record must not end it.
    """
    try:
        version = read_version(folder)
    except InputError as error:
        unknown = dict.fromkeys(("when", "rows", "policy", "by", "gates"), UNKNOWN)
        return VersionEntry(number=None, run=folder.name, status=UNPUBLISHED, is_kept=True, note=str(error), **unknown)
    when = datetime.fromisoformat(version.created).isoformat(timespec="seconds")
    rows = str(version.tally.rows)
    return VersionEntry(None, version.run, when, UNPUBLISHED, True, rows, version.policy, UNKNOWN, UNKNOWN, "")
