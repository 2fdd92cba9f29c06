"""Jobs that a signal ends: status 128 + its number, one line, nothing half-written, and a rerun that works."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpu_pricer.tables.artefact import read_artefact, write_artefact
from tests.canonical import write_canonical
from tests.cluster.environment import SLURM
from tests.markets import catalog_of, small_artefact

ROOT = Path(__file__).parents[2]
MARKET = (
    "data=synthetic", "data.source.weeks=20", "data.source.people.users=100", "data.source.people.types=2",
    "data.source.assortment.categories=2", "data.source.assortment.products=8",
)  # fmt: skip
TRAIN = ("train", "model=tiny", "train.segments.count=3", "model.optimiser.steps=200")
PATIENCE = 300  # seconds


def start(folder, *words, before=(), **variables):
    """A process of python -m WORDS in the folder, which SIGHUP ends even where the tests run under nohup."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    command = ["env", "--default-signal=HUP", *before, sys.executable, "-m", *words]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def wait_for(path, process):
    """Return once the file is there, while the process runs."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


def ended_by(number, process, awaited):
    """Send the signal once the awaited file is there; return the status and the lines that are no log lines."""
    wait_for(awaited, process)
    process.send_signal(number)
    said = process.communicate(timeout=PATIENCE)[1].splitlines()
    return process.returncode, [line for line in said if not line.startswith("20")]


def resumed(folder, *words, **variables):
    """Train to the end in a process of its own, with success, and return its log."""
    process = start(folder, "gpu_pricer", *words, **variables)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, said
    return said


@pytest.fixture
def finish(gpu_pricer):
    """finish(*words) runs the command to its end, with success, in this process, which has imported everything.

    It returns the command's log.
    """

    def command(*words):
        ended = gpu_pricer(*words)
        assert ended.status == 0, ended.said
        return "\n".join(ended.log)

    return command


@pytest.fixture
def priced(tmp_path):
    """A folder with a demand artefact and a catalog, as `score` finds them."""
    artefact = small_artefact(31, segments=3, products=12, categories=4)
    write_artefact(artefact, tmp_path / "work/demand")
    (tmp_path / "work/data").mkdir()
    catalog_of(artefact).write_parquet(tmp_path / "work/data/products.parquet")
    return tmp_path


SMALL = ("model=tiny", "model.optimiser.steps=20", "train.segments.count=2", "train.response.draws=5")
COMMANDS = {
    "prepare": ("prepare", *MARKET, "data.outliers.quantity_is_plausible.limit=1"),
    "run": ("run", *MARKET, *SMALL, "run.steps=[prepare,train]"),
    "score": ("score",),
    "publish": ("publish",),
    "evaluate": ("evaluate",),
}
PLACES = {
    "prepare": "gpu_pricer.jobs.prepare:_write_quarantine",
    "run": "gpu_pricer.jobs.train:learn_market",
    "score": "gpu_pricer.versions.shard_files:close_shard",
    "publish": "gpu_pricer.versions.publication:bring_inside",
    "evaluate": "gpu_pricer.evaluation.evaluation_files:_json_ready",
}
BEFORE = {"publish": ["score"], "evaluate": ["score", "publish"]}


@pytest.mark.parametrize(
    ("job", "number"),
    [*((job, signal.SIGTERM) for job in COMMANDS), ("score", signal.SIGINT), ("publish", signal.SIGHUP)],
    ids=lambda value: getattr(value, "name", value),
)
def test_signal_ends_the_job_with_its_status_and_leaves_no_half_output(priced, finish, job, number):
    for earlier in BEFORE.get(job, []):
        finish(earlier)
    marker = priced / "halted"

    process = start(priced, "tests.jobs.halting", PLACES[job], str(marker), *COMMANDS[job])
    status, said = ended_by(number, process, marker)

    assert status == 128 + number
    assert said == [f"gpu-pricer {job}: ended by {number.name}; the published table is whole, run it again"]
    assert half_written(priced) == []
    finish(*COMMANDS[job])


def test_interruption_while_the_program_is_imported_is_one_line(tmp_path):
    marker = tmp_path / "halted"
    waits = f"import pathlib, threading\npathlib.Path({str(marker)!r}).touch()\nthreading.Event().wait({PATIENCE})\n"
    (tmp_path / "hydra.py").write_text(waits)  # found before the library, which is among the first imports

    process = start(tmp_path, "gpu_pricer", "score", PYTHONPATH=f"{tmp_path}:{ROOT}")
    status, said = ended_by(signal.SIGINT, process, marker)

    assert (status, said) == (130, ["gpu-pricer: ended by SIGINT before it began"])


def half_written(folder):
    """Files and folders that a job has begun, and versions of the price table without their record."""
    begun = [path for path in folder.rglob("*") if path.suffix in (".part", ".new", ".old")]
    versions = [path for path in folder.glob("prices/*") if not path.name.startswith("_")]
    return begun + [version for version in versions if not (version / "_record/run.json").is_file()]


def test_version_in_a_named_folder_keeps_its_shards_and_cannot_be_published(priced, finish):
    marker, command = priced / "halted", ("score", "paths.shards=prices/tonight")

    process = start(priced, "tests.jobs.halting", "gpu_pricer.jobs.score:audit_version", str(marker), *command)
    status, _ = ended_by(signal.SIGTERM, process, marker)

    assert status == 143
    assert [*priced.glob("prices/tonight/*.parquet")] != []
    assert half_written(priced) == [priced / "prices/tonight"]
    finish(*command)
    assert half_written(priced) == []


@pytest.fixture
def untrained(tmp_path):
    """A folder with canonical tables, and a checkpoint that Lightning left there for another job."""
    write_canonical(tmp_path / "work/data", users=100)
    (tmp_path / "hpc_ckpt_1.ckpt").write_text("another job's")
    return tmp_path


@pytest.fixture
def slurm(tmp_path):
    """slurm(answer) is the environment of a Slurm job whose scontrol notes what it is asked and answers so."""

    def environment(answer="exit 0", **more):
        scontrol = tmp_path / "bin" / "scontrol"
        scontrol.parent.mkdir()
        scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n{answer}\n')
        scontrol.chmod(0o755)
        return SLURM | {"PATH": f"{scontrol.parent}:{os.environ['PATH']}"} | more

    return environment


@pytest.mark.parametrize(
    ("trainer", "number"),
    [("cpu", signal.SIGTERM), ("cpu", signal.SIGINT), ("ddp", signal.SIGTERM)],
    ids=lambda value: getattr(value, "name", value),
)
def test_signal_ends_training_and_a_resumed_one_goes_on(untrained, finish, trainer, number):
    command = (*TRAIN, f"trainer={trainer}")
    last = untrained / "work/train/checkpoints/last.ckpt"

    status, said = ended_by(number, start(untrained, "gpu_pricer", *command), last)

    assert status == 128 + number
    assert said == [f"gpu-pricer train: ended by {number.name}; the published table is whole, run it again"]
    assert not (untrained / "work/demand").exists()
    again = (*command, "train.resume=true")
    log = finish(*again) if trainer == "cpu" else resumed(untrained, *again)  # ddp runs sys.argv again: pytest's, here
    assert "training continues from" in log
    assert read_artefact(untrained / "work/demand").segments.height == 3


@pytest.mark.parametrize(
    ("array", "restarts", "asked"),
    [
        ({}, "0", "requeue 7\n"),
        ({"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, "0", "requeue 7_2\n"),
        ({}, "3", ""),
    ],
    ids=["job", "task whose number is the array's", "too often"],
)
def test_batch_script_asks_slurm_to_run_a_killed_job_again_and_no_other(tmp_path, slurm, array, restarts, asked):
    variables = slurm(SLURM_SUBMIT_DIR=str(tmp_path), SLURM_RESTART_COUNT=restarts, **array)
    srun = tmp_path / "bin/srun"
    srun.write_text("#!/bin/sh\nexit 137\n")
    srun.chmod(0o755)

    ended = subprocess.run(["bash", ROOT / "slurm/reprice.sbatch", "score"], env=os.environ | variables)

    assert ended.returncode == 137
    found = tmp_path / "asked"
    assert (found.read_text() if found.exists() else "") == asked


def test_requeue_signal_leaves_a_checkpoint_and_asks_slurm_for_another_run(untrained, slurm):
    environment, last = slurm(), untrained / "work/train/checkpoints/last.ckpt"

    status, said = ended_by(signal.SIGUSR1, start(untrained, "gpu_pricer", *TRAIN, **environment), last)

    assert status == 128 + signal.SIGUSR1
    assert said == ["gpu-pricer train: ended by SIGUSR1; the published table is whole, Slurm will run job 7 again"]
    assert (untrained / "asked").read_text() == "requeue 7\n"
    assert "training continues from" in resumed(untrained, *TRAIN, "train.resume=true", **environment)
    assert [path.name for path in untrained.rglob("hpc_ckpt_*")] == ["hpc_ckpt_1.ckpt"]


def test_requeue_signal_after_the_last_step_keeps_what_was_learned(untrained, slurm):
    environment, marker = slurm(SLURM_ARRAY_JOB_ID="5", SLURM_ARRAY_TASK_ID="2"), untrained / "halted"
    place = "gpu_pricer.jobs.train:segmentation_of"

    process = start(untrained, "tests.jobs.halting", place, str(marker), *TRAIN, **environment)
    status, said = ended_by(signal.SIGUSR1, process, marker)
    log = resumed(untrained, *TRAIN, "train.resume=true", **environment)

    assert status == 128 + signal.SIGUSR1
    line = "gpu-pricer train: ended by SIGUSR1; the published table is whole, Slurm will run job 5_2 again"
    assert said[-1] == line  # the driver imports Lightning early, which then logs for itself
    assert (untrained / "asked").read_text() == "requeue 5_2\n"
    assert "training continues from" in log
    assert "starts afresh" not in log


def test_job_that_slurm_has_run_often_is_not_run_again(priced, slurm):
    environment, marker = slurm(SLURM_RESTART_COUNT="20"), priced / "halted"

    process = start(priced, "tests.jobs.halting", PLACES["score"], str(marker), "score", **environment)
    status, said = ended_by(signal.SIGUSR1, process, marker)

    assert status == 128 + signal.SIGUSR1
    assert said[-1].endswith("Slurm has run it again 20 times already: submit it with a longer --time")
    assert not (priced / "asked").exists()


def test_requeue_that_slurm_refuses_is_said(priced, slurm):
    environment, marker = slurm("echo 'Requested operation is disabled' >&2; exit 1"), priced / "halted"

    process = start(priced, "tests.jobs.halting", PLACES["score"], str(marker), "score", **environment)
    status, said = ended_by(signal.SIGUSR1, process, marker)

    assert status == 128 + signal.SIGUSR1
    assert said == [
        "gpu-pricer score: ended by SIGUSR1; the published table is whole, "
        "Slurm did not requeue job 7 (Requested operation is disabled): submit it again"
    ]


def test_signal_that_is_ignored_ends_nothing(priced):
    marker = priced / "halted"
    words = ("tests.jobs.halting", PLACES["score"], str(marker), "score")

    process = start(priced, *words, before=["nohup"])
    wait_for(marker, process)
    process.send_signal(signal.SIGHUP)
    status, said = ended_by(signal.SIGTERM, process, marker)

    assert status == 143
    assert said[-1] == "gpu-pricer score: ended by SIGTERM; the published table is whole, run it again"
