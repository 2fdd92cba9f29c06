"""What makes written files outlast a loss of power, and lets a folder take another's place in one step."""

import ctypes
import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AT_FDCWD = -100
RENAME_EXCHANGE = 2
UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
"""How kernels and file systems without exchanges answer; network file systems mostly have none."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the path in an OSError of the block that names no file, such as that of a disk that is full."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def sync(path: Path) -> None:
    """Have the file's content, or the folder's list of names, written to the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_tree(folder: Path) -> None:
    """Have all files below a folder written to the disk, and then the names of all."""
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            sync(Path(parent, name))
        sync(Path(parent))


def exchange(one: Path, other: Path) -> bool:
    """Let two paths swap what they name, in one step (Linux's renameat2); return False where that is not supported."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), ctypes.c_uint(RENAME_EXCHANGE)) == 0:
        return True
    number = ctypes.get_errno()
    if number in UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def checksums(folder: Path, from_disk: bool = True) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder by relative path.

    from_disk: read the disk, where the system allows, and not what may still be in memory of what was just written.
    """
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): checksum(path, from_disk) for path in files}


def checksum(path: Path, from_disk: bool) -> str:
    """Return the SHA-256 of a file; from_disk: see checksums."""
    with path.open("rb") as file:
        if from_disk:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(file, "sha256").hexdigest()
