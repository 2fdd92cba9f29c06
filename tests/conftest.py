"""The command line as a fixture: run in an empty directory, its output divided, its logging undone."""

import gc
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from gpu_pricer.command_line.cli import main
from tests.composing import copy_by_pickle, join_files_once, parse_texts_once

ONE_SHOP = ("tests/docs", "tests/report", "tests/review")
"""Folders whose modules share a shop that takes long to make."""
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING) ")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status, standard output, log lines and all other lines of standard error."""

    status: int
    out: str
    log: list[str]
    said: list[str]


class Scheduling(LoadScopeScheduling):
    """Which tests run in one process: those of a module, or of a folder in ONE_SHOP."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.partition("/test_")[0]
        return folder if folder in ONE_SHOP else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Deal out the tests of --dist loadscope."""
    return Scheduling(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection() -> None:
    """Collect no garbage while modules are imported, which leave hardly any."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage among what the tests make: millions of objects of the imported modules stay to the end."""
    gc.enable()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def conf_read_once() -> Iterator[None]:
    """A session reads and joins the files of conf/ once, for more than a thousand commands."""
    with pytest.MonkeyPatch.context() as patch:
        parse_texts_once(patch)
        join_files_once(patch)
        copy_by_pickle(patch)
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
