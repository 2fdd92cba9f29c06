"""What a finished job leaves behind for whoever asks later: <work>/<job>/run.json."""

import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

LIBRARIES = ("gpu-pricer", "torch", "pytorch-lightning", "polars", "numba", "numpy", "deltalake", "hydra-core")


@contextmanager
def recorded(job: str, config: DictConfig) -> Iterator[None]:
    """Write the job's run.json once it succeeded: config, versions, times, machine."""
    started, clock = datetime.now(UTC), time.perf_counter()
    yield
    record = {
        "job": job,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - clock, 2),
        "machine": {"platform": platform.platform(), "python": platform.python_version()},
        "versions": {name: version(name) for name in LIBRARIES},
        "config": OmegaConf.to_container(config, resolve=True),
    }
    path = Path(config.paths.work) / job / "run.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n")
