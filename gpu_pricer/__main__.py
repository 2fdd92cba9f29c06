"""The command `python -m gpu_pricer JOB ...`, which does the same as `gpu-pricer JOB ...`."""

from gpu_pricer.cli import run

run()
