"""run: every job in order, from raw tables to a published, evaluated price table."""

import logging
import os
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from gpu_pricer.jobs import evaluate, prepare, publish, score, train
from gpu_pricer.jobs.closing import closing_lines
from gpu_pricer.jobs.record import run_job

log = logging.getLogger(__name__)

# A process that is not the first by any of these only helps to train: Lightning, torchrun or srun started it.
RANKS = ("LOCAL_RANK", "RANK", "SLURM_PROCID")
STEPS = {"prepare": prepare, "train": train, "score": score, "publish": publish, "evaluate": evaluate}


def inputs(config: DictConfig) -> list[Path]:
    """What the first step reads; every step writes a run.json of its own."""
    return prepare.inputs(config)


def main(config: DictConfig) -> dict[str, object]:
    """Prepare, train, score, publish and evaluate, in order; the first failure ends the run.

    Whatever fails, the published table stays the last whole version; run it again. At the end it says
    where the prices are, what they promise and how to read them.

    Example: gpu-pricer run data=synthetic paths.work=work-synthetic paths.prices=prices-synthetic
    """
    is_helper = any(os.environ.get(rank, "0") != "0" for rank in RANKS)
    seconds = {}
    for name, job in {"train": train}.items() if is_helper else STEPS.items():
        log.info("%s …", name)
        seconds[name] = run_job(name, job, config)
        log.info("%s took %.1f s", name, seconds[name])
    if not (is_helper or config.publish.dry_run):
        console = Console(highlight=False, markup=False, soft_wrap=True)
        for line in closing_lines(Path(config.paths.prices), Path(config.paths.catalog)):
            console.print(line)
    return {"steps": seconds}
