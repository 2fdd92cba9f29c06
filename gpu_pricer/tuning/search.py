"""A search for good settings: Optuna draws a trial's values, the trial runs, and Optuna learns how it ended."""

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState

from gpu_pricer.errors import InputError, Pruned, Refused, first_line
from gpu_pricer.network.training.reporting import told_every_epoch
from gpu_pricer.tuning.objective import MAXIMISE, Objective
from gpu_pricer.tuning.settings import TuneSettings
from gpu_pricer.tuning.space import distributions
from gpu_pricer.tuning.trials import COMPLETE, PRUNED, read_trial, recorded

log = logging.getLogger(__name__)

JOURNAL = "study.log"
SPACE = "space"
WARM_UP = 2
"""Epochs after which the first trial can be pruned: at the start a high rate looks worse than it is."""
OF_OPTUNA = {COMPLETE: TrialState.COMPLETE, PRUNED: TrialState.PRUNED}
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

Run = Callable[[Path, list[str]], object]
"""Runs a trial in a folder with overrides; raises Pruned where a training was ended, InputError or Refused."""


def search(settings: TuneSettings, objective: Objective, seed: int, run: Run) -> None:
    """Run trials until the folder of the search holds settings.trials of them.

    A trial that raises InputError or Refused counts as failed, and the search goes on; any other error ends it. Raise
    InputError where the folder holds a search of another space or objective, or the objective is never measured.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space, folder = distributions(settings.space), Path(settings.folder)
    study = _study(settings, objective, seed)
    while len(study.get_trials(deepcopy=False, states=ENDED)) < settings.trials:
        trial = study.ask(space)
        overrides = [f"{key}={_text(value)}" for key, value in trial.params.items()]
        log.info("trial %d: %s", trial.number, " ".join(overrides))
        try:
            _run(trial, folder / str(trial.number), overrides, settings.prune, objective, run)
        except (InputError, Refused) as error:
            log.warning("trial %d failed: %s", trial.number, first_line(error))
            study.tell(trial, state=TrialState.FAIL)
            continue
        except BaseException:
            study.tell(trial, state=TrialState.FAIL)
            raise
        _tell(study, trial, folder / str(trial.number), objective)


def _study(settings: TuneSettings, objective: Objective, seed: int) -> optuna.Study:
    """Return the study in the folder of the search, which is new or of the same space and objective."""
    folder = Path(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    pruner = MedianPruner(settings.random, n_warmup_steps=WARM_UP) if settings.prune else NopPruner()
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    direction = StudyDirection.MAXIMIZE if objective.goal == MAXIMISE else StudyDirection.MINIMIZE
    requested = {SPACE: settings.space, "metric": objective.metric, "goal": objective.goal}
    study = optuna.create_study(
        study_name="tune", storage=storage, pruner=pruner, direction=direction, load_if_exists=True
    )
    known = study.user_attrs
    if not known:
        for name, value in requested.items():
            study.set_user_attr(name, value)
    elif known != requested:
        raise InputError(
            f"{folder} must hold a search of the same space and objective to go on from, found {known}: "
            "name another tune.folder"
        )
    # A search that goes on must not draw the random trials of its beginning again.
    study.sampler = TPESampler(seed=seed + 1_000_003 * len(study.trials), n_startup_trials=settings.random)
    return study


def _run(
    trial: optuna.Trial, folder: Path, overrides: Sequence[str], prune: bool, objective: Objective, run: Run
) -> None:
    """Run the trial in its folder and write trial.json; a pruned one ends without an exception."""
    worse = (
        -1.0 if objective.goal == MAXIMISE else 1.0
    )  # Optuna takes the best loss of a trial in the study's direction

    def listen(epoch: int, loss: float) -> None:
        if math.isfinite(loss):
            trial.report(worse * loss, epoch)
        if prune and trial.should_prune():
            raise Pruned(loss)

    with recorded(trial.number, folder, overrides, objective), told_every_epoch(listen):
        run(folder, list(overrides))


def _tell(study: optuna.Study, trial: optuna.Trial, folder: Path, objective: Objective) -> None:
    ended = read_trial(folder)
    if ended.state == COMPLETE and ended.value is None:
        study.tell(trial, state=TrialState.FAIL)
        raise InputError(
            f"tune.steps must measure {objective.metric}, found that trial {trial.number} did not: "
            "add the step, or set objective.metric=train.validation_loss"
        )
    study.tell(trial, ended.value if ended.state == COMPLETE else None, state=OF_OPTUNA[ended.state])
    log.info("trial %d %s: %.5f after %.1f s", trial.number, ended.state, ended.value, ended.seconds)


def _text(value: Any) -> str:
    """Return a drawn value as it stands in an override; floats with six digits, which a person can type again."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
