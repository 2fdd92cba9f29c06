"""The command `gpu-pricer`, also by `python -m gpu_pricer`."""

import sys


def run() -> None:
    """Complete a line for a shell, or run the job that the command line names; end with the exit status."""
    if sys.argv[1:2] == ["completion"]:
        from gpu_pricer.command_line.completion import main  # without what jobs import: somebody waits for it

        sys.exit(main(sys.argv[2:]))
    from gpu_pricer.command_line import cli

    cli.run()


if __name__ == "__main__":
    run()
