"""Tab completion: the script for a shell, and what can stand where the cursor is.

A shell's function asks `gpu-pricer completion -- WORD …` for every press of the key. Hydra knows groups, options, keys
and values; jobs and flags are ours to add.
"""

import contextlib
import io
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import hydra

from gpu_pricer import CONF
from gpu_pricer.command_line.words import PLAIN, VALUED, divided
from gpu_pricer.jobs import JOBS

SCRIPTS = {shell: Path(__file__).parent / "shell" / f"gpu-pricer.{shell}" for shell in ("bash", "zsh")}
FOLDERS = ("--config-dir", "-cd", "--config-path", "-cp")
DO_NOTHING = 2


def main(arguments: Sequence[str]) -> int:
    """Print a shell's script, or one candidate per line for the last of the words; return the exit status."""
    if arguments and arguments[0] == "--":
        print(*candidates(arguments[1:] or [""]), sep="\n")
        return 0
    if len(arguments) == 1 and arguments[0] in SCRIPTS:
        print(SCRIPTS[arguments[0]].read_text(), end="")
        return 0
    print(
        f"gpu-pricer completion: the next word must be {' or '.join(SCRIPTS)}, found {' '.join(arguments) or 'none'}: "
        'put eval "$(gpu-pricer completion bash)" into ~/.bashrc',
        file=sys.stderr,
    )
    return DO_NOTHING


def candidates(words: Sequence[str]) -> list[str]:
    """Return what the last of the words, which follow the program's name, can be completed to."""
    *before, word = words
    if before and before[-1] in VALUED:
        folders = _folders(word) if before[-1] in FOLDERS else []
        return [value for value in (*VALUED[before[-1]], *folders) if value.startswith(word)]
    if word.startswith("-"):
        return [flag for flag in (*PLAIN, *VALUED) if flag.startswith(word) and flag not in before]
    flags, others = divided(before)
    if not others:
        return [job for job in (*JOBS, "completion") if job.startswith(word)]
    if others[0] == "completion":
        return [shell for shell in SCRIPTS if shell.startswith(word)]
    found = _asked_of_hydra(flags, [other for other in others[1:] if "=" in other or other[0] in "~+"], word)
    return [candidate for candidate in found if "=_" not in candidate]  # data=_shared is a part of others


def _folders(word: str) -> list[str]:
    """Return the folders whose path begins with the word."""
    above, _, _ = word.rpartition("/")
    found = (path for path in Path(above or ("/" if word.startswith("/") else ".")).glob("*") if path.is_dir())
    return sorted(f"{path}/" for path in found)


def _asked_of_hydra(flags: Sequence[str], overrides: Sequence[str], word: str) -> list[str]:
    """Return Hydra's candidates; none where it cannot compose what stands before.

    Hydra takes the line from a variable and prints the candidates, as for its own script.
    """
    sweep = [flag for flag in flags if flag in ("-m", "--multirun")]
    places = [part for flag, value in itertools.pairwise(flags) if flag in FOLDERS for part in (flag, value)]
    os.environ["COMP_LINE"] = " ".join(["gpu-pricer", *sweep, *overrides, word])
    sys.argv = ["gpu-pricer", *places, "--shell-completion", "query=bash"]
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(Exception, SystemExit),
    ):
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(lambda config: None)()
    return printed.getvalue().split()
