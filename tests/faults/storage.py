"""Storage faults: a change that a job makes on the disk fails once, as on a broken disk, or a disk stays full."""

import sys
from typing import NamedTuple

from tests.faults.children import answer_of, warm
from tests.faults.counts import Counts
from tests.faults.fault_sites import FaultSite, fault_sites
from tests.faults.full_disk import FullDisk, can_mount, full_disks, laid_out, make_room
from tests.faults.points import NAMING, OPENING, Point, injected, require_strace, strace_command
from tests.faults.remains import broken_promises, names_below, outcome, unfinished
from tests.faults.striking import sample, strike

REMOVING = ("unlink", "unlinkat", "rmdir")


class StorageFault(NamedTuple):
    """The system's answer to a change that a job makes."""

    error: str
    site: FaultSite
    point: Point

    def __str__(self) -> str:
        return f"{self.error} in {self.site.name} at {self.point}"


def run(limit: int, seed: int) -> Counts:
    """Return the counts of a random sample of faults, of as many in each job, half of them full disks."""
    require_strace()
    warm()
    is_mounted = can_mount()
    if not is_mounted:
        print("storage_faults: no disk is filled, because this system lets no process mount one", file=sys.stderr)
    faults: list[list[StorageFault | FullDisk]] = [
        [StorageFault(error, site, point) for point in site.points if point.is_alone for error in _errors(point.call)]
        for site in fault_sites()
    ]
    if is_mounted:
        faults += [[*full_disks(site)] for site in fault_sites()]
    return strike("storage_faults", sample(faults, limit, seed), inflict)


def _errors(call: str) -> tuple[str, ...]:
    """Return the errors that storage answers a call with; what is removed needs no room."""
    if call in REMOVING:
        return ("EIO", "EROFS")
    return ("ENOSPC", "EIO", "EROFS") if call in (*NAMING, OPENING) else ("ENOSPC", "EIO")


def inflict(fault: StorageFault | FullDisk) -> list[str] | None:
    """Return the promises that the fault broke; None if it struck nothing in the folder."""
    return _fill(fault) if isinstance(fault, FullDisk) else _fail(fault)


def _fill(disk: FullDisk) -> list[str] | None:
    """Return the promises that a job on a full disk broke; None if there was room enough."""
    site = disk.site
    with laid_out(disk) as field:
        status, said = site.run(), site.said.read_text()
        if status == 0 and "No space left" not in said:
            return None
        found = _said_wrong(status, said) + answer_of(lambda: _left(site, status), field, site.said)
        make_room(field)
        return found + answer_of(site.again, field, site.said)


def _fail(fault: StorageFault) -> list[str] | None:
    """Return the promises that a change that failed broke; None if no change in the folder did."""
    error, site, point = fault
    log = site.said.with_name("trace")
    site.lay_out()
    status = site.run(strace_command(log, f"{point.call}:error={error}:when={point.number}"))
    if injected(log, site.field) < 1:
        return None
    found = _said_wrong(status, site.said.read_text())
    could_remove = point.call not in REMOVING
    found += answer_of(lambda: _left(site, status, could_remove), site.field, site.said)
    return found + answer_of(site.again, site.field, site.said)


def _said_wrong(status: int | str, said: str) -> list[str]:
    """Return what is wrong with the status and the lines of a job whose storage failed."""
    if status == 0:
        return []
    lines = [line for line in said.splitlines() if line.startswith("gpu-pricer ")]
    if status != 2 or len(lines) != 1 or "Traceback" in said:
        return [f"status {status} must be 2 with one line: {said[-1500:]}"]
    return []


def _left(site: FaultSite, status: int | str, could_remove: bool = True) -> list[str]:
    """Return what is wrong with what the fault left; what could not be removed stays until the job runs again."""
    found = broken_promises() + site.neither(outcome(), status)
    if could_remove:
        names = {*names_below()} - site.names - site.names_before
        found += [f"left over at once: {name}" for name in [*sorted(names), *unfinished()]]
    return found
