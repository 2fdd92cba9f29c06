"""Compiling the kernels for this machine in a process of its own, while a job does what needs no kernel yet."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from kernels import is_compiled

log = logging.getLogger(__name__)

COMMAND = [sys.executable, "-m", "kernels.compiling", "float32", "float64"]


@contextmanager
def compiled_beside() -> Iterator[Callable[[], None]]:
    """Start to compile the kernels, unless a process has done so before, and yield a function that waits for its end.

    What is still compiling at the end of the block is stopped. Where compiling fails, the function logs why: then the
    first call of a kernel compiles it.
    """
    if is_compiled():
        yield lambda: None
        return
    log.info("compiling the kernels for this machine in the background, which takes one processor a minute or two")
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(COMMAND, stdin=nowhere, stdout=nowhere, stderr=subprocess.PIPE) as process:
        try:
            yield cache(lambda: _wait_for(process))
        finally:
            process.terminate()


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        log.info("waiting until the kernels are compiled")
    errors = process.communicate()[1]
    if process.returncode:
        said = errors.decode(errors="replace").strip().rpartition("\n")[2]
        log.warning("the kernels were not compiled (%s): the first call compiles them", said or process.returncode)
