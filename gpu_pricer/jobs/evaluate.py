"""evaluate: held-out tests of the demand model and, on synthetic data, profit under the truth."""

import json
import logging
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from gpu_pricer.evaluation.blocks import evaluate_all
from gpu_pricer.jobs.evaluation_inputs import held_out_file, read_evaluation_inputs
from gpu_pricer.jobs.figures import draw_calibration, draw_demand
from gpu_pricer.jobs.scoreboard import scoreboard, wide_console
from gpu_pricer.tables.price_version import RUN_RECORD
from gpu_pricer.tables.publishing import CURRENT

log = logging.getLogger(__name__)

INTERVALS = "elasticities.parquet"


def inputs(config: DictConfig) -> list[Path]:
    """What `evaluate` reads; of the published table its record, which names all that it was made of."""
    published = Path(config.paths.prices) / CURRENT / RUN_RECORD
    return [
        held_out_file(config.paths),
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
    work, settings = Path(config.paths.work), instantiate(config.evaluate, _convert_="all")
    policy = instantiate(config.policy, _convert_="all")
    found = read_evaluation_inputs(config.paths, policy, settings, config.seed)
    metrics = evaluate_all(found, settings, config.seed)
    if metrics.intervals is not None:
        metrics.intervals.write_parquet(work / INTERVALS)
    write_metrics(work / "metrics.json", metrics.blocks)
    if settings.plots and found.held_out is not None:
        draw_calibration(work / "plots", found.held_out, metrics.probabilities)
    if settings.plots and found.demand is not None:
        draw_demand(work / "plots", metrics.blocks, found.demand, settings.categories)
    wide_console().print(*scoreboard(metrics.blocks), sep="\n")


def write_metrics(path: Path, metrics: dict) -> None:
    """Write metrics as JSON; NaN, which JSON has not, as null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_json_ready(metrics), indent=2, allow_nan=False) + "\n")
    log.info("wrote %s", path)


def _json_ready(value: object) -> object:
    """NaN, which JSON has not, as null."""
    if isinstance(value, dict):
        return {key: _json_ready(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and value != value else value
