"""The search: which trials it prunes, lists as failed, or goes on from; a formula stands for the training."""

import json
from types import SimpleNamespace

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.network.training.reporting import TellEpoch
from gpu_pricer.tuning.objective import Objective
from gpu_pricer.tuning.ranking import write_ranking
from gpu_pricer.tuning.search import WARM_UP, search
from gpu_pricer.tuning.settings import TuneSettings
from gpu_pricer.tuning.trials import read_trials

LOSS = Objective("train.validation_loss", "minimise")
SPACE = ["x=interval(0,4)"]


def settings(folder, trials, space=SPACE, random=4, prune=True):
    return TuneSettings(space, ["train"], trials, random, prune, str(folder / "tune"))


def training(loss_of):
    """A run of a trial that tells the losses of ten epochs, each nearer to its last one, and leaves that one."""

    def run(work, overrides):
        loss = loss_of(float(overrides[0].partition("=")[2]))
        for epoch in range(10):
            told = SimpleNamespace(
                current_epoch=epoch, callback_metrics={"validation/log_loss": loss + 1 / (1 + epoch)}
            )
            TellEpoch().on_validation_end(told, None)
        (work / "train").mkdir(parents=True)
        (work / "train/run.json").write_text(json.dumps({"validation_loss": loss, "gain": -loss}))

    return run


def bowl(x):
    return (x - 3) ** 2


@pytest.mark.parametrize("objective", [LOSS, Objective("train.gain", "maximise")])
def test_search_finds_what_is_best_and_prunes_what_falls_behind(tmp_path, objective):
    """A trial is pruned by its loss, of which less is better whatever is maximised."""
    search(settings(tmp_path, 30), objective, 1, training(bowl))

    table = write_ranking(tmp_path / "tune", objective)
    assert table.height == 30
    assert float(table["x"][0]) == pytest.approx(3, abs=0.2)
    pruned = table.filter(pl.col("state") == "pruned")
    assert pruned.height > 3
    assert (pruned["value"] > abs(table["value"][0]) + 1 / (1 + WARM_UP) - 1).all()
    assert pruned["value"].min() > 0.5
    assert pruned["trial"].min() >= 4  # the random ones are spared


def test_nothing_is_pruned_where_the_settings_say_so(tmp_path):
    search(settings(tmp_path, 10, prune=False), LOSS, 1, training(bowl))

    assert {trial.state for trial in read_trials(tmp_path / "tune")} == {"complete"}


def test_the_same_seed_draws_the_same_trials_and_a_longer_search_keeps_them(tmp_path):
    for folder in (tmp_path / "a", tmp_path / "b"):
        search(settings(folder, 5), LOSS, 1, training(bowl))
    search(settings(tmp_path / "b", 8), LOSS, 1, training(bowl))

    a, b = ([trial.overrides for trial in read_trials(tmp_path / name / "tune")] for name in "ab")
    assert a == b[:5]
    assert len({override for trial in b for override in trial}) == 8


def test_a_refused_trial_counts_as_failed_and_the_search_goes_on(tmp_path):
    def run(work, overrides):
        if overrides == ["x=bad"]:
            raise InputError("x must be good, found bad: take another")
        training(lambda x: x)(work, overrides)

    search(settings(tmp_path, 6, space=["x=1,bad"]), LOSS, 1, run)

    assert {(trial.overrides[0], trial.state) for trial in read_trials(tmp_path / "tune")} == {
        ("x=1", "complete"),
        ("x=bad", "failed"),
    }


def test_a_fault_ends_the_search(tmp_path):
    def run(work, overrides):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search(settings(tmp_path, 6), LOSS, 1, run)

    assert [trial.state for trial in read_trials(tmp_path / "tune")] == ["failed"]


def test_an_objective_that_no_step_measures_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"tune\.steps must measure evaluate\.test\.log_loss, found that trial 0 did not"
    ):
        search(settings(tmp_path, 6), Objective("evaluate.test.log_loss", "minimise"), 1, training(bowl))


@pytest.mark.parametrize(
    ("space", "objective"), [(["x=interval(0,5)"], LOSS), (SPACE, Objective("train.validation_loss", "maximise"))]
)
def test_a_search_goes_on_only_with_its_own_space_and_objective(tmp_path, space, objective):
    search(settings(tmp_path, 1), LOSS, 1, training(bowl))

    with pytest.raises(InputError, match="tune must hold a search of the same space and objective to go on from"):
        search(settings(tmp_path, 2, space=space), objective, 1, training(bowl))
