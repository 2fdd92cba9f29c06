"""What jobs have left in a folder, as hashes that two equal runs have in common, and promises that always hold.

Everything here reads tables in the working folder, and so runs in a child.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from gpu_pricer.tables.artefact import read_artefact
from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.tables.published.retention import Retention, remove_old_versions
from gpu_pricer.tables.version.names import FAIRNESS, RUN_ID, RUN_RECORD
from gpu_pricer.versions.last_scored import last_scored

Outcome = dict[str, str]

WORK, PRICES, NAMED = Path("work"), Path("prices"), Path("prices/tonight")
TREES = ("work/data", "work/train/members", "work/train/naive", "work/demand", "work/truth", "work/frontier")
FILES = (
    "work/train/held_out.parquet",
    "work/train/held_out_sums.parquet",
    "work/elasticities.parquet",
    "work/metrics.json",
    "out.parquet",
)
JOURNALS = f"{NAMED}/_record/finished-*.jsonl"
OF_A_RUN = ("run", "created")
"""Keys of demand.json that differ between equal trainings."""
TWO_DAYS = 2 * 24 * 3600


def outcome() -> Outcome:
    """Return a hash by name of each thing that a reader may read; "" where it is not there."""
    found = {name: _tree(Path(name)) for name in TREES}
    found |= {name: _hash(_content(Path(name))) if Path(name).exists() else "" for name in FILES}
    for name in ("work/demand", "work/truth"):
        if Path(name).exists():
            read_artefact(Path(name))  # which raises where it is not whole
    found["published"] = _rows(PRICES / str(current_run(PRICES))) if current_run(PRICES) else ""
    is_scored = (WORK / "score/version.json").exists()
    found["scored"] = _rows(last_scored(WORK, PRICES)) if is_scored else ""
    found["named"] = _rows(NAMED) if (NAMED / RUN_RECORD).exists() else ""
    return found


def broken_promises() -> list[str]:
    """Return what must hold at every moment and does not: of the link, the published runs and their audits."""
    runs, link, broken = published_runs(PRICES), PRICES / "_current", []
    if link.is_symlink():
        target = str(link.readlink())
        if target not in [*runs][-2:]:
            broken.append(f"_current names {target}, published are {[*runs]}")
        elif _rows(PRICES / target) == "":
            broken.append(f"_current names {target}, which is empty")
    if runs and (PRICES / current_run(PRICES) / RUN_RECORD).exists() is False:
        broken.append(f"the published {current_run(PRICES)} has no record")
    versions = [path.parent.parent for path in Path().glob(f"*/*/{RUN_RECORD}")]
    broken += [
        f"{version} can be published without an audit" for version in versions if not (version / FAIRNESS).exists()
    ]
    return broken


def unfollowed() -> list[str]:
    """Return in what the link differs from the published run; nothing after a finished publication."""
    link, run = PRICES / "_current", current_run(PRICES)
    if run is None:
        return [f"_current is {link.readlink()}, nothing is published"] if link.is_symlink() else []
    found = str(link.readlink()) if link.is_symlink() else None
    if found != run:
        return [f"_current is {found}, published is {run}"]
    read = pl.read_parquet(f"prices/{run}/*.parquet"), pl.scan_delta("prices").collect()
    keys = [name for name in ("product_id", "segment_id") if name in read[0].columns]
    return [] if read[0].sort(keys).equals(read[1].sort(keys)) else [f"_current and Delta differ in rows of {run}"]


def age_and_clean() -> None:
    """Let two days pass for all that was never published, and let a publisher remove what is old."""
    runs = published_runs(PRICES)
    if not runs:
        return
    used = {*runs, *([last_scored(WORK, PRICES).name] if (WORK / "score/version.json").exists() else [])}
    then = time.time() - TWO_DAYS
    unpublished = [path for path in PRICES.iterdir() if path.name not in used and path.name != "_delta_log"]
    for path in [*unpublished, *(PRICES / "_delta_log").glob("*#*")]:
        for entry in [path, *(path.rglob("*") if not path.is_symlink() else [])]:
            os.utime(entry, (then, then), follow_symlinks=False)
    remove_old_versions(PRICES, Retention(keep=5, hours=24))


def names_below() -> list[str]:
    """Return the paths of all files, without what differs between equal runs and what lets scoring into NAMED go on."""
    return sorted({_common(path) for path in _files(Path()) if not path.match(JOURNALS)})


def unfinished() -> list[str]:
    """Return the folders of versions that were begun and have no record; one with a name given waits to go on."""
    versions = [path for path in PRICES.glob("[!_]*") if path.is_dir() and path.name != NAMED.name]
    return [str(version) for version in versions if not (version / RUN_RECORD).exists()]


def _common(path: Path) -> str:
    name = RUN_ID.sub("<run>", str(path))
    name = re.sub(r"_delta_log/\d+", "_delta_log/<n>", name)
    return re.sub(r"events\.out\.tfevents.*", "<events>", name)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def _tree(folder: Path) -> str:
    """Return a hash of the folder's files, "" without any; nobody reads a file that is not finished."""
    paths = [path for path in sorted(_files(folder)) if path.suffix != ".part"]
    parts = [f"{path.relative_to(folder)} {_hash(_content(path))}" for path in paths]
    return _hash("\n".join(parts).encode()) if parts else ""


def _content(path: Path) -> bytes:
    if path.name != "demand.json":
        return path.read_bytes()
    described = json.loads(path.read_text())
    return json.dumps({name: value for name, value in described.items() if name not in OF_A_RUN}).encode()


def _rows(version: Path) -> str:
    """Return a hash of a version's rows; files carry the run's name."""
    paths = sorted(version.glob("*.parquet"))
    if not paths:
        return ""
    table = pl.concat([pl.read_parquet(path) for path in paths])
    keys = [name for name in ("product_id", "segment_id") if name in table.columns]
    return _hash(table.sort(keys).write_csv().encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
