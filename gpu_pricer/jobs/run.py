"""run: every job in order, from raw tables to a published, evaluated price table."""

import json
import logging
import os
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.repetition import repeated_metrics
from gpu_pricer.jobs import evaluate, prepare, publish, score, train
from gpu_pricer.jobs.plan import Plan
from gpu_pricer.jobs.run_record import run_job
from gpu_pricer.jobs.scoreboard import scoreboard, wide_console
from gpu_pricer.jobs.summary import closing_lines

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

    run.steps leaves steps out. run.folds and run.seeds repeat the steps for every fold and seed, each in
    paths.work/<fold>/seed<k>; paths.work/metrics.json then holds the mean and the spread of all metrics.

    Example: gpu-pricer run data=synthetic paths.work=work-synthetic paths.prices=prices-synthetic
             gpu-pricer run experiment=grocery_benchmark paths.work=work-benchmark
    """
    plan = instantiate(config.run, _convert_="all")
    measure = config.frontier.measure
    if measure is not None:
        raise InputError(f"frontier={measure} writes no prices to publish: use gpu-pricer score frontier={measure}")
    if "evaluate" in plan.steps:
        instantiate(config.evaluate, _convert_="all")  # what it cannot do, it should not say after an hour
    if plan.is_repeated:
        return {"runs": _repeat(plan, config)}
    is_helper = any(os.environ.get(rank, "0") != "0" for rank in RANKS)
    seconds = _take(["train"] if is_helper else plan.steps, config)
    if "publish" in seconds and not config.publish.dry_run:
        console = Console(highlight=False, markup=False, soft_wrap=True)
        for line in closing_lines(Path(config.paths.prices), Path(config.paths.catalog)):
            console.print(line)
    return {"steps": seconds}


def _take(steps: list[str], config: DictConfig) -> dict[str, float]:
    """Run the steps and return the seconds of each."""
    seconds = {}
    for name in steps:
        log.info("%s …", name)
        seconds[name] = run_job(name, STEPS[name], config)
        log.info("%s took %.1f s", name, seconds[name])
    return seconds


def _repeat(plan: Plan, config: DictConfig) -> dict[str, dict[str, float]]:
    """Run the steps for every fold and seed and write what their metrics have in common."""
    seconds: dict[str, dict[str, float]] = {}
    metrics: dict[str, list[dict]] = {}
    for fold, name, changed in plan.configs(config):
        log.info("run %s", name)
        seconds[name] = _take(plan.steps, changed)
        if "evaluate" in plan.steps:
            found = json.loads((Path(changed.paths.work) / "metrics.json").read_text())
            metrics.setdefault(fold or "all", []).append(found)
    if metrics:
        together = repeated_metrics(metrics)
        evaluate.write_metrics(Path(config.paths.work) / "metrics.json", together)
        console = wide_console()
        for fold, block in together["folds"].items():
            console.print(f"{fold}: mean of {block['runs']} runs", *scoreboard(block["mean"]), sep="\n")
    return seconds
