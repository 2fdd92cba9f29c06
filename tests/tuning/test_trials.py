"""What a trial writes lies in its own folder, and what it only reads stays where it is."""

from pathlib import Path

import pytest

from gpu_pricer.tuning.trials import in_folder, steps_of
from tests.jobs.conftest import configuration

FOLDER = Path("sweep/3")


def paths_of(job, *overrides):
    config = configuration(Path("all/work"), *overrides)
    return in_folder(config, steps_of(job, config), FOLDER).paths


def test_training_reads_the_tables_of_all_and_writes_its_own_demand():
    paths = paths_of("train")

    assert (paths.work, paths.demand) == ("sweep/3", "sweep/3/demand")
    assert (paths.data, paths.catalog) == ("all/work/data", "all/work/data/products.parquet")
    assert (paths.prices, paths.truth) == ("all/prices", "all/work/truth")


def test_a_whole_run_writes_nothing_outside_its_folder():
    paths = paths_of("run", "paths.demand=elsewhere", "paths.metrics=node")

    written = [paths[key] for key in ("work", "data", "truth", "demand", "prices", "catalog")]
    assert all(path.startswith("sweep/3") for path in written)
    assert paths.metrics is None


def test_steps_that_do_not_prepare_share_the_tables():
    paths = paths_of("run", "run.steps=[train,evaluate]")

    assert (paths.data, paths.demand, paths.prices) == ("all/work/data", "sweep/3/demand", "all/prices")


@pytest.mark.parametrize(("given", "expected"), [("null", None), ("out", "sweep/3/shards")])
def test_scoring_writes_prices_of_its_own(given, expected):
    paths = paths_of("score", f"paths.shards={given}", "paths.catalog=c.parquet")

    assert (paths.prices, paths.shards) == ("sweep/3/prices", expected)
    assert (paths.demand, paths.catalog) == ("all/work/demand", "c.parquet")


def test_runs_of_all_trials_are_recorded_in_one_place():
    assert paths_of("run").mlflow == "all/work/mlflow"
