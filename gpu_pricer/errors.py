"""The errors that end a job; each carries the exit status of the process.

A message is one line that says what must hold, what was found, where, and what to do.
"""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1)
"""What ends a process without a word. SIGINT is left to Python, whose KeyboardInterrupt libraries know."""

UNREADABLE = (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What Polars raises over a damaged file. A panic of its Rust code, as over some damaged pages, is no Exception."""


COLOUR, CAUSE = re.compile(r"\x1b\[[0-9;]*m"), "↳"
"""What Delta Lake writes into the text of an error: escape sequences of a terminal, and the mark of a cause."""


class InputError(Exception):
    """The user can remove the cause: bad data, a bad configuration, a missing file or device."""

    exit_status = 2


class Refused(Exception):
    """Gates or an infeasible policy stopped the job, as the configuration demands; each argument is one line."""

    exit_status = 3


class Pruned(Exception):
    """A search ended a training that falls behind those before; loss: its last validation loss. It ends no job."""

    def __init__(self, loss: float) -> None:
        super().__init__(f"pruned at a validation loss of {loss:.5f}")
        self.loss = loss


class Interrupted(BaseException):
    """A signal asked the process to end. It is no Exception, so that nothing that survives errors survives it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number
        self.exit_status = 128 + number


@contextmanager
def readable(place: Path, remedy: str) -> Iterator[None]:
    """Raise InputError in place of what Polars raises over damaged files that the block reads.

    place: the file, or the folder of them; remedy: what the message advises.
    """
    try:
        yield
    except UNREADABLE as error:
        rule = "hold whole Parquet files" if place.is_dir() else "be a whole Parquet file"
        raise InputError(f"{place} must {rule}, found: {first_line(error)}: {remedy}") from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text with the causes below it, or the error's type where the text is empty.

    Errors of libraries may span many lines; a message of ours is one line. Delta Lake writes each cause on a line of
    its own after an arrow, the last of which is what can be mended, such as a full disk.
    """
    first, *others = COLOUR.sub("", str(error)).splitlines() or [type(error).__name__]
    return ": ".join([first, *(line.strip(f" {CAUSE}") for line in others if line.lstrip().startswith(CAUSE))])
