"""Rates that hold on a machine with noise: medians over rounds in which every contestant runs once."""

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import which
from statistics import median
from time import perf_counter
from typing import Any

ROUNDS = 5

LEAST_SECONDS = 0.4
"""A measurement repeats its pass until it lasts this long, so that a moment's noise cannot own it."""


def arguments(**defaults: int) -> argparse.Namespace:
    """Return the command line's whole numbers, `--name N` for each default."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    return parser.parse_args()


def rates(cells: Mapping[str, int], run: Callable[[str, int], object], rounds: int) -> dict[str, float]:
    """Return the median rate of each contestant in Mcells/s.

    cells: what one pass of each prices; run(name, passes) runs its passes and returns when they are done.
    The first pass warms up, the second one says how many make a measurement. The range over the rounds goes to
    standard error: where it is wide, the machine was busy with something else.
    """
    passes = {}
    for name in cells:
        seconds_of(run, name, 1)
        passes[name] = math.ceil(LEAST_SECONDS / seconds_of(run, name, 1))
        say(f"{name}: ready, {passes[name]} passes a round")
    seconds: dict[str, list[float]] = {name: [] for name in cells}
    for _ in range(rounds):
        for name, repeats in passes.items():
            seconds[name].append(seconds_of(run, name, repeats) / repeats)
    for name, found in seconds.items():
        slow, fast = (cells[name] / took(found) / 1e6 for took in (max, min))
        say(f"{name}: {slow:.3g} to {fast:.3g} Mcells/s in the rounds")
    return {name: cells[name] / median(seconds[name]) / 1e6 for name in cells}


def seconds_of(run: Callable[[str, int], object], name: str, passes: int) -> float:
    """Return the wall-clock seconds that the passes took together."""
    start = perf_counter()
    run(name, passes)
    return perf_counter() - start


def machine() -> dict[str, Any]:
    """Return what the rates hold for: the CPU's model, the commit and the threads."""
    return {"device": _cpu_model(), "commit": _commit(), "threads": cores()}


def cores() -> int:
    """Return the CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else "unknown"


def _commit() -> str:
    if which("git") is None:
        return "unknown"

    def git(*words: str) -> str:
        here = Path(__file__).parent
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False).stdout.strip()

    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    return f"{commit} and changes" if git("status", "--porcelain") else commit


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Return the figures with three significant digits."""
    return {name: float(f"{figure:.3g}") for name, figure in figures.items()}


def short(value: Any) -> Any:
    """Return a tree of dicts and lists with every float to four decimals."""
    if isinstance(value, dict):
        return {key: short(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [short(entry) for entry in value]
    return round(value, 4) if isinstance(value, float) else value


def report(**results: Any) -> None:
    """Print the machine and the results as one line of JSON on standard output."""
    print(json.dumps(machine() | results, ensure_ascii=False))


def say(line: str) -> None:
    """Print a line of progress on standard error."""
    print(line, file=sys.stderr, flush=True)
