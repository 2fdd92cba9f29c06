"""A small market on a cluster: a checkout with the batch scripts, nights submitted from it, and what they published."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gpu_pricer.tables.delta_log import current_run
from tests.cluster.local_slurm import Cluster

ROOT = Path(__file__).parents[2]
SETTINGS = (
    "data=synthetic", "data.source.weeks=20", "data.source.people.users=100", "data.source.people.types=2",
    "data.source.assortment.categories=4", "data.source.assortment.products=16", "model=tiny",
    "model.optimiser.steps=20", "train.segments.count=3", "train.response.draws=5", "day=2026-11-26", "backend=cpu",
    "evaluate.plots=false", "evaluate.bootstrap.replicates=2", "~evaluate.baselines.lightgbm_monotone",
    "~evaluate.baselines.shrunken_logit",
)  # fmt: skip
SMALL = ("--cpus-per-task=1", "--mem=3G")
JOB = re.compile(r"(\w+): job (\d+)")


@dataclass(frozen=True)
class Checkout:
    """A folder with what a user submits from; its gpu-pricer is this checkout's."""

    folder: Path
    cluster: Cluster

    def night(self, *settings: str, options: tuple[str, ...] = ("--time=30",), tasks: int = 4) -> dict[str, str]:
        """Submit a night, and return the number of each of its jobs by the job's name."""
        words = ["slurm/reprice.sh", *SMALL, *options, *SETTINGS, *settings]
        environment = self.cluster.environment | {"TASKS": str(tasks), "RESTARTS": "30"}
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=True)
        return dict(JOB.findall(done.stdout))

    def run(self, *settings: str) -> None:
        """Run all steps in one process without Slurm, with as many threads as a job has, which the last bits follow."""
        words = [".venv/bin/gpu-pricer", "run", *SETTINGS, *settings]
        environment = self.cluster.environment | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    def said(self) -> str:
        """Return the end of what each job has said."""
        return "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in sorted(self.folder.glob("slurm-*.log")))


def checkout(folder: Path, cluster: Cluster) -> Checkout:
    """Return a checkout in a new folder."""
    shutil.copytree(ROOT / "slurm", folder / "slurm")
    program = folder / ".venv/bin/gpu-pricer"
    program.parent.mkdir(parents=True)
    paths = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"
    program.write_text(f'#!/usr/bin/env bash\nPYTHONPATH={paths} exec {sys.executable} -m gpu_pricer "$@"\n')
    program.chmod(0o755)
    return Checkout(folder, cluster)


def published(prices: Path) -> str:
    """Return a hash of the published rows in the order of their keys, and of the columns' types."""
    files = sorted((prices / str(current_run(prices))).glob("*.parquet"))
    rows = pl.concat([pl.read_parquet(file) for file in files]).sort("product_id", "segment_id")
    return hashlib.sha256(f"{rows.schema}{rows.write_csv()}".encode()).hexdigest()
