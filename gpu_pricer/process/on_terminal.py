"""What a job shows on a terminal by Rich: its log in colours, and a bar for the progress of a stage."""

import logging

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text


class RateColumn(ProgressColumn):
    """How many units of work a stage does in a second."""

    def render(self, task: Task) -> Text:
        """Return the rate; empty before there is one."""
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


def coloured_handler() -> logging.Handler:
    """Return a handler that writes messages in colours to standard error."""
    handler = RichHandler(console=Console(stderr=True), show_path=False)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def progress_bar() -> Progress:
    """Return a bar, not yet shown; Rich leaves out colours where NO_COLOR is set."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), RateColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
