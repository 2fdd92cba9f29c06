"""Output that nobody reads to its end, as in `gpu-pricer versions | head -1`."""

import os
import signal
import sys
from collections.abc import Callable


def written(work: Callable[[], int | None]) -> int | None:
    """Call `work`, write all that it prints, and return its result, or `unread()` if nobody reads its output."""
    try:
        status = work()
        print(end="", flush=True)
        return status
    except BrokenPipeError:
        return unread()


def unread() -> int:
    """Return the exit status of a job whose output nobody reads any more, that of a process which SIGPIPE ends.

    The rest of the output goes nowhere, so that writing it as Python ends cannot fail again.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE
