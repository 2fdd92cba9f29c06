"""What the command line says of itself: its jobs, the help of each, and which job an unknown word may mean."""

import ast
import difflib
from collections.abc import Sequence
from pathlib import Path

from gpu_pricer import CONF, jobs
from gpu_pricer.command_line.words import divided
from gpu_pricer.errors import InputError
from gpu_pricer.jobs import JOBS

ASKED = ("-h", "--help")


def help_status(arguments: Sequence[str]) -> int | None:
    """Print the help that the line asks for and return the exit status; None where it asks for none."""
    if not arguments or arguments[0] in ASKED:
        print(overview())
        return 0 if arguments else InputError.exit_status
    flags, words = divided(arguments)
    job = words[0] if words else flags[0]
    if job not in JOBS or not {*ASKED} & {*flags}:
        return None
    print(help_of(job))
    return 0


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
    text = _docstring(job)
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


def _docstring(job: str) -> str:
    """Return the docstring of a job's `main`, read from the source: importing all that a job needs takes seconds."""
    tree = ast.parse((Path(jobs.__file__).parent / f"{job}.py").read_text())
    (main,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    return ast.get_docstring(main) or ""
