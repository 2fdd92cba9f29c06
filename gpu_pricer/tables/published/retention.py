"""Which old versions of the published table are removed, and what runs and copies that died have left."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.tables.files.locking import is_locked, remove_unowned
from gpu_pricer.tables.files.replacing import IDLE_SECONDS
from gpu_pricer.tables.published.kept_artefacts import unneeded_artefacts
from gpu_pricer.tables.version.names import LOCK, RUN_ID

LEFTOVER = re.compile(rf"{RUN_ID.pattern}(\.part)?|.+\.[0-9a-f]{{8,12}}\.part|_current\.[0-9a-f]{{8}}")
"""Names that only jobs give: run ids, unfinished copies, and links that were not yet renamed."""

STAGED = re.compile(r".+#\d+")
"""Names in Delta's log of entries that a killed publisher wrote and did not commit: delta-rs moves them into place."""


@dataclass(frozen=True)
class Retention:
    """How long versions stay. keep: the number of versions; hours: how long a version stays after it was replaced."""

    keep: int
    hours: float


def remove_old_versions(prices: Path, retention: Retention) -> list[str]:
    """Delete what `removable` names, and return the deleted names.

    A lock file that a killed publisher left in a version goes too.
    """
    names = removable(prices, retention)
    for path in (prices / name for name in names):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for run in published_runs(prices):
        remove_unowned(prices / run / LOCK)
    return names


def removable(prices: Path, retention: Retention) -> list[str]:
    """Return the folders of old versions, and leftovers of dead runs, by their names in `prices`, sorted.

    The current version, the last `keep` published ones, those replaced less than `hours` ago and those that a scorer
    writes to stay; a link to a folder elsewhere stays too, since only its maker knows who else reads there. A folder
    that was never published goes only if its name is one that jobs give, it is older than every kept version and
    nobody wrote to it for a day. Ages are told by the clock of the file system, the order of versions by Delta's log,
    which stays: a deleted version is listed there but no longer readable. A kept artefact goes with the last version
    that needs it, once nobody used it for a day, and so does what a killed publisher left in Delta's log.
    """
    runs, current = published_runs(prices), current_run(prices)
    if current is None:
        return []
    now = _now(prices)
    written = {path.name: _last_write(path) for path in prices.iterdir()}
    names = [
        name
        for name in outdated(runs, current, retention, written, lambda run: _replaced_at(prices, run, runs), now)
        if not (name in runs and (prices / name).is_symlink()) and not is_locked(prices / name / LOCK)
    ]
    staged = (path for path in (prices / "_delta_log").glob("*") if STAGED.fullmatch(path.name))
    unneeded = unneeded_artefacts(prices, without=names)
    old = [path for path in (*staged, *unneeded) if _last_write(path) < now - IDLE_SECONDS]
    return sorted([*names, *(str(path.relative_to(prices)) for path in old)])


def outdated(
    runs: Collection[str],
    current: str,
    retention: Retention,
    written: Mapping[str, float],
    replaced_at: Callable[[str], float],
    now: float,
) -> list[str]:
    """Return the names of old versions, and of leftovers of dead runs, by the rule that `removable` states.

    runs: that were published, oldest first. written: when anything below each name was last written, in seconds.
    replaced_at: the time at which the version after a run was committed.
    """
    kept = {*list(runs)[-retention.keep :], current}
    stale = {run for run in runs if now - replaced_at(run) >= 3600 * retention.hours} - kept
    oldest_kept = min((written[run] for run in kept if run in written), default=0.0)
    idle_since = min(oldest_kept, now - IDLE_SECONDS)
    leftovers = {name for name in written if LEFTOVER.fullmatch(name) and written[name] < idle_since} - {*runs}
    return [name for name in written if name in stale | leftovers]


def _replaced_at(prices: Path, run: str, runs: dict[str, int]) -> float:
    """Return the time at which the next version was committed; 0 if Delta has removed that entry of its log.

    Entries between the two may say other things, as which events changed nothing.
    """
    later = min((number for number in runs.values() if number > runs[run]), default=None)
    entry = None if later is None else prices / "_delta_log" / f"{later:020d}.json"
    return entry.stat().st_mtime if entry is not None and entry.exists() else 0.0


def _now(prices: Path) -> float:
    """Return the time by the clock that stamps the files in `prices`, also on a disk without room for a byte."""
    with tempfile.TemporaryFile(dir=prices) as file:
        return os.fstat(file.fileno()).st_mtime


def _last_write(path: Path) -> float:
    """Return when anything in a folder was last written; files that vanish meanwhile do not count."""
    times = []
    for entry in [path, *(path.rglob("*") if not path.is_symlink() else ())]:
        try:
            times.append(entry.lstat().st_mtime)
        except FileNotFoundError:
            continue
    return max(times, default=0.0)
