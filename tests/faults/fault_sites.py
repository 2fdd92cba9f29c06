"""Where a fault strikes: a job, and the folder that it works in, as earlier jobs on a tiny market left it."""

import atexit
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.faults.children import LONGEST_FIRST, answer_of, composed, job, status_of
from tests.faults.points import Point, points_of, strace_command
from tests.faults.remains import Outcome, age_and_clean, broken_promises, names_below, outcome, unfollowed

PAGE = 4096  # bytes
MARKET = (
    "data=synthetic", "data.source.weeks=20", "data.source.people.users=100", "data.source.people.types=2",
    "data.source.assortment.categories=2", "data.source.assortment.products=8", "backend=cpu",
    "model=tiny", "model.optimiser.steps=20", "train.segments.count=2", "train.response.draws=5",
    "~evaluate.baselines.shrunken_logit", "~evaluate.baselines.lightgbm_monotone", "evaluate.bootstrap.replicates=20",
)  # fmt: skip
QUANTITIES = "data.outliers.quantity_is_plausible.limit=1"  # so that some rows are set aside
KEEP = "+policy.constraints.keep={measure: units, at_least: 0.9, relative_to: current_prices}"
LEARNED = (("prepare", "seed=1"), ("train", "seed=1"))
PRICED = (*LEARNED, ("score",), ("publish",))
JOBS = {
    "prepare": (LEARNED[:1], ("prepare", QUANTITIES)),
    "train": (LEARNED, ("train", "seed=2", "train.resume=true")),
    "score": (PRICED, ("score", "policy.bounds.max_increase=0.1", KEEP)),
    "score into a named folder": (
        PRICED,
        ("score", "paths.shards=prices/tonight", "policy.bounds.max_increase=0.1", "score.cells_per_file=1", KEEP),
    ),
    "publish first": ((*LEARNED, ("score",)), ("publish",)),
    "publish": ((*PRICED, ("score", "policy.bounds.max_increase=0.1")), ("publish",)),
    "publish from elsewhere": (
        (*PRICED, ("score", "policy.bounds.max_increase=0.1", "paths.shards=what-if/dearer")),
        ("publish", "paths.shards=what-if/dearer"),
    ),
    "evaluate": (PRICED, ("evaluate",)),
    "assign": ((*LEARNED, ("assign", "assign.users=work/data/users.parquet", "assign.out=out.parquet")),
               ("assign", "assign.users=work/data/users.parquet", "assign.out=out.parquet")),
    "frontier": (LEARNED, ("score", "frontier=units", "frontier.points=2")),
    "run": (PRICED, ("run", "seed=2", "run.steps=[prepare,train,score,publish]", "publish=unguarded")),
}  # fmt: skip
"""By name of a fault site the commands that come before, and the one that the fault strikes."""


class Room(NamedTuple):
    """The pages of a disk that new contents of files take, and the names of what is new or changed."""

    pages: int
    names: int


@dataclass(frozen=True)
class FaultSite:
    """A command, the folder that it finds and what it makes of it undisturbed.

    field: where the folder is laid out anew for each fault. names, names_before: the paths of files after and before.
    points: the changes that the command makes in the folder. room: the disk that it needs.
    """

    name: str
    command: tuple[str, ...]
    template: Path
    field: Path
    said: Path
    before: Outcome
    after: Outcome
    names: frozenset[str]
    names_before: frozenset[str]
    points: tuple[Point, ...]
    room: Room

    def lay_out(self) -> None:
        """Make the field what the command finds."""
        shutil.rmtree(self.field, ignore_errors=True)
        shutil.copytree(self.template, self.field, symlinks=True)

    def neither(self, made: Outcome, status: int | str) -> list[str]:
        """Return what is neither as before nor as after an undisturbed run; after status 0 it must be the latter."""
        may_be = {name: {self.after[name], *([self.before[name]] if status != 0 else [])} for name in made}
        return [f"{name} is neither old nor new, status {status}" for name in made if made[name] not in may_be[name]]

    def again(self) -> list[str]:
        """Run the command again, in this process, and return in what the folder differs from an undisturbed run's."""
        status = job_of(self.command)()
        if status != 0:
            return [f"status {status} of the rerun"]
        made = outcome()
        found = [f"the rerun made another {name}" for name in made if made[name] != self.after[name]]
        found += broken_promises() + unfollowed()
        age_and_clean()
        names = {*names_below()}
        found += [f"left over: {name}" for name in sorted(names - self.names)]
        return found + [f"missing: {name}" for name in sorted(self.names - names)]

    def run(self, strace: list[str] | None = None) -> int | str:
        """Run the command in the field and return how it ended."""
        return status_of(job_of(self.command), self.field, self.said, strace or ())


def job_of(command: tuple[str, ...]) -> Callable[[], int]:
    """Return a function that runs the command on the tiny market."""
    return job(composed((*MARKET, *command[1:])), command[0])


@cache
def fault_sites(names: tuple[str, ...] = tuple(JOBS)) -> list[FaultSite]:
    """Return the fault sites of those names, laid out once for all parts, in a folder that goes as the process ends."""
    root = TemporaryDirectory(prefix="faults-")
    atexit.register(root.cleanup)
    return [_fault_site(Path(root.name), name) for name in names]


def _fault_site(root: Path, name: str) -> FaultSite:
    earlier, command = JOBS[name]
    template, field = template_after(root, earlier), root / "field"
    said, log = root / "said", root / "trace"
    shutil.rmtree(field, ignore_errors=True)
    shutil.copytree(template, field, symlinks=True)
    before, names_before = answer_of(outcome, field, said), answer_of(names_below, field, said)
    times = _change_times(field)
    _require_success(name, status_of(job_of(command), field, said, strace_command(log), LONGEST_FIRST), said)
    room = _room_of([path for path, time in _change_times(field).items() if times.get(path) != time])
    after, names = answer_of(outcome, field, said), answer_of(names_below, field, said)
    every_name = frozenset(names), frozenset(names_before)
    points = tuple(points_of(log, field))
    return FaultSite(name, command, template, field, said, before, after, *every_name, points, room)


def _change_times(folder: Path) -> dict[Path, float]:
    return {path: path.lstat().st_mtime for path in folder.rglob("*")}


def _room_of(made: list[Path]) -> Room:
    return Room(sum(-(-path.lstat().st_size // PAGE) for path in made if not path.is_dir()), len(made))


def template_after(root: Path, commands: tuple[tuple[str, ...], ...]) -> Path:
    """Return a folder in which the commands were run; it is made once."""
    folder = root / f"after-{abs(hash(commands)):x}"
    if not commands:
        folder.mkdir(exist_ok=True)
    elif not folder.exists():
        field = root / "field"
        earlier = template_after(root, commands[:-1])
        shutil.rmtree(field, ignore_errors=True)
        shutil.copytree(earlier, field, symlinks=True)
        status = status_of(job_of(commands[-1]), field, root / "said", longest=LONGEST_FIRST)
        _require_success(" ".join(commands[-1]), status, root / "said")
        field.rename(folder)
    return folder


def _require_success(name: str, status: int | str, said: Path) -> None:
    if status != 0:
        raise RuntimeError(f"{name} must end with status 0 undisturbed, found {status}: {said.read_text()[-3000:]}")
