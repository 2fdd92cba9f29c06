"""The train job on small canonical tables."""

import json
import signal
import subprocess
import sys
import time
from itertools import permutations

import numpy as np
import polars as pl
import pytest

from gpu_pricer.network.response.posterior import STAND_INS
from gpu_pricer.tables.artefact import read_artefact
from tests.canonical import write_canonical
from tests.shops import run_job

SEED_NOISE = 0.001  # of a log loss
SUM_ORDER = 1e-5  # of a log loss: several processes add the same float32 gradients in another order
TINY = ["model=tiny", "train.segments.count=3"]


def command(*overrides):
    return [sys.executable, "-m", "gpu_pricer", "train", *TINY, *overrides]


def train(directory, *overrides):
    return subprocess.run(command(*overrides), cwd=directory, capture_output=True, text=True, timeout=300)


def held_out(directory):
    return pl.read_parquet(directory / "work" / "train" / "held_out.parquet")


def held_out_log_loss(directory):
    chance = held_out(directory).select(pl.when("bought").then("probability").otherwise(1 - pl.col("probability")))
    return float(-chance.to_series().log().mean())


def validation_loss(directory):
    return json.loads((directory / "work" / "train" / "run.json").read_text())["validation_loss"]


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    """A folder in which one process has trained."""
    folder = tmp_path_factory.mktemp("one")
    write_canonical(folder / "work" / "data", users=100)
    finished = train(folder)
    assert finished.returncode == 0, finished.stderr
    return folder


def assert_trained(folder):
    artefact = read_artefact(folder / "work" / "demand")
    assert artefact.segments.height == 3
    assert artefact.user_segments is not None
    assert artefact.user_segments.height == 100
    assert artefact.segments["visits"].sum() == pytest.approx(100)  # everybody comes in every period
    assert (artefact.factors["sensitivity"] > 0).all()
    assert held_out(folder)["bought"].any()


def test_whoever_may_read_one_file_of_the_demand_may_read_all(one_process):
    files = [path for path in (one_process / "work/demand").rglob("*") if path.is_file()]

    assert "parameters.safetensors" in {path.name for path in files}
    assert len({path.stat().st_mode & 0o777 for path in files}) == 1


def test_train_writes_an_artefact_and_held_out_predictions(one_process):
    assert_trained(one_process)
    assert json.loads((one_process / "work" / "train" / "run.json").read_text())["config"]["trainer"]["devices"] == 1


@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_learn_what_one_does(one_process, tmp_path, processes):
    write_canonical(tmp_path / "work" / "data", users=100)

    finished = train(tmp_path, "trainer=ddp", f"trainer.devices={processes}")

    assert finished.returncode == 0, finished.stderr
    assert_trained(tmp_path)
    assert validation_loss(tmp_path) == pytest.approx(validation_loss(one_process), abs=SUM_ORDER)
    assert held_out_log_loss(tmp_path) == pytest.approx(held_out_log_loss(one_process), abs=SUM_ORDER)


def test_a_killed_training_goes_on_to_the_same_metrics(gpu_pricer, tmp_path, monkeypatch):
    long = "model.optimiser.steps=200"
    for folder in (tmp_path / "whole", tmp_path / "cut"):
        write_canonical(folder / "work" / "data", users=100)
    monkeypatch.chdir(tmp_path / "whole")
    assert gpu_pricer("train", *TINY, long).status == 0

    with subprocess.Popen(command(long), cwd=tmp_path / "cut", stderr=subprocess.DEVNULL) as process:
        checkpoint = tmp_path / "cut" / "work" / "train" / "checkpoints" / "last.ckpt"
        while not checkpoint.is_file() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "cut" / "work" / "demand").exists()
    monkeypatch.chdir(tmp_path / "cut")
    resumed = gpu_pricer("train", *TINY, long, "train.resume=true")

    assert (resumed.status, resumed.said) == (0, [])
    assert any("training continues from" in line for line in resumed.log)
    assert held_out_log_loss(tmp_path / "cut") == pytest.approx(
        held_out_log_loss(tmp_path / "whole"), abs=SEED_NOISE / 10
    )


def test_what_a_killed_training_left_of_its_network_is_in_no_artefact(one_process):
    leftover = one_process / "work" / "train" / "network" / ".tmpKilled"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half a file")

    assert run_job(one_process, "train", *TINY) == 0

    assert not leftover.exists()
    assert not (one_process / "work" / "demand" / "network" / ".tmpKilled").exists()


def test_a_second_training_replaces_the_artefact(gpu_pricer, tmp_path):
    write_canonical(tmp_path / "work" / "data", users=100)

    gpu_pricer("train", *TINY)
    first = read_artefact(tmp_path / "work" / "demand")
    ended = gpu_pricer("train", "model=tiny", "train.segments.count=2", "seed=1")

    assert (ended.status, ended.said) == (0, [])
    second = read_artefact(tmp_path / "work" / "demand")
    assert second.fingerprint() != first.fingerprint()
    before, now = (artefact.user_segments["segment_id"].to_numpy() for artefact in (first, second))
    kept = (before == now).sum()
    assert kept == max((np.array(order)[now] == before).sum() for order in permutations(range(2)))
    (line,) = (line for line in ended.log if "known users" in line)
    assert line.endswith(f": {kept} of 100 known users stay")


def test_the_price_response_comes_with_draws_of_its_posterior(one_process):
    artefact = read_artefact(one_process / "work" / "demand")

    assert artefact.posterior is not None
    assert artefact.posterior.height == 100 * 3 * (4 + STAND_INS)
    assert sorted(artefact.posterior["segment_id"].unique()) == [0, 1, 2]
    assert not (one_process / "work" / "train" / "naive").exists()


def test_an_artefact_without_draws_has_no_posterior(gpu_pricer, tmp_path):
    write_canonical(tmp_path / "work" / "data", users=100)

    ended = gpu_pricer("train", *TINY, "train.response.draws=0", "model.optimiser.steps=20")

    assert (ended.status, ended.said) == (0, [])
    assert read_artefact(tmp_path / "work" / "demand").posterior is None


def test_an_instrument_that_the_log_has_not_is_refused(gpu_pricer, tmp_path):
    write_canonical(tmp_path / "work" / "data", users=100)

    ended = gpu_pricer("train", *TINY, "train.response.endogeneity.instruments=[cost]")

    assert ended.status == 2
    assert "found none called cost" in ended.said[-1]
    assert not (tmp_path / "work" / "demand").exists()


def test_training_starts_from_the_network_of_a_work_folder(gpu_pricer, refused, trained_work):
    data = f"paths.data={trained_work / 'data'}"

    assert "found no network at nowhere/network" in refused("train", *TINY, data, "init_from=nowhere")
    ended = gpu_pricer("train", *TINY, data, f"init_from={trained_work}")

    assert (ended.status, ended.said) == (0, [])
    assert any("another network: 20 of 20 products, 100 of 100 users" in line for line in ended.log)
