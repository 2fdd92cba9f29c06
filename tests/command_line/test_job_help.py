"""What the command line says of itself, against the jobs' own docstrings."""

import importlib
import inspect
import subprocess
import sys

import pytest

from gpu_pricer.command_line.job_help import help_of
from gpu_pricer.jobs import JOBS


@pytest.mark.parametrize("job", sorted(JOBS))
def test_help_is_what_the_job_says_of_its_main(job):
    main = importlib.import_module(f"gpu_pricer.jobs.{job}").main

    assert help_of(job).startswith(f"usage: gpu-pricer {job} [key=value ...]\n\n{inspect.getdoc(main)}\n\nGroups")


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_imports_no_job(arguments):
    asked = f"import sys; sys.argv[1:] = {arguments}\nfrom gpu_pricer.__main__ import run\ntry: run()\nfinally:"
    asked += " print([name for name in ('torch', 'numba', 'hydra') if name in sys.modules])"

    ended = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert ended.stdout.splitlines()[-1] == "[]"
