"""The plan of `run`: its steps, done once or for every fold and seed of a benchmark."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from omegaconf import DictConfig, OmegaConf

from gpu_pricer.checks import require_integer
from gpu_pricer.errors import InputError

STEPS = ("prepare", "train", "score", "evaluate", "publish")
REPEATED_PATHS = ("work", "prices")


@dataclass(frozen=True)
class RunPlan:
    """The plan of a run. Raises InputError or ValueError for values out of range.

    steps: those to run, in the order of STEPS. folds: by name, the overrides that make each fold. seeds: one run of
    every fold for each; empty to use the configuration's seed.
    """

    steps: list[str]
    folds: dict[str, list[str]]
    seeds: list[int]

    def __post_init__(self) -> None:
        if (
            not isinstance(self.steps, list)
            or not self.steps
            or self.steps != [step for step in STEPS if step in self.steps]
        ):
            raise InputError(f"run.steps must be some of {', '.join(STEPS)}, in this order, found {self.steps}")
        if not isinstance(self.folds, dict):
            raise InputError(f"run.folds must map names to lists of key=value, found {self.folds!r}")
        for name, overrides in self.folds.items():
            if not (
                name.replace("_", "").isalnum() and isinstance(overrides, list) and all(map(_is_override, overrides))
            ):
                raise InputError(f"run.folds must map names to lists of key=value, found {name!r}: {overrides!r}")
        if not isinstance(self.seeds, list):
            raise InputError(f"run.seeds must be a list such as [0,1,2], found {self.seeds!r}")
        for seed in self.seeds:
            require_integer("each of run.seeds", seed, 0)
        if len({*self.seeds}) < len(self.seeds):
            raise InputError(f"run.seeds must differ, found {self.seeds}")

    @property
    def is_repeated(self) -> bool:
        """Return whether there are folds or seeds, so that runs need folders of their own."""
        return bool(self.folds or self.seeds)

    def configs(self, config: DictConfig) -> Iterator[tuple[str, str, DictConfig]]:
        """Yield each run: the fold's name, the run's name, and a configuration that writes to the run's own folders.

        Raises InputError for a trainer of several processes.
        """
        if config.trainer.devices * config.trainer.num_nodes > 1:
            raise InputError("run.folds and run.seeds need a trainer of one process: use trainer=cpu or trainer=gpu")
        for fold, overrides in (self.folds or {"": []}).items():
            for seed in self.seeds or [config.seed]:
                name = "/".join(filter(None, (fold, f"seed{seed}")))
                folders = {key: f"{config.paths[key]}/{name}" for key in REPEATED_PATHS}
                changes = OmegaConf.from_dotlist(overrides), {"seed": seed, "paths": folders}
                yield fold, name, cast(DictConfig, OmegaConf.merge(config, *changes))


def _is_override(text: object) -> bool:
    return isinstance(text, str) and "=" in text
