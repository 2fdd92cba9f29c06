"""evaluate: held-out tests of the demand model and, on synthetic data, profit under the truth."""

import json
import logging
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.baselines.judging import baseline_blocks
from gpu_pricer.evaluation.demand.aggregation import aggregation_regret
from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.intervals import category_intervals, elasticity_intervals, interval_block
from gpu_pricer.evaluation.demand.observed_elasticity import observed_elasticities
from gpu_pricer.evaluation.demand.price_response import artefact_response
from gpu_pricer.evaluation.demand.segmentation import segmentation_value
from gpu_pricer.evaluation.held_out.blocks import HeldOut
from gpu_pricer.evaluation.held_out.offers import Log
from gpu_pricer.evaluation.settings import Settings
from gpu_pricer.evaluation.truth.under_truth import Learned, evaluate_under_truth
from gpu_pricer.jobs.figures import draw_calibration, draw_demand
from gpu_pricer.jobs.run_record import MEMBERS, NAIVE
from gpu_pricer.jobs.scoreboard import scoreboard, wide_console
from gpu_pricer.policy.policy import Policy
from gpu_pricer.tables.artefact import read_artefact
from gpu_pricer.tables.price_table import scan_cells
from gpu_pricer.tables.price_version import RUN_RECORD
from gpu_pricer.tables.priced_products import read_catalog
from gpu_pricer.tables.publishing import CURRENT
from gpu_pricer.tables.reading import require_readable

log = logging.getLogger(__name__)

INTERVALS = "elasticities.parquet"
LOG_TABLES = ("shelf", "choices", "visits")


def inputs(config: DictConfig) -> list[Path]:
    """What `evaluate` reads; of the published table its record, which names all that it was made of."""
    published = Path(config.paths.prices) / CURRENT / RUN_RECORD
    return [
        _held_out_file(config.paths),
        published,
        *map(Path, (config.paths[key] for key in ("truth", "demand", "data", "catalog"))),
    ]


def main(config: DictConfig) -> None:
    """Judge the demand model by choices it never saw and, where the truth is known, prices by their profit.

    Reads   paths.work/train/held_out.parquet     predictions of the held-out periods, from `train`
            paths.truth                           the true demand, from `prepare data=synthetic`
            paths.demand, paths.prices/_current   what was learned, and the prices published from it
            paths.catalog, paths.data, policy     today's prices, costs, the log, the rules of all lists
    Writes  paths.work/metrics.json
              test            rows, log_loss, auc, ece, predicted_over_actual, poisson_deviance, and
                              poisson_deviance_by_segment; intervals: of the scores, from resampled users;
                              off_policy: the same of the products whose price moved most
              artefact        the same of what is priced, where the network is only its teacher; not with
                              train.response, whose correction is of all the log
              aggregation_regret  regret, the share of profit lost because the prices are those of the segments' moments
                              and not of their members, by the members' own demand; both profits per 1,000 visits
              price_response  mean_elasticity, share_rising, elasticity_by_category: the artefact's elasticity,
                              90 % of its posterior (posterior_low, posterior_high), the log's own (observed) and
                              its interval (low, high); interval_90: by the posterior, the mean over the
                              cells, segments x categories
              segmentation    profit (per 1,000 visits, the artefact's opinion of its own prices) and log_loss for
                              1, 4, 16, … segments
              baselines       the same blocks of the models in `evaluate` (evaluate=baselines: all of them), and
                              ours_minus_theirs: intervals of the differences
              truth           profit_per_1000_visits, profit_over_today, regret (the oracle's profit missed, a
                              rate), share_of_attainable_gain, optimism_gap (predicted profit over the true one − 1),
                              gain_share of warm and cold products (cold ones never sold), elasticity_rmse,
                              elasticity_coverage_90, visits_covered; naive: the same before train.response corrected
                              it; baselines: gains

            paths.work/elasticities.parquet   segment_id, category_id, elasticity, low, high: 90 % of the posterior
            paths.work/plots/*.svg            calibration, response_curves, elasticities, segmentation

    Whatever is not there is left out of the file, and said; if nothing is there, the job ends with 2.

    Example: gpu-pricer evaluate evaluate=baselines paths.work=work
    """
    paths, work = config.paths, Path(config.paths.work)
    settings = instantiate(config.evaluate, _convert_="all")
    policy = instantiate(config.policy, _convert_="all")
    for folder in (work / "train", Path(paths.data)):
        require_readable(folder)
    sales = _read_log(Path(paths.data))
    held_out = _held_out(_held_out_file(paths), sales, settings, config.seed)
    demand = _catalog_demand(paths, policy)
    metrics: dict[str, dict] = {}
    probabilities: dict[str, np.ndarray] = {}
    if held_out is not None:
        metrics |= held_out.blocks()
        probabilities |= held_out.probabilities()
        if settings.baselines:
            trained = _trained_periods(Path(paths.data), held_out.before)
            metrics["baselines"], theirs = baseline_blocks(held_out, trained)
            probabilities |= theirs
    if demand is not None:
        observed = None if sales is None else observed_elasticities(sales, settings.bootstrap, config.seed)
        metrics["price_response"] = _price_response(demand, observed, work / INTERVALS)
        metrics["segmentation"] = _segmentation(demand.largest(settings.categories), held_out)
        metrics |= _aggregation_block(paths, policy)
    metrics |= _truth_block(paths, policy, sales)
    if not metrics:
        raise InputError(
            f"something to evaluate must be there, found neither held-out choices at {_held_out_file(paths)} nor an "
            f"artefact at {paths.demand} nor a truth at {paths.truth}: run `gpu-pricer train` first, or mend paths.work"
        )
    write_metrics(work / "metrics.json", metrics)
    if settings.plots and held_out is not None:
        draw_calibration(work / "plots", held_out, probabilities)
    if settings.plots and demand is not None:
        draw_demand(work / "plots", metrics, demand, settings.categories)
    wide_console().print(*scoreboard(metrics), sep="\n")


def _price_response(demand: CatalogDemand, observed: pl.DataFrame | None, path: Path) -> dict[str, object]:
    """The artefact's response to prices, with intervals where it has a posterior; those of the segments go to path."""
    cells, posterior = demand.elasticities(), demand.artefact.posterior
    beside = [] if observed is None else [observed]
    intervals = elasticity_intervals(demand)
    if posterior is None or intervals is None:
        return artefact_response(cells, beside)
    intervals.write_parquet(path)
    block = artefact_response(cells, [category_intervals(cells, posterior), *beside])
    return block | {"interval_90": interval_block(intervals)}


def write_metrics(path: Path, metrics: dict) -> None:
    """Write metrics as JSON; NaN, which JSON has not, as null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_json_ready(metrics), indent=2, allow_nan=False) + "\n")
    log.info("wrote %s", path)


def _held_out_file(paths: DictConfig) -> Path:
    return Path(paths.work) / "train" / "held_out.parquet"


def _held_out(file: Path, sales: Log | None, settings: Settings, seed: int) -> HeldOut | None:
    if sales is None or not file.is_file():
        log.info("no held-out choices at %s: no block that judges them", file)
        return None
    return HeldOut(pl.read_parquet(file), sales, settings, seed)


def _trained_periods(data: Path, before: list[date]) -> list[date]:
    """The periods that training saw, so that no baseline sees more: neither history alone nor validation."""
    summary = data / "summary.json"
    split = json.loads(summary.read_text()).get("split") if summary.is_file() else None
    if split is None:
        raise InputError(f"{summary} must say how the periods are split, found nothing: run `gpu-pricer prepare` again")
    return before[split["history_periods"] : len(before) - split["validation_periods"]]


def _catalog_demand(paths: DictConfig, policy: Policy) -> CatalogDemand | None:
    if not (Path(paths.demand) / "demand.json").is_file():
        log.info("no demand artefact at %s: no price_response and no segmentation block", paths.demand)
        return None
    artefact = read_artefact(Path(paths.demand))
    if not artefact.info.outside_option:
        log.info("the demand has no outside option: no price_response and no segmentation block")
        return None
    return CatalogDemand.of(artefact, read_catalog(Path(paths.catalog), policy.bounds.columns), policy)


def _segmentation(largest: CatalogDemand, held_out: HeldOut | None) -> dict[str, dict]:
    """By number of segments: profit per 1,000 visits and log loss, in the largest categories."""
    offers = None if held_out is None else held_out.of_artefact(largest.products["category_id"])
    return {str(row.pop("segments")): row for row in segmentation_value(largest, offers).to_dicts()}


def _aggregation_block(paths: DictConfig, policy: Policy) -> dict[str, dict]:
    """By the demand that the network learned, before train.response corrected it."""
    kept = Path(paths.work) / "train"
    if not (kept / MEMBERS).is_dir():
        log.info("no members' demand at %s: no aggregation_regret", kept / MEMBERS)
        return {}
    segments = read_artefact(kept / NAIVE if (kept / NAIVE).is_dir() else Path(paths.demand))
    members, catalog = read_artefact(kept / MEMBERS), read_catalog(Path(paths.catalog))
    return {"aggregation_regret": aggregation_regret(members, segments, catalog, policy)}


def _truth_block(paths: DictConfig, policy: Policy, sales: Log | None) -> dict[str, dict]:
    if not (Path(paths.truth) / "demand.json").is_file():
        log.info("no truth at %s: no truth block", paths.truth)
        return {}
    truth, catalog = read_artefact(Path(paths.truth)), read_catalog(Path(paths.catalog), policy.bounds.columns)
    return {"truth": evaluate_under_truth(truth, catalog, policy, _learned(paths), sales)}


def _learned(paths: DictConfig) -> Learned | None:
    if not (Path(paths.demand) / "demand.json").is_file():
        log.info("no demand artefact at %s: the truth is compared with baselines only", paths.demand)
        return None
    artefact, kept = read_artefact(Path(paths.demand)), Path(paths.work) / "train" / NAIVE
    naive = read_artefact(kept) if kept.is_dir() else None
    current = Path(paths.prices) / CURRENT
    if not current.exists():
        log.info("no published prices at %s: ours are left out", current)
        return Learned(artefact, None, naive)
    return Learned(artefact, scan_cells(current, artefact.segments.schema["segment_id"]).collect(), naive)


def _read_log(data: Path) -> Log | None:
    if not all((data / f"{name}.parquet").is_file() for name in LOG_TABLES):
        log.info("no canonical tables at %s: nothing is compared with the log", data)
        return None
    return Log(*(pl.read_parquet(data / f"{name}.parquet") for name in LOG_TABLES))


def _json_ready(value: object) -> object:
    """NaN, which JSON has not, as null."""
    if isinstance(value, dict):
        return {key: _json_ready(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and value != value else value
