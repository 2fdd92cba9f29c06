"""Lines of the log that show that a long stage is still running, and how far it is."""

import logging
import time

log = logging.getLogger(__name__)

SILENCE = 5.0
"""Seconds after the last line of the log before a heartbeat adds one."""


class _LastLine(logging.Handler):
    """Remembers when the last line was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.time = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the time."""
        self.time = time.monotonic()


last_line = _LastLine()
"""A handler for the root logger. A process whose log has no such handler has no heartbeats."""


def beat(message: str, *values: object) -> None:
    """Log the message with its values, unless a line was logged in the last SILENCE seconds.

    Loops of long stages call it in every round: most calls only look at the clock.
    """
    if last_line in logging.getLogger().handlers and time.monotonic() - last_line.time >= SILENCE:
        log.info(message, *values)
