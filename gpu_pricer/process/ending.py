"""How a signal ends a job: as an exception, so that what is half-written is removed, and with a line that says so.

A Slurm job that gets SIGUSR1, as by sbatch --signal=USR1@120 before its time is up, asks Slurm to run it again.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

import polars as pl

from gpu_pricer.errors import SIGNALS, Interrupted

MOST_RESTARTS = 20
"""How often Slurm is asked to run one job again: a job that never gets to its end must not use the cluster for ever."""
RANKS = ("LOCAL_RANK", "RANK", "SLURM_PROCID")
"""Variables by which Lightning, torchrun or srun number the processes of a distributed training."""


def is_helper() -> bool:
    """Return whether this process only helps another one to train."""
    return any(os.environ.get(rank, "0") != "0" for rank in RANKS)


@contextmanager
def interruptible() -> Iterator[None]:
    """Make the signals raise Interrupted in the block, except those that are ignored, as by nohup.

    SIGINT raises KeyboardInterrupt, whatever it did before.
    Only the main thread can set handlers; in another thread nothing changes.
    """
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGINT)}
    _handle([number for number in SIGNALS if before[number] is signal.SIG_DFL], _interrupt)
    if callable(before[signal.SIGINT]):
        _handle([signal.SIGINT], signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: a handler that is not Python's
                _handle([number], handler)


def _handle(numbers: Iterable[int], handler: Callable[[int, FrameType | None], object] | int) -> None:
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Let the signals that end a job wait until the block has ended; those that are ignored stay ignored.

    Handlers note them instead of a mask holding them up, because other threads would still take what this one masks.
    """
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGINT)}
    heard = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    _handle(heard, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in heard.items():
            _handle([number], handler)  # type: ignore[arg-type]
        if came:
            signal.raise_signal(came[0])


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


def signal_in(error: BaseException) -> int | None:
    """Return the signal that ended a job inside Polars, whose Rust makes a panic of it; None for other errors.

    The panic's text quotes the exception that the signal's handler raised.
    """
    if not isinstance(error, pl.exceptions.PanicException):
        return None
    if KeyboardInterrupt.__name__ in str(error):
        return signal.SIGINT
    return next((number for number in SIGNALS if str(Interrupted(number)) in str(error)), None)


def farewell(number: int) -> str:
    """Return what became of the job that the signal ended, and what to do; ask Slurm to requeue it where it should.

    Further signals are ignored: Slurm ends a job that it requeues with SIGTERM.
    """
    _handle((*SIGNALS, signal.SIGINT), signal.SIG_IGN)
    job = os.environ.get("SLURM_JOB_ID")
    remedy = _requeue(job) if number == signal.SIGUSR1 and job is not None else "run it again"
    return f"ended by {signal.Signals(number).name}; the published table is whole, {remedy}"


def _requeue(job: str) -> str:
    """Ask Slurm to run the job again, unless it has done so MOST_RESTARTS times, and return what became of that.

    A task of an array is named by array and task, because the number of one task is also that of the whole array.
    """
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    if restarts >= MOST_RESTARTS:
        return f"Slurm has run it again {restarts} times already: submit it with a longer --time"
    name = job if array is None else f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", name], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        answer = getattr(error, "stderr", None) or str(error)
        return f"Slurm did not requeue job {name} ({answer.strip()}): submit it again"
    return f"Slurm will run job {name} again"
