"""Files and directories that are replaced at once: a reader sees the old one or the new one, never half of one."""

import hashlib
import logging
import re
import secrets
import shutil
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from gpu_pricer.errors import InputError
from gpu_pricer.tables.files.durable import exchange, naming, sync, sync_tree
from gpu_pricer.tables.files.locking import owned, remove_unowned

log = logging.getLogger(__name__)

IDLE_SECONDS = 24 * 3600
"""What nobody wrote to for this long belongs to a run that died, on whatever machine."""
HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]
"""In the name of an unfinished file: only on its own machine is a lock sure to tell whether its writer lives."""
PART = re.compile(r"\.(?P<host>[0-9a-f]{4})[0-9a-f]{4}([0-9a-f]{4})?\.part")


def require_own(directory: Path, ours: Collection[str]) -> None:
    """Raise InputError unless the directory holds only names in `ours`, since all of its content is replaced."""
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} must be a directory, found a file: name another place")
    others = sorted(path.name for path in directory.iterdir() if path.name not in ours) if directory.exists() else []
    if others:
        raise InputError(
            f"{directory} is replaced as a whole and must hold nothing else, found {', '.join(others[:3])}: "
            "name another directory"
        )


@contextmanager
def whole_or_absent(path: Path) -> Iterator[None]:
    """Remove the file or directory at `path` if the block that writes it fails or is interrupted."""
    try:
        yield
    except BaseException:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a new path beside `path`; what the block writes there replaces `path` if the block does not fail.

    The new file is on the disk before it replaces the old one. Of a link the file that it names is replaced. What
    killed writers of the file left beside it is removed. Where the disk is full, the OSError names `path`.
    """
    path = path.resolve()
    _remove_parts(path)
    fresh = path.with_name(f"{path.name}.{HOST}{secrets.token_hex(4)}.part")
    with naming(path), whole_or_absent(fresh), owned(fresh):
        yield fresh
        sync(fresh)
        fresh.replace(path)
    sync(path.parent)


def _remove_parts(path: Path) -> None:
    """Remove the unfinished files beside `path` whose writers have died."""
    parts = [(part, PART.fullmatch(part.name.removeprefix(path.name))) for part in path.parent.glob("*.part")]
    for part, match in parts:
        if match and (match["host"] == HOST or _is_idle(part)):
            remove_unowned(part)


def _is_idle(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > IDLE_SECONDS
    except FileNotFoundError:
        return False


@contextmanager
def replacing(directory: Path, ours: Collection[str]) -> Iterator[Path]:
    """Yield a new empty directory, which replaces `directory` if the block does not fail.

    The new files are on the disk before they replace the old ones. Of a link the directory that it names is replaced.
    If an earlier run was killed between the renames that a file system without exchanges needs, the old directory is
    first put back.
    """
    directory = directory.resolve()
    fresh, stale = directory.with_name(directory.name + ".new"), directory.with_name(directory.name + ".old")
    if stale.exists() and not directory.exists():
        stale.rename(directory)
    require_own(directory, ours)
    for leftover in (fresh, stale):
        shutil.rmtree(leftover, ignore_errors=True)
    with whole_or_absent(fresh):
        fresh.mkdir(parents=True)
        yield fresh
        sync_tree(fresh)
        if not directory.exists():
            fresh.rename(directory)
        elif not exchange(fresh, directory):
            log.info("%s cannot be exchanged in one step on its file system: it is replaced by two renames", directory)
            _swap(fresh, directory, stale)
    try:
        sync(directory.parent)
    finally:
        for old in (fresh, stale):
            shutil.rmtree(old, ignore_errors=True)


def _swap(fresh: Path, directory: Path, stale: Path) -> None:
    """Move the directory out of the way and the fresh one into its place; put the old one back if that fails."""
    try:
        directory.rename(stale)
        fresh.rename(directory)
    except BaseException:
        if not directory.exists():
            stale.rename(directory)
        raise
