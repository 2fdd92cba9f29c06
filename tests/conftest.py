"""The command line as a fixture: run in an empty directory, its output divided, its logging undone."""

import copy
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest
from omegaconf import DictConfig, ListConfig, OmegaConf

from gpu_pricer.command_line.cli import main

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING) ")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status, standard output, log lines and all other lines of standard error."""

    status: int
    out: str
    log: list[str]
    said: list[str]


@pytest.fixture(scope="session", autouse=True)
def texts_parsed_once() -> Iterator[None]:
    """OmegaConf parses a text once in a session, whatever file holds it.

    Hydra parses some thirty files of conf/ for each command of the tests: .07 of .22 CPU seconds (2026-11).
    """
    load, parsed = OmegaConf.load, dict[str, DictConfig | ListConfig]()

    def load_once(file: TextIO | str | Path) -> DictConfig | ListConfig:
        if isinstance(file, str | Path):
            return load(file)
        text = file.read()
        if text not in parsed:
            file.seek(0)
            parsed[text] = load(file)
        return copy.deepcopy(parsed[text])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", load_once)
        yield


@pytest.fixture
def gpu_pricer(capsys, monkeypatch, tmp_path) -> Iterator[Callable[..., Ended]]:
    """gpu_pricer("score", "seed=1") is `gpu-pricer score seed=1` in tmp_path."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> Ended:
        status = main(list(arguments))
        captured = capsys.readouterr()
        lines = captured.err.splitlines()
        log = [line for line in lines if LOG_LINE.match(line)]
        return Ended(status, captured.out, log, [line for line in lines if line not in log])

    yield command
    root.handlers[:] = handlers
    root.setLevel(level)
