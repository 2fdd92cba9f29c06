"""Old versions of the price table: whose files stay, whose go."""

import shutil
import time
from pathlib import Path

from gpu_pricer.tables.price_version import RUN_ID
from gpu_pricer.tables.publishing import current_run, published_runs

# A folder that nobody wrote to for this long belongs to a run that died, not to one that is still scoring.
IDLE_SECONDS = 24 * 3600


def remove_old_versions(prices: Path, keep: int) -> list[str]:
    """Delete the folders of all but the last `keep` published versions, never the current one; what went.

    Of folders that were never published only those go that carry a run id, are older than every kept version
    and have been idle for a day. Delta's log stays: a version whose files are gone is listed but no longer
    readable.
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


def _last_write(folder: Path) -> float:
    return max(path.stat().st_mtime for path in [folder, *folder.rglob("*")])
