"""Files and directories that are replaced at once: a reader sees the old one or the new one, never half of one."""

import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from gpu_pricer.errors import InputError


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
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a new path beside `path`; what the block writes there replaces `path` if the block does not fail."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with whole_or_absent(fresh):
        yield fresh
        fresh.replace(path)


@contextmanager
def replacing(directory: Path, ours: Collection[str]) -> Iterator[Path]:
    """Yield a new empty directory, which replaces `directory` if the block does not fail.

    If an earlier run was killed between the two renames, the old directory is first put back.
    """
    fresh, stale = directory.with_name(directory.name + ".new"), directory.with_name(directory.name + ".old")
    if stale.exists() and not directory.exists():
        stale.rename(directory)
    require_own(directory, ours)
    for leftover in (fresh, stale):
        shutil.rmtree(leftover, ignore_errors=True)
    with whole_or_absent(fresh):
        fresh.mkdir(parents=True)
        yield fresh
        try:
            if directory.exists():
                directory.rename(stale)
            fresh.rename(directory)
        except BaseException:
            if not directory.exists():
                stale.rename(directory)
            raise
    shutil.rmtree(stale, ignore_errors=True)
