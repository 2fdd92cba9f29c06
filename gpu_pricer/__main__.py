"""python -m gpu_pricer JOB ... is gpu-pricer JOB ..."""

from gpu_pricer.cli import run

run()
