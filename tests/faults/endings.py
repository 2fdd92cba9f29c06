"""How a job ends in this process: its exit status and what it says, as the command line would have it."""

import contextlib
import io
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gpu_pricer.command_line import cli
from gpu_pricer.errors import InputError, Refused
from tests.faults.counts import Counts

EXAMPLES = 10
SHOWN = 300
"""Characters shown of what a job said."""


@dataclass(frozen=True)
class Ending:
    """The exit status of a job, None where not even the command line would have caught its error, and its words."""

    status: int | None
    said: str

    @property
    def is_refusal(self) -> bool:
        """Whether the job ended with one line that the user can act on, or with such a line for each gate."""
        lines = self.said.removesuffix("\n").split("\n")
        is_whole = self.said.endswith("\n") and all(": " in line for line in lines)
        if self.status == InputError.exit_status:
            return is_whole and len(lines) == 1
        return is_whole and self.status == Refused.exit_status

    def __str__(self) -> str:
        return f"status {self.status}: {self.said.strip()[-SHOWN:]}"


def ending_of(job: str, work: Callable[[], object]) -> Ending:
    """Return how the job ends whose work is this; what it logs is no part of what it says."""
    said = io.StringIO()
    with _quiet(), contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            status: int | None = cli._status(job, work)
        except BaseException as error:  # such as a panic in a library's Rust code
            if isinstance(error, KeyboardInterrupt):
                raise
            return Ending(None, f"{type(error).__name__}: {error}")
    return Ending(status, said.getvalue())


def counted(name: str, faults: Iterable[str | None]) -> Counts:
    """Return the counts of cases, each a line on what went wrong or None."""
    done, wrong = 0, []
    for fault in faults:
        done += 1
        if fault is not None:
            wrong.append(fault)
    return Counts(name, done, len(wrong), tuple(wrong[:EXAMPLES]))


@contextlib.contextmanager
def _quiet():
    """Keep the log from standard error, where Python prints warnings that no handler takes."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
