"""Trials: what each one changes, the folder that it alone writes to, and trial.json, which says how it ended."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf

from gpu_pricer.errors import Pruned
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tuning.objective import Objective

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
RECORD = "trial.json"
WRITTEN = {
    "prepare": ("data", "truth"),
    "train": ("demand",),
    "score": ("prices", "shards"),
    "evaluate": (),
    "publish": ("prices",),
}
"""What each step writes beside paths.work, as keys of paths."""
SWEPT = ("prepare", "train", "score", "run")
"""The jobs whose trials get work folders of their own; the others write only what they are told."""


@dataclass(frozen=True)
class Trial:
    """How a trial ended.

    value: of the objective; of a pruned trial the validation loss at which it ended; None if it measured none.
    overrides: key=value, of which the trial consists. folder: its work folder.
    """

    number: int
    state: str
    value: float | None
    seconds: float
    folder: str
    overrides: list[str]


@contextmanager
def recorded(number: int, folder: Path, overrides: Sequence[str], objective: Objective) -> Iterator[None]:
    """Write trial.json into the folder when the block ends: with the objective's value, or as pruned or failed.

    Pruned does not leave the block; every other exception does.
    """
    clock, value, state = time.perf_counter(), None, FAILED
    try:
        yield
        value, state = objective.value(folder), COMPLETE
    except Pruned as pruned:
        value, state = pruned.loss, PRUNED
    finally:
        seconds = round(time.perf_counter() - clock, 2)
        folder.mkdir(parents=True, exist_ok=True)
        with replacing_file(folder / RECORD) as fresh:
            trial = Trial(number, state, value, seconds, str(folder), list(overrides))
            fresh.write_text(json.dumps(asdict(trial), indent=2) + "\n")


def read_trial(folder: Path) -> Trial:
    """Return how the trial in the folder ended."""
    return Trial(**json.loads((folder / RECORD).read_text()))


def read_trials(sweep: Path) -> list[Trial]:
    """Return the trials of a sweep that have ended, by number."""
    found = [read_trial(file.parent) for file in sweep.glob(f"*/{RECORD}")]
    return sorted(found, key=lambda trial: trial.number)


def in_folder(config: DictConfig, steps: Sequence[str], folder: Path) -> DictConfig:
    """Return the configuration of a trial that takes the steps: what they write lies in `folder`.

    What they only read stays where it is, but for paths that follow one that moves, as the catalog follows the data.
    """
    moved = {key for step in steps for key in WRITTEN[step]}
    given = cast(dict[str, str | None], OmegaConf.to_container(config.paths, resolve=False))
    found = cast(dict[str, str | None], OmegaConf.to_container(config.paths, resolve=True))
    paths = {"work": str(folder), "metrics": None}  # metrics are of the nightly job, which a trial is none of
    for key in found.keys() - paths.keys():
        if key in moved:
            paths[key] = None if found[key] is None else str(folder / key)
        elif not any(f"paths.{name}}}" in str(given[key]) for name in moved):
            paths[key] = found[key]
    return cast(DictConfig, OmegaConf.merge(config, {"paths": paths}))


def steps_of(job: str, config: DictConfig) -> list[str]:
    """Return the steps that a job takes: those of run.steps, or itself."""
    return list(config.run.steps) if job == "run" else [job]
