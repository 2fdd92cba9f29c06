"""Output that nobody reads to its end, as in `gpu-pricer versions | head -1`, or for which a disk has no room."""

import os
import signal
import sys
from collections.abc import Callable

FULL = 2
"""The exit status where standard output has no room, that of every failure which is not a fault of the program."""


def written(work: Callable[[], int | None]) -> int | None:
    """Call `work`, write all that it prints, and return its result, or the exit status where that is not possible."""
    try:
        status = work()
        if status is not None:
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        return unread()
    except OSError as error:
        print(f"gpu-pricer: standard output must have room, found: {error}: mend that", file=sys.stderr)
        _drop()
        return FULL


def unread() -> int:
    """Return the exit status of a job whose output nobody reads any more, that of a process which SIGPIPE ends."""
    _drop()
    return 128 + signal.SIGPIPE


def flush_or_drop() -> None:
    """Write the rest of the output, or drop it where it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop()


def _drop() -> None:
    """Let the rest of the output go nowhere, so that writing it as Python ends cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
