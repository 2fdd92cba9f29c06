"""Full disks: the job works in a file system that has room for so much more and not for what it makes of it."""

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.faults.fault_sites import PAGE, FaultSite

CLONE_NEWNS, MS_REMOUNT, MS_PRIVATE_BELOW = 0x20000, 0x20, 0x44000
MNT_DETACH = 2
LIBC = ctypes.CDLL(None, use_errno=True)


class FullDisk(NamedTuple):
    """A disk with room for so many more pages, or names, than the job finds on it."""

    site: FaultSite
    pages: int | None
    names: int | None

    def __str__(self) -> str:
        room = f"{self.names} names" if self.pages is None else f"{self.pages} pages"
        return f"a disk with room for {room} in {self.site.name}"


def can_mount() -> bool:
    """Let this process and its children mount what no other process sees; return whether the system allows it."""
    return LIBC.unshare(CLONE_NEWNS) == 0 and LIBC.mount(b"none", b"/", None, MS_PRIVATE_BELOW, None) == 0


def full_disks(site: FaultSite) -> list[FullDisk]:
    """Return the disks that are too small for what the site's command writes, from no room at all to nearly enough."""
    by_pages = [FullDisk(site, pages, None) for pages in range(site.room.pages)]
    return by_pages + [FullDisk(site, None, names) for names in range(site.room.names)]


@contextmanager
def laid_out(disk: FullDisk) -> Iterator[Path]:
    """Yield the site's field with the room that the disk has left."""
    field = disk.site.field
    shutil.rmtree(field, ignore_errors=True)
    field.mkdir()
    _mount(field, 0, "mode=755")
    try:
        shutil.copytree(disk.site.template, field, symlinks=True, dirs_exist_ok=True)
        used = os.statvfs(field)
        if disk.pages is None:
            _mount(field, MS_REMOUNT, f"nr_inodes={used.f_files - used.f_ffree + (disk.names or 0)}")
        else:
            _mount(field, MS_REMOUNT, f"size={(used.f_blocks - used.f_bfree + disk.pages) * PAGE or 1}")
        yield field
    finally:
        LIBC.umount2(bytes(field), MNT_DETACH)  # a job that SIGINT left behind may still be in it


def make_room(field: Path) -> None:
    """Let the disk have room again, as its user would before running the job again."""
    _mount(field, MS_REMOUNT, f"size=1g,nr_inodes={10**6}")


def _mount(field: Path, flags: int, options: str) -> None:
    if LIBC.mount(b"tmpfs", bytes(field), b"tmpfs", flags, options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number or errno.EIO, os.strerror(number), str(field))
