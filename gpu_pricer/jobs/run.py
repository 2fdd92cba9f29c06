"""run: every job in order, from raw tables to an evaluated, published price table and the report on it."""

import json
import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple, cast

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from gpu_pricer.errors import UNREADABLE, InputError, Refused, first_line
from gpu_pricer.evaluation.evaluation_files import write_metrics
from gpu_pricer.evaluation.repetition import repeated_metrics
from gpu_pricer.jobs import evaluate, prepare, publish, report, score, train
from gpu_pricer.jobs.outcome import closing_line, write_ledger
from gpu_pricer.jobs.plan import RunPlan
from gpu_pricer.jobs.pricing_day import preparation_day, pricing_day
from gpu_pricer.jobs.train_settings import require_flags
from gpu_pricer.process.compiling import compiled_beside
from gpu_pricer.process.ending import is_helper
from gpu_pricer.process.run_record import run_job
from gpu_pricer.tables.files.disk_errors import require_writable
from gpu_pricer.tables.published.publishing import current_run
from gpu_pricer.tables.version.names import METRICS_FILE
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.terminal.printing import print_tables
from gpu_pricer.terminal.scoreboard import scoreboard
from gpu_pricer.terminal.summary import closing_lines
from gpu_pricer.versions.appraisal.outlook import Outlook, outlook_of
from gpu_pricer.versions.last_scored import last_scored
from gpu_pricer.versions.version_sources import read_sources

log = logging.getLogger(__name__)

SETTINGS = {
    "prepare": (),
    "train": (
        "split",
        "trainer",
        "logger",
        "model",
        "train.encoding",
        "train.segments",
        "train.export",
        "train.response",
    ),
    "score": ("policy", "score", "fairness"),
    "evaluate": ("policy", "evaluate"),
    "publish": ("publish", "fairness", "report"),
}
"""The parts of the configuration that each step makes objects of, beside what `prepare` checks first."""
OUTPUTS = {
    "prepare": ("paths.data",),
    "train": ("paths.demand",),
    "score": ("paths.shards", "paths.prices"),
    "evaluate": (),
    "publish": ("paths.prices",),
}
"""The places that each step writes to, beside paths.work and paths.metrics; null: none."""
NEEDS_KERNELS = {"score", "evaluate"}
STEPS = {"prepare": prepare, "train": train, "score": score, "evaluate": evaluate, "publish": publish}


def inputs(config: DictConfig) -> list[Path]:
    """Return the files that the first step reads; every step writes its own run.json with its inputs."""
    return prepare.inputs(config)


def main(config: DictConfig) -> dict[str, object]:
    """Prepare, train, score, evaluate and publish, in order; the first failure ends the run.

    After a failure the published table is still the last complete version, and the job can be run again. At its end
    the job writes paths.work/report.html (see gpu-pricer report --help), also where a gate refuses the version, and
    prints where the prices are, the profit they are expected to earn, and how to read them.

    run.steps=[...] runs only some of the steps. run.folds and run.seeds repeat the steps for every fold and seed, each
    in paths.work/<fold>/seed<k>; paths.work/metrics.json then has the mean and the spread of all metrics.

    Example: gpu-pricer run data=synthetic paths.work=work-synthetic paths.prices=prices-synthetic
             gpu-pricer run experiment=grocery_benchmark paths.work=work-benchmark
    """
    plan = instantiate(config.run, _convert_="all")
    measure = config.frontier.measure
    if measure is not None:
        raise InputError(f"frontier={measure} writes no prices to publish: use gpu-pricer score frontier={measure}")
    _check_settings(plan.steps, config)
    _check_outputs(plan.steps, config)
    if plan.is_repeated:
        return {"runs": _repeat(plan, config)}
    seconds = _take(["train"] if is_helper() else plan.steps, config)
    if "publish" in seconds and not config.publish.dry_run:
        folder = Path(config.paths.prices) / str(current_run(Path(config.paths.prices)))
        catalog, is_scored = Path(config.paths.catalog), "score" in plan.steps
        outlook = _outlook(config, folder) if is_scored else None
        promise = _last_promise(config)
        page = _report(config, folder, outlook)
        console = Console(highlight=False, markup=False, soft_wrap=True)
        doubts = report.doubts_about(config, folder, outlook)
        for line in closing_lines(Path(config.paths.prices), catalog, outlook, page, promise, doubts):
            console.print(line)
    return {"steps": seconds}


def _outlook(config: DictConfig, folder: Path) -> Outlook | None:
    """Return the outlook of a version that the run has scored, or made of it by decisions; None: not computed."""
    version = read_version(folder)
    sources = read_sources(config, folder, version)
    return outlook_of(version, folder, sources.artefact, Path(config.paths.catalog), sources.policy)


def _last_promise(config: DictConfig) -> list[str]:
    """Write the ledger and return its closing line; where that fails, the log says why and the run goes on."""
    try:
        return closing_line(write_ledger(config))
    except (InputError, *UNREADABLE) as error:
        log.warning("no ledger of promises: %s", first_line(error))
        return []


class _Report(NamedTuple):
    """The job `report` on a version whose outlook is known, or None to compute it."""

    folder: Path
    outlook: Outlook | None

    def inputs(self, config: DictConfig) -> list[Path]:
        return report.inputs(config)

    def main(self, config: DictConfig) -> dict[str, object]:
        return {"page": str(report.write_report(config, self.folder, self.outlook))}


def _report(config: DictConfig, folder: Path, outlook: Outlook | None) -> Path | None:
    """Write the report on a version in the long layout and return its path; None where there is none.

    The wide layout has neither units nor profit to report. Where it cannot be written, the log says why and the run
    goes on.
    """
    if read_version(folder).layout != "long":
        log.info("no report: it needs score.layout=long")
        return None
    told = _with(config, paths={"shards": str(folder)})
    try:
        return Path(run_job("report", _Report(folder, outlook), told)["page"])
    except (InputError, OSError) as error:  # what happened to the prices stands, and its status is the run's
        log.warning("no report: %s", first_line(error))
        return None


def _check_settings(steps: list[str], config: DictConfig) -> None:
    """Instantiate what the steps will, so that bad settings are refused now and not after an hour of training."""
    for key in dict.fromkeys(key for step in steps for key in SETTINGS[step]):
        instantiate(OmegaConf.select(config, key), _convert_="all")
    if "train" in steps:
        require_flags(config.train)
    if {"score", "publish"} <= {*steps} and config.publish.accept:
        raise InputError(
            "publish.accept must be for a version that somebody has looked at, found "
            f"{', '.join(config.publish.accept)} for one that this run scores first: use gpu-pricer publish for the "
            "version that was refused"
        )
    if {"score", "publish"} <= {*steps} and config.score.shard is not None:
        raise InputError(
            f"run publishes all that it scores, found score.shard={config.score.shard}, which is a part: "
            "set score.shard=null, or use gpu-pricer score and gpu-pricer publish"
        )


def _check_outputs(steps: list[str], config: DictConfig) -> None:
    """Raise InputError where a step could not write, so that nothing is computed for a folder that is read-only."""
    keys = ("paths.work", *(key for step in steps for key in OUTPUTS[step]), "paths.metrics")
    for key in dict.fromkeys(keys):
        folder = OmegaConf.select(config, key)
        if folder is not None:
            require_writable(Path(folder), key)


def _take(steps: list[str], config: DictConfig) -> dict[str, float]:
    """Run the steps and return the seconds of each; `evaluate` and `publish` are told the version that `score` made.

    All steps set the prices of one day, even if they go on after midnight. Prices come into force when they are
    published, which may be a day later.
    """
    seconds = {}
    day = preparation_day(config) if "prepare" in steps else pricing_day(config)
    is_later = steps[0] not in NEEDS_KERNELS and bool(NEEDS_KERNELS & {*steps})
    with compiled_beside() if is_later else nullcontext(lambda: None) as wait_for_kernels:
        for name in steps:
            log.info("%s …", name)
            if name in NEEDS_KERNELS:
                wait_for_kernels()
            record = _run_step(name, config if name == "publish" else _with(config, day=day.isoformat()))
            if "version" in record:
                config = _with(config, paths={"shards": record["version"]})
            seconds[name] = record["seconds"]
            log.info("%s took %.1f s", name, seconds[name])
    return seconds


def _with(config: DictConfig, **settings: object) -> DictConfig:
    """Return the configuration with other settings."""
    return cast(DictConfig, OmegaConf.merge(config, settings))


def _run_step(name: str, config: DictConfig) -> dict[str, Any]:
    """Run a step and return its record; where `publish` refuses a version, the report on it is written all the same."""
    try:
        return run_job(name, STEPS[name], config)
    except Refused:
        if name == "publish" and config.paths.shards is not None:
            _report(config, last_scored(Path(config.paths.work), Path(config.paths.prices)), None)
        raise


def _repeat(plan: RunPlan, config: DictConfig) -> dict[str, dict[str, float]]:
    """Run the steps for every fold and seed, write the mean and spread of their metrics, and return the seconds."""
    seconds: dict[str, dict[str, float]] = {}
    metrics: dict[str, list[dict]] = {}
    for fold, name, changed in plan.configs(config):
        log.info("run %s", name)
        seconds[name] = _take(plan.steps, changed)
        if "evaluate" in plan.steps:
            found = json.loads((Path(changed.paths.work) / METRICS_FILE).read_text())
            metrics.setdefault(fold or "all", []).append(found)
    if metrics:
        together = repeated_metrics(metrics)
        write_metrics(Path(config.paths.work) / METRICS_FILE, together)
        for fold, block in together["folds"].items():
            print(f"{fold}: mean of {block['runs']} runs")
            print_tables(*scoreboard(block["mean"]))
    return seconds
