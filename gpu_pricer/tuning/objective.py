"""The objective of trials: the one number by which a sweep or a search ranks them."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gpu_pricer.errors import InputError
from gpu_pricer.tables.version.names import METRICS_FILE

FILES = {"train": "train/run.json", "evaluate": METRICS_FILE}
"""Where in a work folder a job leaves its numbers, by the job."""
MINIMISE, MAXIMISE = "minimise", "maximise"


@dataclass(frozen=True)
class Objective:
    """A number that a job leaves in its work folder. Raises InputError for a job that leaves none, or another goal.

    metric: the job, then the dotted key of the number, such as evaluate.test.log_loss. goal: minimise or maximise.
    """

    metric: str
    goal: str

    def __post_init__(self) -> None:
        job, _, key = str(self.metric).partition(".")
        if job not in FILES or not key:
            raise InputError(
                f"objective.metric must be train.KEY or evaluate.KEY, found {self.metric!r}: "
                "set objective.metric=train.validation_loss"
            )
        if self.goal not in (MINIMISE, MAXIMISE):
            raise InputError(f"objective.goal must be {MINIMISE} or {MAXIMISE}, found {self.goal!r}")

    def value(self, work: Path) -> float | None:
        """Return the number that the job left in the work folder, None where the job left none.

        Raise InputError where its file has no such number.
        """
        job, _, key = self.metric.partition(".")
        file = work / FILES[job]
        if not file.is_file():
            return None
        numbers = dict(_numbers(json.loads(file.read_text())))
        if key not in numbers:
            near = difflib.get_close_matches(key, numbers, n=1)
            hint = f"did you mean {job}.{near[0]}?" if near else f"look into {file}"
            raise InputError(f"objective.metric must be a number of {file}, found no {key!r}: {hint}")
        return numbers[key]


def _numbers(block: dict, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the dotted key of every number in nested mappings, and the number."""
    for name, entry in block.items():
        key = f"{prefix}{name}"
        if isinstance(entry, dict):
            yield from _numbers(entry, f"{key}.")
        elif isinstance(entry, int | float) and not isinstance(entry, bool):
            yield key, float(entry)
