"""evaluate: held-out tests of the demand model and, on synthetic data, profit under the truth."""

import logging
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from gpu_pricer.evaluation.baselines.verdict import verdict_lines
from gpu_pricer.evaluation.blocks import evaluate_all
from gpu_pricer.evaluation.demand.observed_elasticity import rising_sales, weak_response
from gpu_pricer.evaluation.evaluation_files import draw_evaluation, write_evaluation
from gpu_pricer.jobs.evaluation_inputs import held_out_file, judged_demand, judged_version, read_evaluation_inputs
from gpu_pricer.jobs.pricing_day import pricing_day
from gpu_pricer.process.run_record import HELD_OUT_SUMS
from gpu_pricer.tables.version.names import RUN_RECORD
from gpu_pricer.terminal.printing import print_tables
from gpu_pricer.terminal.scoreboard import scoreboard

log = logging.getLogger(__name__)


def inputs(config: DictConfig) -> list[Path]:
    """Return the files that `evaluate` reads; for a version of the prices its record, which names its sources."""
    version = judged_version(config.paths) / RUN_RECORD
    return [
        held_out_file(config.paths),
        held_out_file(config.paths).with_name(HELD_OUT_SUMS),
        version,
        *map(Path, (config.paths[key] for key in ("truth", "demand", "data", "catalog"))),
    ]


def main(config: DictConfig) -> None:
    """Judge the demand model by choices that its training never saw and, where the truth is known, prices by profit.

    Reads   paths.work/train/held_out.parquet     predictions of the held-out periods, from `train`
            paths.work/train/held_out_sums.parquet     their sums over all occasions, where the offers are a sample
            paths.truth                           the true demand, from `prepare data=synthetic`
            paths.demand                          the learned demand
            paths.prices/_current                 the published prices; with paths.shards that version's
            paths.catalog, paths.data, policy     today's prices and costs, the log, the rules of all price lists
    Writes  paths.work/metrics.json
              fingerprint     the demand artefact of the training that the held-out scores are of; `publish` compares
                              them with those of the published version's; null if paths.demand comes from elsewhere
              test            the network's rows, log_loss, auc, ece, predicted_over_actual, poisson_deviance and
                              poisson_deviance_by_segment; units_poisson_deviance: of units in place of
                              buyers; intervals: of the scores, from resampled
                              users and products in periods;
                              off_policy: the same scores of the products whose price moved most;
                              by_price_age: rows, bought, predicted_over_actual and its interval by the number of
                              periods from the last price seen of the product to the first held-out period
              artefact        the same scores of the demand artefact exported from the network; absent with
                              train.response, which corrects the artefact with the whole log
              aggregation_regret  regret: the share of profit lost, by the demand of every user, because prices are
                              best for a segment's moments and not for its members; both profits per 1,000 visits
              price_response  mean_elasticity, share_rising, elasticity_by_category: the artefact's elasticity at
                              today's prices, purchases expected in a period, 90 % of its posterior (posterior_low,
                              posterior_high), the elasticity that a regression finds in the log (observed), its
                              interval (low, high), and what the same regression finds in the artefact's expected
                              units at the log's prices (implied); in_log: these four of all categories together;
                              doubts: sentences on what speaks against prices from it; interval_90: number of
                              cells, segments x categories with draws, and the catalog's elasticity, low and high by
                              the posterior
              segmentation    profit (per 1,000 visits, expected by the artefact of its own prices) and log_loss for
                              1, 4, 16, … segments
              baselines       the same blocks for the models in `evaluate` (evaluate=baselines: all of them);
                              ours: the network on the same rows; ours_minus_theirs: intervals of the differences
              better_rivals   names of the baselines whose log loss is lower by the whole interval of the difference
              truth           of our prices, and of lists that keep the policy's bounds, ladders and families but not
                              its constraints: profit_per_1000_visits, profit_over_today, regret (share of the
                              oracle's profit that is missed), share_of_attainable_gain (of the
                              personalisation gain: 0 at the best single price list); and optimism_gap (predicted
                              profit over true profit − 1), gain_share of warm and cold products (cold ones never
                              sold; of the attainable gain), elasticity_rmse, elasticity_coverage_90 (share of the
                              cells' intervals that hold the truth), category_coverage_90, visits_covered; naive: the
                              same elasticities before train.response corrected them; baselines: gains of the
                              other price lists

            paths.work/elasticities.parquet   segment_id, category_id, elasticity, low, high: 90 % of the posterior
            paths.work/calibration.parquet    model, and in 20 bins of equal weight the weights of its offers, of those
                                              bought and of the predicted purchases
            paths.work/plots/*.svg            calibration, response_curves, elasticities, segmentation

    Blocks whose inputs are missing are left out of the file, and the log says so; with no input at all the job ends
    with exit status 2.

    Example: gpu-pricer evaluate evaluate=baselines paths.work=work
    """
    work, settings = Path(config.paths.work), instantiate(config.evaluate, _convert_="all")
    day = pricing_day(config)
    policy = instantiate(config.policy, _convert_="all").on(day)
    found = read_evaluation_inputs(config.paths, policy, settings, config.seed, day)
    metrics = evaluate_all(found, settings, config.seed)
    if found.held_out is not None:
        metrics.blocks["fingerprint"] = judged_demand(config.paths)
    if response := metrics.blocks.get("price_response"):
        level = settings.bootstrap.level
        of_log = weak_response(response.get("in_log", {}), level)
        response["doubts"] = [*rising_sales(response["elasticity_by_category"], level), *of_log]
    write_evaluation(work, metrics)
    if settings.plots:
        draw_evaluation(work / "plots", metrics, found.demand, settings.categories)
    _print(metrics.blocks, settings.bootstrap.level)


def _print(blocks: dict[str, Any], level: float) -> None:
    """Print the tables of the scores, the verdict on the baselines, and the doubts.

    level: of the intervals.
    """
    print_tables(*scoreboard(blocks))
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for line in verdict_lines(blocks.get("baselines", {}), level):
        console.print(line)
    for doubt in blocks.get("price_response", {}).get("doubts", []):
        log.warning("%s", doubt)
