"""The objective finds the number that a job left, and says what is wrong where there is none."""

import json

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tuning.objective import Objective


def write_metrics(work):
    (work / "metrics.json").write_text(json.dumps({"test": {"log_loss": 0.5, "rows": 7, "auc": None}, "name": "x"}))


def test_number_is_found_by_its_dotted_key(tmp_path):
    write_metrics(tmp_path)

    assert Objective("evaluate.test.log_loss", "minimise").value(tmp_path) == 0.5


def test_a_job_that_did_not_run_has_no_number(tmp_path):
    assert Objective("train.validation_loss", "minimise").value(tmp_path) is None


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("evaluate.test.logloss", "found no 'test.logloss': did you mean evaluate.test.log_loss?"),
        ("evaluate.test.auc", "found no 'test.auc'"),
        ("evaluate.name", "found no 'name'"),
    ],
)
def test_what_is_no_number_is_refused_with_the_nearest_one(tmp_path, metric, said):
    write_metrics(tmp_path)

    with pytest.raises(InputError, match="must be a number of") as refused:
        Objective(metric, "minimise").value(tmp_path)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("metric", "goal", "said"),
    [
        ("score.profit", "minimise", "objective.metric must be train.KEY or evaluate.KEY, found 'score.profit'"),
        ("train", "minimise", "objective.metric must be train.KEY or evaluate.KEY, found 'train'"),
        ("train.validation_loss", "up", "objective.goal must be minimise or maximise, found 'up'"),
    ],
)
def test_an_objective_that_nothing_measures_is_refused(metric, goal, said):
    with pytest.raises(InputError) as refused:
        Objective(metric, goal)

    assert said in str(refused.value)
