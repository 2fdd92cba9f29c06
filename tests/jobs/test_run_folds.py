"""run with folds and seeds: every run in a folder of its own, and what they have in common."""

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from gpu_pricer.errors import InputError
from gpu_pricer.jobs.plan import RunPlan
from tests.jobs.test_run import MARKET, QUICK_EVALUATION

CONF = Path(__file__).parents[2] / "conf"
FREQUENCY = (
    "+evaluate.baselines.frequency={_target_: gpu_pricer.evaluation.baselines.frequency.Frequency, prior_visits: 10}"
)


def test_every_fold_and_seed_is_run_and_their_metrics_are_joined(gpu_pricer, tmp_path):
    fold = "+run.folds.short=['data.source.weeks=16']"
    seeds = ("run.seeds=[0,3]", "run.steps=[prepare,train,evaluate]")

    ended = gpu_pricer("run", *MARKET, *QUICK_EVALUATION, fold, FREQUENCY, *seeds)

    assert (ended.status, ended.said) == (0, [])
    assert "short: mean of 2 runs" in ended.out
    together = json.loads((tmp_path / "work/metrics.json").read_text())
    losses = [
        json.loads((tmp_path / f"work/short/seed{seed}/metrics.json").read_text())["test"]["log_loss"]
        for seed in (0, 3)
    ]
    assert together["folds"]["short"]["mean"]["test"]["log_loss"] == pytest.approx(sum(losses) / 2)
    assert together["folds"]["short"]["spread"]["test"]["log_loss"] > 0
    assert together["folds"]["short"]["mean"]["baselines"]["frequency"]["auc"] > 0.5
    assert list(together["folds"]) == ["short"]
    record = json.loads((tmp_path / "work/short/seed3/train/run.json").read_text())
    assert (record["config"]["seed"], record["config"]["data"]["source"]["weeks"]) == (3, 16)
    assert not (tmp_path / "prices").exists()


def configured(*overrides: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def test_a_run_has_folders_of_its_own_for_everything_it_writes():
    plan = RunPlan(["prepare"], {"autumn": ["data.currency=EUR"]}, [2])

    [(fold, name, config)] = plan.configs(configured())

    assert (fold, name) == ("autumn", "autumn/seed2")
    assert (config.data.currency, config.seed) == ("EUR", 2)
    assert (config.paths.data, config.paths.prices) == ("work/autumn/seed2/data", "prices/autumn/seed2")


def test_dates_in_overrides_stay_text():
    plan = RunPlan(["prepare"], {"autumn": ["data.source.start=2017-11-06"]}, [])

    [(_, _, config)] = plan.configs(configured("data=synthetic"))

    assert config.data.source.start == "2017-11-06"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "run.steps=[train,prepare]",
            "run.steps must be some of prepare, train, score, evaluate, publish, in this order",
        ),
        ("run.steps=5", "run.steps must be some of prepare, train, score, evaluate, publish, in this order, found 5"),
        ("run.seeds=5", "run.seeds must be a list such as [0,1,2], found 5"),
        ("run.folds=x", "run.folds must map names to lists of key=value, found 'x'"),
        ("+run.folds.a=week", "run.folds must map names to lists of key=value, found 'a': 'week'"),
        ("+run.folds.a-b=['seed=1']", "run.folds must map names to lists of key=value, found 'a-b'"),
        ("run.seeds=[1,1]", "run.seeds must differ, found [1, 1]"),
        ("run.seeds=[-1]", "each of run.seeds must be a whole number of at least 0, found -1"),
        ("+run.folds.a=['data.no_such_key=1']", "no_such_key"),
        ("evaluate.off_policy_share=0", "evaluate.off_policy_share must be a number above 0 and at most 1, found 0"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_before_anything_runs(refused, override, said):
    assert said in refused("run", *MARKET, override)


def test_distributed_training_is_no_part_of_a_benchmark():
    with pytest.raises(InputError, match="need a trainer of one process"):
        next(RunPlan(["train"], {}, [1]).configs(configured("trainer=ddp")))
