"""Lock files: a job says that it uses a folder, and a job that would disturb it ends with one line.

The kernel holds the lock and frees it when the process ends, however it ends, so that no lock outlives its owner. The
text in the file only says who the owner is.
"""

import fcntl
import logging
import math
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from gpu_pricer.errors import InputError

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds to wait for a lock: another process may hold it for a moment, to see whether it can remove the file."""
PAUSE = 0.02


@contextmanager
def locked(path: Path, purpose: str, shared: bool = False) -> Iterator[None]:
    """Hold the lock file at `path` during the block; its folder is made if it is absent.

    purpose: what this process does meanwhile, for others to read. shared: other processes may hold the lock too, if all
    of them share it. Raise InputError, with the owner and its age, if another process holds the lock, of whatever user.
    On a file system without locks the block runs unguarded, and the log says so.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        file = _acquired(path, kind)
    except BlockingIOError as error:
        raise InputError(f"{path.parent} must be free to {purpose}, found it in use: {_owner(path)}: wait") from error
    except OSError as error:
        log.warning("%s cannot be locked against a second job (%s)", path.parent, error)
        yield
        return
    try:
        _name_owner(file, purpose)
        yield
    finally:
        _release(path, file)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` during the block, after every other process that holds it; its folder must exist.

    On a file system without locks the block runs at once, beside those of others, and the log says so.
    """
    try:
        file = _acquired(path, fcntl.LOCK_EX, math.inf)
    except OSError as error:
        log.warning("%s cannot be locked, so that this task does not wait for others (%s)", path.parent, error)
        yield
        return
    try:
        yield
    finally:
        _release(path, file)


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Make the file at `path` and hold it during the block, so that remove_unowned passes it by.

    On a file system without locks the block runs unguarded.
    """
    try:
        file = _acquired(path, fcntl.LOCK_EX)
    except OSError as error:
        log.debug("nothing shows that %s is being written (%s)", path, error)
        yield
        return
    try:
        yield
    finally:
        os.close(file)


def remove_unowned(path: Path) -> None:
    """Remove the file unless a process holds it, or the file system cannot tell."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return
    _release(path, file)


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock file at `path`."""
    try:
        file = _opened(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False


def _acquired(path: Path, kind: int, patience: float | None = None) -> int:
    """Return the open lock file, locked; raise BlockingIOError if it stays locked by others.

    patience: the seconds to wait, by default PATIENCE.

    A file that its owner removed meanwhile guards nothing: then the file that took its place is locked.
    """
    deadline = time.monotonic() + (PATIENCE if patience is None else patience)
    while True:
        file = _opened(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            if _is_at(path, file):
                return file
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(file)
                raise
            time.sleep(PAUSE)
        except OSError:
            os.close(file)
            raise
        os.close(file)


def _opened(path: Path, flags: int) -> int:
    """Return the opened lock file; that of another user, which this one may not write, is opened to read.

    The kernel takes a lock on either. Network file systems want to write for one, and refuse it.
    """
    with suppress(PermissionError):
        return os.open(path, flags, 0o666)
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # its owner has removed it since, or no file can be made in its folder
        return os.open(path, flags, 0o666)


def _name_owner(file: int, purpose: str) -> None:
    """Write into a locked file who holds it; one that another user left keeps its text."""
    if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDWR:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    os.ftruncate(file, 0)
    os.pwrite(file, f"{purpose} by process {os.getpid()} on {socket.gethostname()} since {now}\n".encode(), 0)


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _release(path: Path, file: int) -> None:
    """Free the lock, and remove its file unless others share it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(path, file):
            path.unlink()
    except OSError:
        log.debug("%s stays for those who share it", path)
    finally:
        os.close(file)


def _owner(path: Path) -> str:
    """Return what the lock file says of its owner, and for how long it has been there."""
    try:
        text, age = path.read_text().strip(), time.time() - path.stat().st_mtime
    except OSError:
        return "its owner has just ended"
    return f"{text or 'an owner without a name'} ({max(age, 0) / 60:.0f} minutes)"
