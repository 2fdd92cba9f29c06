"""tune: a search for the settings with the best objective."""

import importlib
import importlib.util
import logging
from pathlib import Path

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.jobs import run
from gpu_pricer.process.refused_settings import refused_setting
from gpu_pricer.process.run_record import run_job
from gpu_pricer.terminal.printing import print_tables
from gpu_pricer.tuning.objective import Objective
from gpu_pricer.tuning.ranking import ranking_board, write_ranking
from gpu_pricer.tuning.settings import TuneSettings
from gpu_pricer.tuning.trials import in_folder, read_trials

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """Return no files: every trial writes its own run.json with its inputs."""
    return []


def main(config: DictConfig) -> dict[str, object]:
    """Search for the settings of tune.space with the best objective, by Optuna, and rank the trials.

    Reads   paths.data      what `prepare` wrote, unless tune.steps begin with prepare
    Writes  tune.folder     (paths.work/tune) for every trial a work folder 0, 1, … with trial.json, its value and
                            state; ranking.parquet, ranking.csv and ranking.svg; study.log, the search itself

    A trial takes tune.steps of `run`, by default training alone. It is judged by objective.metric, by default the
    validation loss of the best epoch, to which the test periods say nothing. A training that falls behind earlier ones
    is pruned. A search that was ended goes on with the same command; a larger tune.trials lengthens it. Several
    processes may share a folder, each with a seed of its own. It needs Optuna: pip install -e ".[tuning]".

    Example: gpu-pricer tune experiment=tune_network
             gpu-pricer tune tune.trials=8 "tune.space=['model.optimiser.rate=tag(log,interval(1e-3,2e-2))']"
    """
    if importlib.util.find_spec("optuna") is None:
        raise InputError('tune needs Optuna, found none: pip install -e ".[tuning]"')
    settings: TuneSettings = instantiate(config.tune, _convert_="all")
    objective: Objective = instantiate(config.objective)
    if config.trainer.devices * config.trainer.num_nodes > 1:
        raise InputError("tune needs a trainer of one process: use trainer=cpu or trainer=gpu")
    folder = Path(settings.folder)
    given = list(HydraConfig.get().overrides.task)

    def trial(work: Path, overrides: list[str]) -> None:
        """Run a trial's steps in its work folder with the values that the search drew; InputError for refused ones."""
        try:
            run_job("run", run, _trial_config(settings, [*given, *overrides], work))
        except InstantiationException as error:
            raise InputError(refused_setting(error)) from error

    search = importlib.import_module("gpu_pricer.tuning.search").search  # Optuna is optional
    try:
        search(settings, objective, config.seed, trial)
    finally:
        if read_trials(folder):
            table = write_ranking(folder, objective)
            print_tables(ranking_board(table, objective))
    best = table.row(0, named=True)
    if best["rank"] is None:
        raise InputError(
            f"a trial must succeed, found that all {table.height} in {folder} failed: see their lines above"
        )
    return {"trials": table.height, "best": best["folder"], objective.metric: best["value"]}


def _trial_config(settings: TuneSettings, overrides: list[str], work: Path) -> DictConfig:
    """Return the configuration of a trial in a work folder: the command's, with the trial's values."""
    config = compose(HydraConfig.get().job.config_name, overrides)
    config.run.steps, config.run.folds, config.run.seeds = settings.steps, {}, []
    return in_folder(config, settings.steps, work)
