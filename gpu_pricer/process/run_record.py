"""The record of a finished job, <work>/<job>/run.json, and the names of what jobs leave for other jobs."""

import functools
import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig, OmegaConf

from gpu_pricer.errors import InputError
from gpu_pricer.process.cost import core_seconds, cost_of_prices
from gpu_pricer.process.local_copies import with_local_copies
from gpu_pricer.tables.files.replacing import replacing_file

log = logging.getLogger(__name__)

NAIVE = "naive"
"""In <work>/train: the artefact without the correction of its price response for endogeneity."""
MEMBERS = "members"
"""In <work>/train: the artefact whose segments are single users, for the categories bought most."""
HELD_OUT = "held_out.parquet"
"""In <work>/train: the predictions of the held-out periods."""
HELD_OUT_SUMS = "held_out_sums.parquet"
"""In <work>/train: their sums over all occasions, where the predictions are those of a sample."""

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


class JobModule(Protocol):
    """A job: a module of gpu_pricer.jobs, or what stands for one."""

    def inputs(self, config: DictConfig) -> list[Path]:
        """Return the files and folders that the job reads."""

    def main(self, config: DictConfig) -> Mapping[str, object] | None:
        """Do the job; return what its record is to say."""


def run_job(name: str, job: JobModule, config: DictConfig) -> dict[str, Any]:
    """Run the job, write its record into run.json if it succeeds, and return the record.

    With paths.metrics it writes the job's metrics too. What job.main returns is added to the record. The files that
    job.inputs names are fingerprinted before the job can change them. Of what lies in an object store the job gets a
    local copy.
    """
    started, clock, cores = datetime.now(UTC), time.perf_counter(), core_seconds()
    settings = OmegaConf.to_container(config, resolve=True)
    config = with_local_copies(name, config)
    inputs = fingerprints(job.inputs(config))
    added = job.main(config) or {}
    seconds = round(time.perf_counter() - clock, 2)
    cost = {"core_seconds": round(core_seconds() - cores, 2)}
    if "version" in added and config.score.shard is None:
        cost |= cost_of_prices(Path(str(added["version"])), seconds, cost["core_seconds"])
    record = {
        "job": name,
        "started": started.isoformat(timespec="seconds"),
        "seconds": seconds,
        "cost": cost,
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(path) as fresh:
            fresh.write_text(json.dumps(record, indent=2) + "\n")
    except OSError as error:  # the job is done, and what it published or wrote stays
        log.warning("%s is done, but its record could not be written: %s", name, error)
    if config.paths.metrics is not None:
        from gpu_pricer.process.metrics_file import write_metrics  # Prometheus' client and the gates, for few runs

        try:
            write_metrics(Path(config.paths.metrics), name, record, Path(config.paths.prices))
        except (OSError, InputError) as error:
            log.warning("%s is done, but its metrics could not be written: %s", name, error)
    return record


def fingerprints(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of every file, folders included, by path; paths that do not exist are left out.

    A process reads a file once for as long as its number, size and times stay the same.
    """
    files = (file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path]))
    return {str(file): _sha256(file) for file in files if file.is_file()}


def _sha256(file: Path) -> str:
    state = file.stat()
    return _read_sha256(file.resolve(), (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns))


@functools.lru_cache(maxsize=1024)
def _read_sha256(file: Path, state: tuple[int, ...]) -> str:
    """Return the SHA-256 of a file; state: what changes with its content."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _gpus() -> list[str]:
    """Return the models of the GPUs, read from the NVIDIA driver: asking CUDA would cost every job seconds."""
    pages = [path.read_text().splitlines() for path in sorted(DRIVER.glob("*/information"))]
    return [line.partition(":")[2].strip() for page in pages for line in page if line.startswith("Model:")]


def _version(distribution: str) -> str | None:
    """Return the version of a distribution, None if it is not installed, such as our own in a bare checkout."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
