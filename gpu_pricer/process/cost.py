"""What a job costs: seconds of processor cores, and for the jobs that make prices the seconds per million of them."""

import os
from pathlib import Path

from gpu_pricer.tables.version.version_record import read_version

MILLION = 1e6


def core_seconds() -> float:
    """Return the seconds that cores have worked for this process, all its threads, and its children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def cost_of_prices(folder: Path, seconds: float, cores: float) -> dict[str, float]:
    """Return what the prices of a version cost that one job made, empty where it made none.

    Prices of files that were carried over from another version do not count. seconds, cores: the seconds of the job and
    of cores. A GPU counts for as long as the job lasts, because nobody else can have it; without one gpu_seconds is 0.
    """
    version = read_version(folder)
    own = (tally.rows for tally, run in zip(version.file_tallies, version.origins, strict=False) if run == version.run)
    prices, gpus = sum(own), seconds if version.backend == "cuda" else 0.0
    if not prices:
        return {}
    return {
        "prices": prices,
        "gpu_seconds": gpus,
        "core_seconds_per_million_prices": MILLION * cores / prices,
        "gpu_seconds_per_million_prices": MILLION * gpus / prices,
    }
