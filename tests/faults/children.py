"""Jobs in processes forked from this one, whose imports are done: a job starts in milliseconds, not in seconds.

This process itself never reads a table or computes a price, because a fork copies no threads.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gpu_pricer import CONF
from gpu_pricer.command_line import cli
from gpu_pricer.jobs import JOBS

LONGEST = 180
"""Seconds after which a job is called hung."""
LONGEST_FIRST = 1200
"""The same for the first job in a checkout, which compiles kernels."""
HUNG = "hung"
PR_SET_PTRACER = 0x59616D61
IDLE_THREADS = ("jemalloc_bg_thd", "polars-ooc-clea")
"""Threads that libraries start when they are imported, without which a child works as well."""


def warm() -> None:
    """Import what the jobs import, and require that no thread was started that a child would miss.

    Signals end the jobs also where a shell started this process in the background, which ignores SIGINT then.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in JOBS:
        importlib.import_module(f"gpu_pricer.jobs.{name}")
    gc.freeze()  # or the garbage collection of each child looks through what was imported, a quarter of its time
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    others = [name for name in names if name not in IDLE_THREADS]
    if len(others) > 1:
        raise RuntimeError(f"a process to fork must have one thread, found {others}: which import started the others?")


@cache
def composed(words: tuple[str, ...]) -> DictConfig:
    """Return the configuration that Hydra composes of a command's overrides, which takes it a second."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(words))


def job(config: DictConfig, name: str) -> Callable[[], int]:
    """Return a function that runs the job as the command line does, on a configuration that is composed already."""

    def run() -> int:
        line = {"runtime": {"choices": {"data": "synthetic"}, "config_sources": []}, "overrides": {"task": []}}
        HydraConfig.instance().cfg = OmegaConf.create({"hydra": {"mode": RunMode.RUN, **line}})
        cli._call_hydra = lambda job, flags, overrides, task: task(config)
        return cli.main([name])

    return run


def status_of(
    work: Callable[[], int], folder: Path, said: Path, strace: Sequence[str] = (), longest: float = LONGEST
) -> int | str:
    """Return how a child ends that calls `work` in the folder: its status, minus a signal's number, or HUNG.

    said: receives its output. strace: further words for strace, which follows the child and its threads; () for none.
    """
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        _be_child(work, folder, said, ready)
    os.close(ready)
    tracer = _attached(child, strace) if strace else None
    os.close(go)  # the child's read ends
    status = _awaited(child, longest)
    if tracer is not None:
        tracer.wait(LONGEST)
    return status


def answer_of(work: Callable[[], Any], folder: Path, said: Path) -> Any:
    """Return what `work` returns when a child calls it in the folder; it must be JSON."""
    answer = said.with_suffix(".json")

    def noted() -> int:
        answer.write_text(json.dumps(work()))
        return 0

    answer.unlink(missing_ok=True)
    status = status_of(noted, folder, said)
    if status != 0:
        raise RuntimeError(f"the check in {folder} must end with status 0, found {status}: {said.read_text()[-2000:]}")
    return json.loads(answer.read_text())


def _be_child(work: Callable[[], int], folder: Path, said: Path, ready: int) -> None:
    """Wait for the parent, do the work, and end without the parent's exit handlers."""
    status = 1
    try:
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(output, 1)
        os.dup2(output, 2)
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1))  # strace is no parent, which some kernels demand
        os.chdir(folder)
        os.read(ready, 1)
        status = work()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _attached(child: int, strace: Sequence[str]) -> subprocess.Popen[bytes]:
    """Return strace once it follows the child."""
    words = ["strace", "--follow-forks", "--quiet=all", f"--attach={child}", *strace]
    tracer = subprocess.Popen(words, stderr=subprocess.PIPE)
    deadline = time.monotonic() + LONGEST
    while "TracerPid:\t0\n" in Path(f"/proc/{child}/status").read_text():
        if tracer.poll() is not None or time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            raise RuntimeError(f"strace must follow a child, found: {tracer.communicate()[1].decode()}")
        time.sleep(0.002)
    return tracer


def _awaited(child: int, longest: float) -> int | str:
    """Return how the child ended; one that takes longer is killed."""
    waiting = select.poll()
    end = os.pidfd_open(child)
    waiting.register(end, select.POLLIN)
    is_hung = True
    try:
        is_hung = not waiting.poll(longest * 1000)
    finally:
        os.close(end)
        if is_hung:
            os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    return HUNG if is_hung else os.waitstatus_to_exitcode(status)
