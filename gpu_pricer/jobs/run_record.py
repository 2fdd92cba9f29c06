"""What a finished job leaves behind for whoever asks later: <work>/<job>/run.json."""

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from omegaconf import DictConfig, OmegaConf

from gpu_pricer.tables.replacing import replacing_file

NAIVE = "naive"
"""In <work>/train: the artefact with prices taken as they are, beside the one corrected for endogeneity."""
MEMBERS = "members"
"""In <work>/train: the artefact whose segments are single users, of the products bought most."""

DRIVER = Path("/proc/driver/nvidia/gpus")
LIBRARIES = (
    "gpu-pricer",
    "torch",
    "pytorch-lightning",
    "polars",
    "numba",
    "numpy",
    "deltalake",
    "hydra-core",
)


def run_job(name: str, job: ModuleType, config: DictConfig) -> float:
    """Run the job and write its run.json once it succeeded; the seconds that it took.

    job.main may return what else the record is to hold. Fingerprints are of what job.inputs names, taken
    before the job can change it.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    settings, inputs = OmegaConf.to_container(config, resolve=True), fingerprints(job.inputs(config))
    added = job.main(config) or {}
    seconds = round(time.perf_counter() - clock, 2)
    record = {
        "job": name,
        "started": started.isoformat(timespec="seconds"),
        "seconds": seconds,
        **added,
        "inputs": inputs,
        "device": {
            "backend": config.backend,
            "cpus": os.cpu_count(),
            "gpus": _gpus(),
            "platform": platform.platform(),
        },
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
        "config": settings,
    }
    path = Path(config.paths.work) / name / "run.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as fresh:
        fresh.write_text(json.dumps(record, indent=2) + "\n")
    return seconds


def fingerprints(paths: Iterable[Path]) -> dict[str, str]:
    """The SHA-256 of every file, and of every file in a folder, by path; what is not there is left out."""
    files = (file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path]))
    return {str(file): _sha256(file) for file in files if file.is_file()}


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _gpus() -> list[str]:
    """The models that the NVIDIA driver lists: asking CUDA itself would cost every job seconds."""
    pages = [path.read_text().splitlines() for path in sorted(DRIVER.glob("*/information"))]
    return [line.partition(":")[2].strip() for page in pages for line in page if line.startswith("Model:")]


def _version(distribution: str) -> str | None:
    """None in a checkout that was never installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
