"""What `run` does: which steps, and whether once or for every fold and seed of a benchmark."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from omegaconf import DictConfig, OmegaConf

from gpu_pricer.checks import require_integer
from gpu_pricer.errors import InputError

STEPS = ("prepare", "train", "score", "publish", "evaluate")
REPEATED_PATHS = ("work", "prices")


@dataclass(frozen=True)
class Plan:
    """steps: those to run, in order; folds: the overrides that make each, by name; seeds: one run of a fold each."""

    steps: list[str]
    folds: dict[str, list[str]]
    seeds: list[int]

    def __post_init__(self) -> None:
        if not self.steps or self.steps != [step for step in STEPS if step in self.steps]:
            raise InputError(f"run.steps must be some of {', '.join(STEPS)}, in this order, found {self.steps}")
        for name, overrides in self.folds.items():
            if not (
                name.replace("_", "").isalnum() and isinstance(overrides, list) and all(map(_is_override, overrides))
            ):
                raise InputError(f"run.folds must map names to lists of key=value, found {name!r}: {overrides!r}")
        for seed in self.seeds:
            require_integer("each of run.seeds", seed, 0)
        if len({*self.seeds}) < len(self.seeds):
            raise InputError(f"run.seeds must differ, found {self.seeds}")

    @property
    def is_repeated(self) -> bool:
        """Whether there is more to do than one run in paths.work."""
        return bool(self.folds or self.seeds)

    def configs(self, config: DictConfig) -> Iterator[tuple[str, str, DictConfig]]:
        """The fold's name, the run's and the run's configuration, which writes to folders of its own."""
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
