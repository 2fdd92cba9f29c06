"""The Tab key in a real bash and a real zsh, and what it offers."""

import os
import pty
import re
import select
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser

from gpu_pricer.command_line.completion import candidates
from gpu_pricer.command_line.words import PLAIN, VALUED
from gpu_pricer.jobs import JOBS

ROOT = Path(__file__).parents[2]
SHELLS = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}
PATIENCE = 60.0
"""Seconds that a shell has for an answer; a busy machine needs some of them."""


@pytest.fixture(autouse=True)
def own_command_line(monkeypatch):
    """The program ends once it has answered; in a test its command line must come back."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setenv("COMP_LINE", "")


def test_jobs_come_first():
    assert candidates([""]) == [*JOBS, "completion"]
    assert candidates(["tr"]) == ["train"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "model="], ["model=linear", "model=tiny", "model=two_tower"]),
        (["train", "-m", "seed=1,2", "trainer=g"], ["trainer=gpu"]),
        (["score", "data="], ["data=complete_journey", "data=files", "data=parquet", "data=synthetic"]),
        (["score", "policy.bounds.max_in"], ["policy.bounds.max_increase=", "policy.bounds.max_increase_amount="]),
        (["train", "model=two_tower", "model.network.his"], ["model.network.history."]),
        (["train", "model=linear", "model.network.his"], ["model.network.history="]),
        (["compare", "3", "4", "compare.bef"], ["compare.before="]),
        (["train", "--cfg", "j"], ["job"]),
        (["train", "--mu"], ["--multirun"]),
        (["completion", "z"], ["zsh"]),
        (["train", "no_such.key=1", "see"], []),
    ],
)
def test_groups_options_keys_and_flags_are_offered(words, expected):
    assert candidates(words) == expected


def test_a_further_folder_of_configurations_is_looked_into(tmp_path, monkeypatch):
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/spring.yaml").write_text("# @package _global_\nseed: 3\n")
    monkeypatch.chdir(tmp_path)

    assert candidates(["--config-dir", "o"]) == ["own/"]
    assert "experiment=spring" in candidates(["--config-dir", "own", "train", "experiment="])


def test_every_flag_of_hydra_is_known_and_those_with_a_value_are_told_apart():
    flags = {
        word: word in ("--info", "-i") or (action.nargs is None and action.const is None)
        for action in get_args_parser()._actions
        for word in action.option_strings
        if word not in ("--shell-completion", "-sc")
    }

    assert {word for word, has_value in flags.items() if has_value} == {*VALUED}
    assert {word for word, has_value in flags.items() if not has_value} == {*PLAIN}


@pytest.fixture(params=SHELLS)
def typed(request, tmp_path):
    """typed(line) is the line as a real shell shows it after the keys of `line`, which may hold Tabs."""
    shell = shutil.which(request.param)
    if shell is None:
        pytest.skip(f"{request.param} is not installed: .ci/run installs it")
    program = tmp_path / "gpu-pricer"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gpu_pricer "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PS1": "ready> ",
        "TERM": "dumb",
        "HOME": str(tmp_path),
        "ZDOTDIR": str(tmp_path),
    }
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [shell, *SHELLS[request.param]], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    screen = Screen(ours)
    screen.type(f'eval "$(gpu-pricer completion {request.param})"; echo le"arnt"\n')
    screen.wait_for("learnt")

    def press(keys, expected):
        screen.type(keys)
        screen.wait_for(expected)

    yield press
    process.kill()
    process.wait()
    os.close(ours)


class Screen:
    """What a terminal shows, without its control sequences."""

    def __init__(self, terminal: int) -> None:
        self.terminal, self.shown = terminal, ""

    def type(self, keys: str) -> None:
        self.shown = ""
        os.write(self.terminal, keys.encode())

    def wait_for(self, expected: str) -> None:
        """Read until the expected text is shown; fail after PATIENCE."""
        ends = time.monotonic() + PATIENCE
        while expected not in self.shown:
            left = ends - time.monotonic()
            assert left > 0, f"expected {expected!r}, the shell shows {self.shown!r}"
            if select.select([self.terminal], [], [], left)[0]:
                text = os.read(self.terminal, 4096).decode(errors="replace")
                self.shown += re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\x1b[=>]|\x07|\r", "", text)


def test_tab_completes_jobs_groups_options_and_keys(typed):
    typed("gpu-pricer trai\t", "gpu-pricer train ")
    typed("trainer=g\t", "trainer=gpu ")
    typed("model.optimiser.ra\t", "model.optimiser.rate=")
    typed("1 --multir\t", "--multirun ")
