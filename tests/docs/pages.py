"""What README.md and docs/*.md show: fenced blocks, and code in sentences."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PATHS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in PATHS}
"""The text of every page, by its path."""

PROGRAMS = ("gpu-pricer", "python", "make", "pip", "pytest", "docker", "sbatch", "slurm/reprice.sh")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


class Fence(NamedTuple):
    """A fenced block and the language after its opening marks."""

    language: str
    text: str


class Command(NamedTuple):
    """A command line: the variables that it sets, the program, and its arguments."""

    variables: dict[str, str]
    program: str
    arguments: list[str]

    def __str__(self) -> str:
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        return shlex.join([*variables, self.program, *self.arguments])


def fences(page: str) -> list[Fence]:
    """Return a page's fenced blocks in order."""
    return [Fence(*found) for found in FENCE.findall(PAGES[page])]


def spans(page: str) -> list[str]:
    """Return the code in a page's sentences and tables, in order."""
    return [" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", PAGES[page]))]


def commands(page: str) -> list[Command]:
    """Return a page's commands in order, those of its sh blocks and those in its sentences."""
    shown = []
    for block in re.split(r"(^```\w*\n.*?^```$)", PAGES[page], flags=re.MULTILINE | re.DOTALL):
        if block.startswith("```sh\n"):
            shown += FENCE.findall(block)[0][1].replace("\\\n", " ").splitlines()
        elif not block.startswith("```"):
            shown += [span for span in SPAN.findall(block) if is_command(span)]
    return [command_of(line) for line in shown if line.strip()]


def is_command(span: str) -> bool:
    """Return whether code in a sentence is a command and not the name of a program or of a folder."""
    return " " in span and span.split()[0] in PROGRAMS


def command_of(line: str) -> Command:
    """Return what a shell would run for the line."""
    words = shlex.split(line, comments=True)
    variables = {}
    while ASSIGNMENT.fullmatch(words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    return Command(variables, words[0], words[1:])
