"""The progress of a stage: on a terminal a bar with rate and time left once it lasts, elsewhere a line per tenth.

A stage that is done sooner than PATIENCE says so in one line. A quiet job says nothing.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TENTHS = 10
PATIENCE = 3.0
"""Seconds without a bar or a line of progress."""

log = logging.getLogger(__name__)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to be called with the amount done since its last call; `total` is the amount of all calls."""
    started, done = time.monotonic(), 0
    bar = None
    if sys.stderr.isatty() and log.isEnabledFor(logging.INFO):
        from gpu_pricer.process.on_terminal import progress_bar  # and Rich, which no task of a cluster needs

        bar = progress_bar()
    task = None if bar is None else bar.add_task(what, total=total)

    def advance(amount: int) -> None:
        """Count so much work as done, and show it on the bar, or in the log at every tenth of a long stage."""
        nonlocal done
        before, done = TENTHS * done // max(total, 1), done + amount
        lasts = time.monotonic() - started >= PATIENCE
        if bar is not None and task is not None:
            bar.advance(task, amount)
            if lasts and done < total:
                bar.start()
        elif lasts and done < total and TENTHS * done // max(total, 1) > before:
            log.info("%s: %d %%%s", what, 100 * done // total, _pace(done, total, time.monotonic() - started))

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()
    seconds = time.monotonic() - started
    log.info("%s: %s in %.1f s", what, f"{done:,}", seconds)


def _pace(done: int, total: int, seconds: float) -> str:
    """Return how much is done in a second and how long the rest will take."""
    return f", {done / seconds:,.0f}/s, {seconds * (total - done) / done:,.0f} s left" if done else ""
