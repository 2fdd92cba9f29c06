"""The settings of conf/tune."""

from dataclasses import dataclass

from gpu_pricer.checks import require_flag, require_integer
from gpu_pricer.errors import InputError
from gpu_pricer.tuning.trials import WRITTEN


@dataclass(frozen=True)
class TuneSettings:
    """The settings of a search. Raises InputError or ValueError for values that make no sense.

    space: overrides, each with a sweep. steps: of `run`, that a trial takes. trials: how many there are to be.
    random: how many of them are drawn at random, before any is pruned. folder: where they lie.
    """

    space: list[str]
    steps: list[str]
    trials: int
    random: int
    prune: bool
    folder: str

    def __post_init__(self) -> None:
        if not isinstance(self.space, list) or not all(isinstance(entry, str) and "=" in entry for entry in self.space):
            raise InputError(f"tune.space must be a list of key=sweep, found {self.space!r}")
        if self.steps != [step for step in WRITTEN if step in self.steps] or "train" not in self.steps:
            raise InputError(
                f"tune.steps must be some of {', '.join(WRITTEN)}, in this order, and train, found {self.steps}"
            )
        require_integer("tune.trials", self.trials, 1)
        require_integer("tune.random", self.random, 1)
        require_flag("tune.prune", self.prune)
        if not (isinstance(self.folder, str) and self.folder):
            raise InputError(f"tune.folder must be a path, found {self.folder!r}")
