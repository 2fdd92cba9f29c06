"""Sweeps and searches: every trial in a folder of its own, and a ranking of them."""

import importlib.util
import json

import polars as pl
import pytest
from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.canonical import write_canonical

QUICK = (
    "model=tiny",
    "model.network.history=null",
    "model.optimiser.steps=8",
    "train.segments.count=2",
    "train.segments.min_members=2",
    "train.response.draws=0",
)
SPACE = "tune.space=['model.optimiser.rate=tag(log,interval(1e-3,1e-1))','model.network.taste_width=2,3']"


@pytest.fixture
def tables(tmp_path):
    write_canonical(tmp_path / "work/data", users=40, categories=2, size=3, periods=12)
    return tmp_path


def record_of(folder):
    return json.loads((folder / "train/run.json").read_text())


def test_a_search_of_five_trials_ranks_five_folders(gpu_pricer, tables):
    ended = gpu_pricer("tune", *QUICK, SPACE, "tune.trials=5", "tune.random=3", "logger=none")

    assert (ended.status, ended.said) == (0, [])
    table = pl.read_parquet(tables / "work/tune/ranking.parquet")
    assert sorted(table["folder"]) == [f"work/tune/{number}" for number in range(5)]
    for trial in table.iter_rows(named=True):
        config = json.loads((tables / trial["folder"] / "trial.json").read_text())
        assert config["overrides"][1] == f"model.network.taste_width={trial['model.network.taste_width']}"
    best = table.row(0, named=True)
    record = record_of(tables / best["folder"])
    assert best["value"] == record["validation_loss"] == table["value"].filter(table["state"] == "complete").min()
    assert record["config"]["model"]["optimiser"]["rate"] == float(best["model.optimiser.rate"])
    assert table["model.optimiser.rate"].n_unique() == 5
    assert "train.validation_loss" in ended.out
    assert not (tables / "work/demand").exists()

    longer = gpu_pricer("tune", *QUICK, SPACE, "tune.trials=6", "tune.random=3", "logger=none")

    assert longer.status == 0
    assert pl.read_parquet(tables / "work/tune/ranking.parquet").height == 6
    assert (tables / "work/tune/0/trial.json").read_text().count("overrides") == 1


def test_a_value_that_the_model_refuses_fails_its_trial_and_not_the_search(gpu_pricer, tables):
    space = "tune.space=['model.optimiser.rate=0.005,-1']"

    ended = gpu_pricer("tune", *QUICK, space, "tune.trials=4", "tune.random=4", "logger=none")

    assert (ended.status, ended.said) == (0, [])
    table = pl.read_parquet(tables / "work/tune/ranking.parquet")
    assert {*table.select("model.optimiser.rate", "state").rows()} == {("0.005", "complete"), ("-1", "failed")}
    refused = "failed: the configuration at model.optimiser is not valid: optimiser.rate must be a number above 0"
    assert any(refused in line for line in ended.log)


def test_a_sweep_of_eight_trials_is_eight_folders_and_eight_runs_of_mlflows_file_store(gpu_pricer, tables):
    sweep = ("-m", "model.network.taste_width=2,3", "seed=0,1,2,3")

    ended = gpu_pricer("train", *QUICK, *sweep, "logger=mlflow", "logger.store=work/mlruns", "logger.model=demand")

    assert ended.status == 0
    (table,) = (pl.read_parquet(path) for path in tables.glob("work/sweep/*/ranking.parquet"))
    (sweep_folder,) = tables.glob("work/sweep/*")
    assert {*table["folder"]} == {str(sweep_folder.relative_to(tables) / str(number)) for number in range(8)}
    assert table["rank"].to_list() == [*range(1, 9)]
    assert table["value"].is_sorted()
    assert table.columns[6:] == ["model.network.taste_width", "seed"]
    client = MlflowClient((tables / "work/mlruns").as_uri())
    runs = client.search_runs([client.get_experiment_by_name("gpu_pricer").experiment_id])
    losses = [run.data.metrics["validation/best_log_loss"] for run in runs]
    assert sorted(losses) == pytest.approx(sorted(table["value"]))
    assert {(run.data.params["model.network.taste_width"], run.data.params["seed"]) for run in runs} == {
        (width, str(seed)) for width in "23" for seed in range(4)
    }
    versions = client.search_model_versions("name = 'demand'")
    assert {version.run_id for version in versions} == {run.info.run_id for run in runs}
    assert {entry.path for entry in client.list_artifacts(runs[0].info.run_id)} == {"demand"}


def test_a_training_is_kept_in_mlflows_database(gpu_pricer, tables):
    assert gpu_pricer("train", *QUICK, "logger=mlflow", "logger.model=demand").status == 0

    client = MlflowClient(f"sqlite:///{tables}/work/mlflow/mlflow.db")
    (version,) = client.search_model_versions("name = 'demand'")
    assert client.get_run(version.run_id).data.params["train.refit"] == "True"
    assert (tables / "work/mlflow/files" / version.run_id / "artifacts/demand/demand.json").is_file()


def test_a_store_that_is_none_is_one_line(gpu_pricer, tables):
    (tables / "work/mlflow.db").write_text("no database")

    ended = gpu_pricer("train", *QUICK, "logger=mlflow", "logger.store=sqlite:///work/mlflow.db")

    assert ended.status == 2
    assert "logger.store must be a store of MLflow that answers, found sqlite:///work/mlflow.db" in ended.said[-1]


def test_tensorboard_shows_the_settings_beside_the_loss(gpu_pricer, tables):
    assert gpu_pricer("train", *QUICK).status == 0

    events = EventAccumulator(str(tables / "work/train/tensorboard")).Reload()
    last = events.Scalars("validation/best_log_loss")[-1].value
    assert last == pytest.approx(record_of(tables / "work")["validation_loss"])
    assert events.PluginTagToContent("hparams").keys() >= {"_hparams_/session_start_info"}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("tune.space=[]", "tune.space must name what the search varies, found nothing"),
        ("tune.space=[x]", "tune.space must be a list of key=sweep, found ['x']"),
        ("tune.steps=[score]", "tune.steps must be some of prepare, train, score, evaluate, publish, in this order"),
        ("tune.trials=0", "tune.trials must be a whole number of at least 1, found 0"),
        ("trainer=ddp", "tune needs a trainer of one process"),
        ("objective.goal=down", "objective.goal must be minimise or maximise, found 'down'"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(gpu_pricer, tmp_path, override, said):
    ended = gpu_pricer("tune", SPACE, override)

    assert (ended.status, len(ended.said)) == (2, 1)
    assert said in ended.said[0]


def test_without_optuna_a_search_says_what_to_install(gpu_pricer, monkeypatch):
    find_spec = importlib.util.find_spec

    def find_others(name, *package):
        return None if name == "optuna" else find_spec(name, *package)

    monkeypatch.setattr("gpu_pricer.jobs.tune.importlib.util.find_spec", find_others)

    ended = gpu_pricer("tune", SPACE)

    assert ended.said == ['gpu-pricer tune: tune needs Optuna, found none: pip install -e ".[tuning]"']
