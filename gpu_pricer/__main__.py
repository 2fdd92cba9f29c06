"""The command `gpu-pricer`, also by `python -m gpu_pricer`."""

import os
import signal
import sys
from types import FrameType

from gpu_pricer.command_line.unread import written

WAITING = ("OMP_WAIT_POLICY", "passive")
"""How threads of OpenMP, which PyTorch and LightGBM use, wait for each other: asleep. Awake they keep a core from
whatever else runs there, and from a thread that they wait for: docs/measurements.md says what that costs."""


def run() -> None:
    """Complete a line for a shell, print help, or run the job that the line names; end with the exit status."""
    if sys.argv[1:2] == ["completion"]:
        from gpu_pricer.command_line.completion import main  # without what jobs import: somebody waits for it

        sys.exit(written(lambda: main(sys.argv[2:])))
    from gpu_pricer.command_line.job_help import help_status

    status = written(lambda: help_status(sys.argv[1:]))
    if status is not None:
        sys.exit(status)
    os.environ.setdefault(*WAITING)  # before any library reads it
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from gpu_pricer.command_line import cli

    cli.run()


def _end(number: int, frame: FrameType | None) -> None:
    """End the process at once with one line: until all is imported, a KeyboardInterrupt could be raised anywhere."""
    os.write(sys.stderr.fileno(), f"gpu-pricer: ended by {signal.Signals(number).name} before it began\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    run()
