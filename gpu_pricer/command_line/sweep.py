"""A sweep of a job over settings: each run of the job is a trial in a folder of its own, and the trials are ranked."""

from collections.abc import Callable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.tuning.objective import Objective
from gpu_pricer.tuning.trials import in_folder, read_trials, recorded, steps_of


def take_trial(
    sweeps: dict[Path, Objective], job: str, work: Callable[[DictConfig], object], config: DictConfig
) -> None:
    """Do the job's work as one trial of a sweep, in a folder of its own; note the sweep's folder in `sweeps`."""
    told, folder, objective = HydraConfig.get(), trial_folder(), instantiate(config.objective)
    sweeps[folder.parent] = objective
    trial = in_folder(config, steps_of(job, config), folder)
    with recorded(told.job.num, folder, list(told.overrides.task), objective):
        work(trial)


def trial_folder() -> Path:
    """Return the folder that Hydra names for the trial that it runs now."""
    sweep = HydraConfig.get().sweep
    return Path(sweep.dir) / sweep.subdir


def rank(sweep: Path, objective: Objective) -> None:
    """Write the ranking of a sweep's trials, and print it where the objective was measured."""
    from gpu_pricer.terminal.printing import print_tables
    from gpu_pricer.tuning.ranking import ranking_board, write_ranking  # matplotlib would slow every command's start

    if not read_trials(sweep):
        return
    table = write_ranking(sweep, objective)
    if table["value"].is_not_null().any():
        print_tables(ranking_board(table, objective))
