"""Storage faults: a change that a job makes on the disk fails once, as on a broken disk, or a disk stays full."""

import sys
from typing import NamedTuple

from tests.faults.children import answer_of, warm
from tests.faults.counts import Counts
from tests.faults.full_disk import FullDisk, can_mount, full_disks, laid_out, make_room
from tests.faults.points import NAMING, OPENING, Point, injected, require_strace, tracing
from tests.faults.remains import broken_promises, names_below, outcome, unfinished
from tests.faults.scenes import FaultSite, scenes
from tests.faults.striking import sample, strike

REMOVING = ("unlink", "unlinkat", "rmdir")


class StorageFault(NamedTuple):
    """The system's answer to a change that a job makes."""

    error: str
    scene: FaultSite
    point: Point

    def __str__(self) -> str:
        return f"{self.error} in {self.scene.name} at {self.point}"


def run(limit: int, seed: int) -> Counts:
    """Return the counts of a random sample of faults, of as many in each job, half of them full disks."""
    require_strace()
    warm()
    is_mounted = can_mount()
    if not is_mounted:
        print("storage_faults: no disk is filled, because this system lets no process mount one", file=sys.stderr)
    with scenes() as places:
        faults: list[list[StorageFault | FullDisk]] = [
            [
                StorageFault(error, scene, point)
                for point in scene.points
                if point.is_alone
                for error in _errors(point.call)
            ]
            for scene in places
        ]
        if is_mounted:
            faults += [[*full_disks(scene)] for scene in places]
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
    scene = disk.scene
    with laid_out(disk) as field:
        status, said = scene.run(), scene.said.read_text()
        if status == 0 and "No space left" not in said:
            return None
        found = _said_wrong(status, said) + answer_of(lambda: _left(scene, status), field, scene.said)
        make_room(field)
        return found + answer_of(scene.again, field, scene.said)


def _fail(fault: StorageFault) -> list[str] | None:
    """Return the promises that a change that failed broke; None if no change in the folder did."""
    error, scene, point = fault
    log = scene.said.with_name("trace")
    scene.lay_out()
    status = scene.run(tracing(log, f"{point.call}:error={error}:when={point.number}"))
    if injected(log, scene.field) < 1:
        return None
    found = _said_wrong(status, scene.said.read_text())
    could_remove = point.call not in REMOVING
    found += answer_of(lambda: _left(scene, status, could_remove), scene.field, scene.said)
    return found + answer_of(scene.again, scene.field, scene.said)


def _said_wrong(status: int | str, said: str) -> list[str]:
    """Return what is wrong with the status and the lines of a job whose storage failed."""
    if status == 0:
        return []
    lines = [line for line in said.splitlines() if line.startswith("gpu-pricer ")]
    if status != 2 or len(lines) != 1 or "Traceback" in said:
        return [f"status {status} must be 2 with one line: {said[-1500:]}"]
    return []


def _left(scene: FaultSite, status: int | str, could_remove: bool = True) -> list[str]:
    """Return what is wrong with what the fault left; what could not be removed stays until the job runs again."""
    found = broken_promises() + scene.neither(outcome(), status)
    if could_remove:
        names = {*names_below()} - scene.names - scene.names_before
        found += [f"left over at once: {name}" for name in [*sorted(names), *unfinished()]]
    return found
