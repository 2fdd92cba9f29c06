"""Kills of a watch while files of events come: in the end each file must be in one published version, and no two."""

import json
import shutil
import signal
from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import NamedTuple

import polars as pl
from deltalake import DeltaTable

from gpu_pricer.jobs import reprice
from tests.faults.children import LONGEST_FIRST, answer_of, composed, job, status_of, warm
from tests.faults.counts import Counts
from tests.faults.fault_sites import LEARNED, MARKET, template_after
from tests.faults.points import Point, points_of, require_strace, strace_command
from tests.faults.remains import broken_promises, outcome, unfollowed
from tests.faults.striking import sample, strike

POLICY = "policy=profit"  # whose prices do not depend on which files came together
BEFORE = (*LEARNED, ("score", POLICY), ("publish",))
INCOMING = Path("incoming")
ARRIVALS = (("a",), ("b", "c"))
"""The files that come, each time that the watch has nothing to do."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Kill(NamedTuple):
    """A signal as the watch comes to a change."""

    number: signal.Signals
    point: Point

    def __str__(self) -> str:
        return f"{self.number.name} of a watch at {self.point}"


class Place(NamedTuple):
    """The folder before the watch, the one laid out for each kill, what the children say, and undisturbed prices."""

    before: Path
    field: Path
    said: Path
    published: str

    def lay_out(self) -> None:
        """Make the field what the watch finds."""
        shutil.rmtree(self.field, ignore_errors=True)
        shutil.copytree(self.before, self.field, symlinks=True)
        (self.field / INCOMING).mkdir()


def run(limit: int, seed: int) -> Counts:
    """Return the counts of a random sample of kills."""
    require_strace()
    warm()
    with TemporaryDirectory(prefix="watch-") as root:
        place, points = _undisturbed(Path(root))
        kills = [[Kill(number, point) for point in points if point.is_alone or number == signal.SIGKILL]
                 for number in SIGNALS]  # fmt: skip
        return strike("watch_kills", sample(kills, limit, seed), partial(inflict, place))


def _undisturbed(root: Path) -> tuple[Place, list[Point]]:
    """Return the place, and the changes that an undisturbed watch makes, those by which files come left out."""
    place = Place(template_after(root, BEFORE), root / "field", root / "said", "")
    place.lay_out()
    log = root / "trace"
    status = status_of(watched, place.field, place.said, strace_command(log), LONGEST_FIRST)
    wrong = answer_of(_wrong, place.field, place.said)
    if status != 0 or wrong:
        raise RuntimeError(
            f"an undisturbed watch must take all files, found {status}, {wrong}: {place.said.read_text()}"
        )
    published = answer_of(outcome, place.field, place.said)["published"]
    points = [point for point in points_of(log, place.field) if str(INCOMING) not in point.about]
    return place._replace(published=published), points


def inflict(place: Place, kill: Kill) -> list[str] | None:
    """Return the promises that the kill broke, at once or once the watch was started again; None if it did not come."""
    log, point = place.said.with_name("trace"), kill.point
    place.lay_out()
    status = status_of(
        watched,
        place.field,
        place.said,
        strace_command(log, f"{point.call}:signal={kill.number.name}:when={point.number}"),
    )
    is_killed = kill.number == signal.SIGKILL
    if not (status == -signal.SIGKILL if is_killed else f"--- {kill.number.name} " in log.read_text()):
        return None
    found = answer_of(_repeated, place.field, place.said) + answer_of(broken_promises, place.field, place.said)
    if status not in ([-signal.SIGKILL] if is_killed else [128 + kill.number, 0]):
        found.append(f"status {status}")
    again = status_of(watched, place.field, place.said)
    if again != 0:
        return [*found, f"status {again} of the watch that was started again: {place.said.read_text()[-1500:]}"]
    found += answer_of(_wrong, place.field, place.said)
    published = answer_of(outcome, place.field, place.said)["published"]
    return found + ([] if published == place.published else ["other prices than an undisturbed watch's"])


def watched() -> int:
    """Watch the folder while files come, and end as by Ctrl+C when all have; for a child, whose clock it replaces."""
    arrivals = iter(ARRIVALS)

    def wait(seconds: float) -> None:
        names = next(arrivals, None)
        if names is None:
            raise KeyboardInterrupt
        for name in names:
            _put(name)

    reprice.time = SimpleNamespace(sleep=wait)  # type: ignore[assignment]
    config = composed((*MARKET, POLICY, f"events={INCOMING}", "watch=true"))
    status = job(config, "reprice")()
    return 0 if status == 128 + signal.SIGINT and next(arrivals, None) is None else status


def _put(name: str) -> None:
    """Put a file with another cost of one product into the folder, unless it came before a kill."""
    place = INCOMING / f"{name}.parquet"
    if place.exists():
        return
    catalog = pl.read_parquet("work/data/products.parquet").sort("product_id")
    row = catalog.slice(ord(name) - ord("a"), 1)
    row.select("product_id", cost=pl.col("cost") * 1.1).write_parquet(INCOMING / f".{name}")
    (INCOMING / f".{name}").rename(place)


def _taken() -> Counter[str]:
    """Return how many published versions took each file."""
    marks = [json.loads(entry.get("events", "[]")) for entry in DeltaTable("prices").history()]
    return Counter(mark.partition(":")[0] for taken in marks for mark in taken)


def _repeated() -> list[str]:
    return [f"{name} was taken {count} times" for name, count in _taken().items() if count > 1]


def _wrong() -> list[str]:
    """Return what is wrong after the last file: one that is in no version or in two, or a link that does not follow."""
    taken = _taken()
    lost = [name for names in ARRIVALS for name in names if f"{name}.parquet" not in taken]
    return [f"{name} is in no version" for name in lost] + _repeated() + unfollowed()
