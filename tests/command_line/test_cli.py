"""The command line as its user meets it: help, one-line errors, exit status."""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from gpu_pricer import __main__
from gpu_pricer.command_line import cli
from gpu_pricer.errors import Interrupted, Refused
from gpu_pricer.jobs import JOBS

SMALL_SHOP = ("data=synthetic", "data.source.people.users=50", "data.source.assortment.products=8",
              "data.source.assortment.categories=2", "data.source.weeks=10")  # fmt: skip
PRINTING = [["config", "job=train"], ["versions"], ["--help"], ["assign", "--help"], ["completion", "bash"]]
FULL = Path("/dev/full")


def test_no_job_shows_the_jobs(gpu_pricer):
    ended = gpu_pricer()

    assert ended.status == 2
    assert all(job in ended.out for job in JOBS)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_shows_the_jobs(gpu_pricer, flag):
    ended = gpu_pricer(flag)

    assert ended.status == 0
    assert all(job in ended.out for job in JOBS)


@pytest.mark.parametrize("job", JOBS)
def test_every_job_explains_itself(gpu_pricer, job):
    ended = gpu_pricer(job, "--help")

    assert ended.status == 0
    assert f"usage: gpu-pricer {job}" in ended.out
    assert "data=complete_journey, files, parquet, synthetic\n" in ended.out
    assert "policy=balanced, clearance, growth, profit, safe\n" in ended.out


@pytest.mark.parametrize(("given", "used"), [(None, "passive"), ("active", "active")])
def test_threads_wait_asleep_unless_the_user_says_otherwise(monkeypatch, given, used):
    """So that they leave the cores to others, such as the compiler of the kernels beside a training."""
    seen = {}
    monkeypatch.setattr(cli, "run", lambda: seen.update(os.environ))
    monkeypatch.setattr(sys, "argv", ["gpu-pricer", "score"])
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)  # this process keeps its own
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")

    __main__.run()

    assert seen["OMP_WAIT_POLICY"] == used


def test_a_quiet_job_logs_nothing_but_warnings(gpu_pricer):
    loud, quiet = (gpu_pricer("prepare", *SMALL_SHOP, f"quiet={quiet}") for quiet in ("false", "true"))

    assert (loud.status, quiet.status) == (0, 0)
    assert any(" INFO " in line for line in loud.log)
    assert quiet.log == [line for line in quiet.log if " WARNING " in line]


def test_quiet_must_be_true_or_false(gpu_pricer):
    assert gpu_pricer("versions", "quiet=maybe").said == [
        "gpu-pricer versions: quiet must be true or false, found 'maybe': set quiet=true"
    ]


def test_configuration_is_shown_and_nothing_runs(gpu_pricer, tmp_path):
    ended = gpu_pricer("run", "--cfg", "job", "seed=7")

    assert (ended.status, ended.said) == (0, [])
    assert ended.out.startswith("seed: 7\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", PRINTING)
def test_output_that_nobody_reads_ends_a_command_without_a_word(tmp_path, arguments):
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "gpu_pricer", *arguments],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
    )

    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", PRINTING)
def test_output_without_room_is_one_line(tmp_path, arguments):
    command = [sys.executable, "-m", "gpu_pricer", *arguments]
    with FULL.open("w") as full:
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("gpu-pricer")
    assert "No space left on device" in line


def test_the_script_of_a_shell_is_printed(gpu_pricer):
    assert gpu_pricer("completion", "bash").out.endswith("complete -o nospace -F _gpu_pricer gpu-pricer\n")
    assert gpu_pricer("completion", "fish").said == [
        "gpu-pricer completion: the next word must be bash or zsh, found fish: "
        'put eval "$(gpu-pricer completion bash)" into ~/.bashrc'
    ]


def test_an_unknown_job_is_one_line_with_the_nearest_name(gpu_pricer):
    ended = gpu_pricer("trian")

    assert ended.status == 2
    assert ended.out == ""
    assert ended.said == ["gpu-pricer trian: the first word must be a job, found 'trian': did you mean 'train'?"]


@pytest.mark.parametrize(
    ("override", "found"),
    [("polcy=profit", "polcy"), ("policy=profits", "profits"), ("model.netwrk=1", "netwrk"),
     ("data=", "data"), ("=3", "=3"), ("--polcy", "--polcy"), ("--resolve", "--resolve")],
)  # fmt: skip
def test_a_misspelt_override_is_one_line(gpu_pricer, tmp_path, override, found):
    ended = gpu_pricer("train", override)

    assert ended.status == 2
    assert ended.out == ""
    assert len(ended.said) == 1
    assert found in ended.said[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("--cfg", "jobs"), ("--config-dir",), ("seed=1", "-z"), ("--info", "al")])
def test_a_flag_that_is_none_of_hydras_is_one_line(gpu_pricer, tmp_path, arguments):
    ended = gpu_pricer("train", *arguments)

    assert (ended.status, ended.out) == (2, "")
    (said,) = ended.said
    assert said.startswith("gpu-pricer train: every word after the job must be key=value or a flag of Hydra, found ")
    assert arguments[-1] in said
    assert said.endswith(": see gpu-pricer train --help")
    assert list(tmp_path.iterdir()) == []


def test_what_hydra_warns_of_reaches_standard_error_before_the_job(gpu_pricer, job, monkeypatch):
    original = cli.hydra.main

    def warned(**settings):
        print("Hydra is old", file=sys.stderr)
        return original(**settings)

    monkeypatch.setattr(cli.hydra, "main", warned)
    job.main = lambda config: print("the job runs", file=sys.stderr)

    assert gpu_pricer("score", "-m", "seed=1,2").said == ["Hydra is old", "the job runs", "the job runs"]


def test_a_value_out_of_range_names_its_key(gpu_pricer, tmp_path):
    ended = gpu_pricer("train", "train.segments.count=0")

    assert ended.status == 2
    assert len(ended.said) == 1
    assert "train.segments" in ended.said[0]
    assert "found 0" in ended.said[0]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def job(monkeypatch):
    """The module of a job whose main the test sets."""
    module = SimpleNamespace(inputs=lambda config: [])
    original = cli.importlib.import_module
    monkeypatch.setattr(
        cli.importlib,
        "import_module",
        lambda name, package=None: module if name == "gpu_pricer.jobs.score" else original(name, package),
    )
    return module


def raising(error):
    def main(config):
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Refused("the gate is shut"), 3, "gpu-pricer score: the gate is shut"),
        (KeyboardInterrupt(), 130,
         "gpu-pricer score: ended by SIGINT; the published table is whole, run it again"),
        (pl.exceptions.PanicException("Err value: PyErr { value: KeyboardInterrupt(), traceback: None }"), 130,
         "gpu-pricer score: ended by SIGINT; the published table is whole, run it again"),
        (pl.exceptions.PanicException(f"Err value: PyErr {{ value: {Interrupted(signal.SIGTERM)!r} }}"), 143,
         "gpu-pricer score: ended by SIGTERM; the published table is whole, run it again"),
        (PermissionError(13, "Permission denied", "prices"), 2,
         "gpu-pricer score: files and folders must be there, with rights and room, "
         "found: [Errno 13] Permission denied: 'prices'; mend that"),
    ],
)  # fmt: skip
def test_status_says_whose_turn_it_is(gpu_pricer, tmp_path, job, error, status, said):
    job.main = raising(error)

    ended = gpu_pricer("score")

    assert (ended.status, ended.out, ended.said) == (status, "", [said])
    assert list(tmp_path.iterdir()) == []


def test_interrupted_training_counts_as_interrupted(gpu_pricer, job):
    def main(config):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)  # as Lightning does

    job.main = main

    assert gpu_pricer("score").status == 130


def test_our_own_fault_comes_with_its_traceback(gpu_pricer, job):
    job.main = raising(ZeroDivisionError("by zero"))

    ended = gpu_pricer("score")

    assert ended.status == 1
    assert ended.said[0] == "Traceback (most recent call last):"
    assert ended.said[-1] == "gpu-pricer score: this is a fault of gpu_pricer: ZeroDivisionError: by zero"


def test_sweep_runs_every_point(gpu_pricer, job):
    seeds = []
    job.main = lambda config: seeds.append(config.seed)

    ended = gpu_pricer("score", "--multirun", "seed=1,2,3")

    assert (ended.status, ended.said) == (0, [])
    assert seeds == [1, 2, 3]


def test_a_file_of_the_configuration_may_be_a_sweep(gpu_pricer, job, tmp_path, monkeypatch):
    seeds = []
    job.main = lambda config: seeds.append(config.seed)
    shutil.copytree(cli.CONF, tmp_path / "conf")
    (tmp_path / "conf/experiment/grid.yaml").write_text(
        "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}\n"
    )
    monkeypatch.setattr(cli, "CONF", tmp_path / "conf")
    monkeypatch.setattr(cli, "_check_kernels", lambda: None)  # which looks for them beside conf

    ended = gpu_pricer("score", "experiment=grid")

    assert (ended.status, ended.said) == (0, [])
    assert seeds == [1, 2]


def test_a_job_whose_assertion_fails_is_not_begun_again(gpu_pricer, job):
    begun = []

    def main(config):
        begun.append(config.seed)
        assert not begun, "this cannot be"

    job.main = main

    ended = gpu_pricer("score")

    assert ended.status == 1
    assert "AssertionError: this cannot be" in "\n".join(ended.said)
    assert len(begun) == 1


def test_every_trial_of_a_sweep_has_folders_of_its_own(gpu_pricer, job, tmp_path):
    seen = []
    job.main = lambda config: seen.append((config.paths.work, config.paths.prices, config.paths.demand))

    for _ in range(2):
        assert gpu_pricer("score", "seed=1,2", "-m").status == 0

    works, prices, demands = zip(*seen, strict=True)
    assert len({*works}) == len({*prices}) == 4
    assert all(price == f"{work}/prices" for work, price in zip(works, prices, strict=True))
    assert {*demands} == {"work/demand"}
    assert all((tmp_path / work / "trial.json").is_file() for work in works)


def test_a_sweep_without_an_objective_is_one_line(gpu_pricer, job):
    ended = gpu_pricer("score", "-m", "seed=1,2", "objective.goal=up")

    assert (ended.status, len(ended.said)) == (2, 1)
    assert "objective.goal must be minimise or maximise, found 'up'" in ended.said[0]


@pytest.mark.parametrize("before", [True, False])
def test_flags_of_hydra_may_stand_anywhere(gpu_pricer, tmp_path, before):
    (tmp_path / "own/policy").mkdir(parents=True)
    (tmp_path / "own/policy/mine.yaml").write_text("defaults: [profit]\nladder: null\n")
    flags = ("--config-dir", "own", "-c", "job")

    ended = gpu_pricer(*(flags if before else ()), "score", "policy=mine", *(() if before else flags), "seed=7")

    assert (ended.status, ended.said) == (0, [])
    assert ended.out.startswith("seed: 7\n")
    assert "ladder: null" in ended.out


def test_sweep_ends_with_its_first_failure(gpu_pricer, job):
    seeds = []

    def main(config):
        seeds.append(config.seed)
        raise Refused("the gate is shut")

    job.main = main

    ended = gpu_pricer("score", "-m", "seed=1,2")

    assert (ended.status, ended.said) == (3, ["gpu-pricer score: the gate is shut"])
    assert seeds == [1]


def test_job_sees_the_command_line_that_started_it(gpu_pricer, job):
    before, seen = sys.argv, []
    job.main = lambda config: seen.append(sys.argv)

    gpu_pricer("score", "seed=1")

    assert seen == [before]
    assert sys.argv is before


def test_checkout_that_was_never_installed_is_no_obstacle(gpu_pricer, job, tmp_path, monkeypatch):
    monkeypatch.setattr("gpu_pricer.process.run_record.LIBRARIES", ("polars", "no-such-distribution"))
    job.main = lambda config: None

    assert gpu_pricer("score").status == 0

    assert '"no-such-distribution": null' in (tmp_path / "work/score/run.json").read_text()


def test_log_is_json_on_request_to_the_last_line(gpu_pricer):
    ended = gpu_pricer("publish", "log=json")

    assert ended.status == 2
    *_, last = map(json.loads, ended.said)
    assert (last["level"], last["job"], last["status"]) == ("ERROR", "publish", 2)
    assert datetime.fromisoformat(last["time"]).tzinfo is not None
    assert gpu_pricer("publish", "log=plain").said[-1] == f"gpu-pricer publish: {last['message']}"


def test_form_of_the_log_must_be_known(gpu_pricer):
    ended = gpu_pricer("publish", "log=xml")

    assert ended.status == 2
    assert ended.said == ["gpu-pricer publish: log must be plain or json, found 'xml': set log=plain"]


def test_another_package_called_kernels_is_named_before_anything_uses_it(tmp_path):
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels/__init__.py").write_text("raise RuntimeError('not ours')")
    path = os.pathsep.join([str(tmp_path), str(cli.CONF.parent)])

    done = subprocess.run(
        [sys.executable, "-P", "-m", "gpu_pricer", "versions"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2, done.stderr
    assert (
        f"the package `kernels` must be the one in {cli.CONF.parent}/kernels, found {tmp_path}/kernels" in done.stderr
    )
