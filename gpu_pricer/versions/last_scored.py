"""The version of the price table that `score` finished last for a work folder, which `publish` takes by default."""

import json
from pathlib import Path

from gpu_pricer.errors import InputError
from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.version.names import RUN_RECORD

LAST_SCORED = "score/version.json"
"""In the work folder: the run of the last finished version that lies in the published table's folder."""


def remember_scored(work: Path, prices: Path, folder: Path) -> None:
    """Note a finished version as the work folder's last; one that lies outside `prices` does not count."""
    if folder.resolve().parent != prices.resolve():
        return
    path = work / LAST_SCORED
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as fresh:
        fresh.write_text(json.dumps({"run": folder.resolve().name}) + "\n")


def last_scored(work: Path, prices: Path) -> Path:
    """Return the folder of the work folder's last finished version in `prices`; raise InputError if there is none."""
    path = work / LAST_SCORED
    if not path.is_file():
        raise InputError(
            f"a version must have been scored for {work} into {prices}, found none ({path} is not there): "
            "run `gpu-pricer score` first, or name a version with paths.shards"
        )
    try:
        return prices / str(json.loads(path.read_text())["run"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} must name a version, found: {error}: score again") from error


def newest_version(work: Path, prices: Path) -> Path:
    """Return the folder of the version scored last, unless it was published and then replaced: then the published one.

    Raise InputError if there is neither.
    """
    run = current_run(prices)
    if not (work / LAST_SCORED).is_file() and run is not None:
        return prices / run
    folder = last_scored(work, prices)
    is_usable = (folder / RUN_RECORD).is_file() and folder.name not in published_runs(prices)
    return folder if is_usable or run is None else prices / run
