"""Kills: SIGKILL, SIGTERM or SIGINT at a change that a job makes on the disk, then what is left, then the job again."""

import signal
from typing import NamedTuple

from tests.faults.children import answer_of, warm
from tests.faults.counts import Counts
from tests.faults.fault_sites import FaultSite, fault_sites
from tests.faults.points import Point, require_strace, strace_command
from tests.faults.remains import broken_promises, outcome, unfinished, unfollowed
from tests.faults.striking import sample, strike

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Kill(NamedTuple):
    """A signal as a job comes to a change; the change is then not made if the signal is SIGKILL."""

    number: signal.Signals
    site: FaultSite
    point: Point

    def __str__(self) -> str:
        return f"{self.number.name} in {self.site.name} at {self.point}"


def run(limit: int, seed: int) -> Counts:
    """Return the counts of a random sample of kills, of as many at each job."""
    require_strace()
    warm()
    return strike("kills", sample([*map(_kills, fault_sites())], limit, seed), inflict)


def _kills(site: FaultSite) -> list[Kill]:
    """Return the kills at a site; SIGKILL ends any thread's call alike, the others must not come before the job."""
    kills = [Kill(number, site, point) for point in site.points for number in SIGNALS]
    return [kill for kill in kills if kill.point.is_alone or kill.number == signal.SIGKILL]


def inflict(kill: Kill) -> list[str] | None:
    """Return the promises that the kill broke; None if the job ended before it came there."""
    number, site, point = kill
    log = site.said.with_name("trace")
    site.lay_out()
    status = site.run(strace_command(log, f"{point.call}:signal={number.name}:when={point.number}"))
    is_hit = status == -signal.SIGKILL if number == signal.SIGKILL else f"--- {number.name} " in log.read_text()
    if not is_hit:
        return None
    said = site.said.read_text()
    found = answer_of(lambda: _left(kill, status), site.field, site.said)
    allowed = [-signal.SIGKILL] if number == signal.SIGKILL else [128 + number, 0]
    if status not in allowed:
        found.insert(0, f"status {status}, must be of {allowed}: {said[-1500:]}")
    return found


def _left(kill: Kill, status: int | str) -> list[str]:
    """Return what is wrong with what the kill left, and with what running the job again makes of it."""
    found = broken_promises() + kill.site.neither(outcome(), status)
    if kill.number != signal.SIGKILL:
        found += unfollowed() + [f"left over at once: {version}" for version in unfinished()]
    return found + kill.site.again()
