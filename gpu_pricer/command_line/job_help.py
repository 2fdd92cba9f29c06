"""What the command line says of itself: its jobs, the help of each, and which job an unknown word may mean."""

import difflib
import importlib
import inspect

from gpu_pricer import CONF
from gpu_pricer.jobs import JOBS


def unknown_job(job: str) -> str:
    """Return what is wrong with a first word that is no job."""
    close = difflib.get_close_matches(job, JOBS, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(JOBS)}"
    return f"the first word must be a job, found {job!r}: {hint}"


def overview() -> str:
    """Return the usage of the command line and its jobs, a line each."""
    rows = "\n".join(f"  {name:<10}{line}" for name, line in JOBS.items())
    return (
        f"usage: gpu-pricer JOB [key=value ...]\n\n{rows}\n\ngpu-pricer JOB --help explains one of them. "
        "Begin with files of your own:\n  gpu-pricer inspect FILE_OR_FOLDER...\n"
        'eval "$(gpu-pricer completion bash)" lets the Tab key complete jobs, groups and keys; or zsh.'
    )


def help_of(job: str) -> str:
    """Return the usage of a job, what it reads and writes, and the groups of the configuration."""
    text = inspect.getdoc(importlib.import_module(f"gpu_pricer.jobs.{job}").main)
    options = {
        folder.name: ", ".join(sorted(path.stem for path in folder.glob("[!_]*.yaml")))
        for folder in sorted(CONF.iterdir())
        if folder.is_dir() and folder.name != "hydra"
    }
    groups = "\n".join(f"  {group}={names}" for group, names in options.items())
    return (
        f"usage: gpu-pricer {job} [key=value ...]\n\n{text}\n\nGroups, from the folder conf/:\n{groups}\n\n"
        f"gpu-pricer {job} --cfg job prints every key with its value and runs nothing."
    )
