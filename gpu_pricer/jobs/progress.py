"""The progress of a job: a bar on a terminal, a log line after every tenth elsewhere."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

TENTHS = 10

log = logging.getLogger(__name__)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to be called with the amount done since its last call; `total` is the amount of all calls."""
    if sys.stderr.isatty():
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total)
            yield lambda amount: bar.advance(task, amount)
        return
    done = 0

    def advance(amount: int) -> None:
        nonlocal done
        before, done = TENTHS * done // max(total, 1), done + amount
        if TENTHS * done // max(total, 1) > before:
            log.info("%s: %d %%", what, 100 * done // max(total, 1))

    yield advance
