"""A command that halts where the test says, so that a signal finds it there.

python -m tests.jobs.halting MODULE:FUNCTION MARKER JOB [key=value ...] runs gpu-pricer JOB; when the function is
called, the file MARKER appears and the process waits.
"""

import importlib
import sys
import threading
from pathlib import Path

LONGEST = 120  # seconds; a test that forgets its signal ends all the same


def halt_at(place: str, marker: Path) -> None:
    """Make the function at `place` wait, and say by the file `marker` that it does."""
    module, _, name = place.partition(":")

    def halted(*arguments: object, **named: object) -> None:
        marker.touch()
        threading.Event().wait(LONGEST)
        raise TimeoutError(f"no signal came to {place}")

    setattr(importlib.import_module(module), name, halted)


if __name__ == "__main__":
    place, marker, *sys.argv[1:] = sys.argv[1:]
    halt_at(place, Path(marker))
    importlib.import_module("gpu_pricer.command_line.cli").run()
