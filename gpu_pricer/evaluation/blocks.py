"""The blocks of metrics.json, from the inputs that are present."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from gpu_pricer.evaluation.baselines.judging import baseline_blocks
from gpu_pricer.evaluation.baselines.verdict import better_rivals
from gpu_pricer.evaluation.demand import CatalogDemand
from gpu_pricer.evaluation.demand.aggregation import aggregation_regret
from gpu_pricer.evaluation.demand.intervals import ElasticityIntervals, elasticity_intervals
from gpu_pricer.evaluation.demand.observed_elasticity import ObservedElasticities, observed_elasticities
from gpu_pricer.evaluation.demand.price_response import artefact_response
from gpu_pricer.evaluation.demand.segmentation import segmentation_value
from gpu_pricer.evaluation.held_out import HeldOut, Log
from gpu_pricer.evaluation.metrics import calibration_table
from gpu_pricer.evaluation.settings import EvaluationSettings
from gpu_pricer.evaluation.truth import Learned, evaluate_under_truth
from gpu_pricer.policy.policy import Policy
from gpu_pricer.tables.artefact import DemandArtefact


@dataclass(frozen=True)
class EvaluationInputs:
    """The inputs of an evaluation; None for an input that is missing.

    catalog: product_id, category_id, today's price, cost and the columns that the policy's rules read.
    sales: the canonical log. held_out: predictions of the held-out periods. trained: the periods that training saw.
    demand: the artefact on the catalog.
    members: the demand of every user as a segment of its own; segments: the artefact of these users' segments.
    truth: the true demand; learned: the artefact and the prices to compare with the truth.
    """

    policy: Policy
    catalog: pl.DataFrame | None
    sales: Log | None
    held_out: HeldOut | None
    trained: list[date]
    demand: CatalogDemand | None
    members: DemandArtefact | None
    segments: DemandArtefact | None
    truth: DemandArtefact | None
    learned: Learned | None


@dataclass(frozen=True)
class Metrics:
    """The results of an evaluation.

    blocks: the content of metrics.json. calibration: of every model on the held-out offers, see calibration_table; None
    without such offers. intervals: of the elasticities, None without a posterior.
    """

    blocks: dict[str, Any]
    calibration: pl.DataFrame | None
    intervals: ElasticityIntervals | None


def evaluate_all(found: EvaluationInputs, settings: EvaluationSettings, seed: int) -> Metrics:
    """Return every block whose inputs are present."""
    blocks, calibration = _held_out_blocks(found, settings)
    intervals = None if found.demand is None else elasticity_intervals(found.demand)
    if found.demand is not None:
        sales = found.sales
        observed = None if sales is None else observed_elasticities(sales, settings.bootstrap, seed, found.demand)
        blocks["price_response"] = _price_response(found.demand, observed, intervals)
        blocks["segmentation"] = _segmentation(found.demand.largest(settings.categories), found.held_out)
    if found.members is not None and found.segments is not None and found.catalog is not None:
        regret = aggregation_regret(found.members, found.segments, found.catalog, found.policy)
        blocks["aggregation_regret"] = dict(regret)
    if found.truth is not None and found.catalog is not None:
        blocks["truth"] = evaluate_under_truth(found.truth, found.catalog, found.policy, found.learned, found.sales)
    return Metrics(blocks, calibration, intervals)


def _held_out_blocks(
    found: EvaluationInputs, settings: EvaluationSettings
) -> tuple[dict[str, Any], pl.DataFrame | None]:
    """Return the blocks that judge held-out probabilities, and the calibration of every model."""
    held_out = found.held_out
    if held_out is None:
        return {}, None
    blocks: dict[str, Any] = {**held_out.blocks()}
    probabilities = held_out.probabilities()
    if settings.baselines:
        judged, theirs = baseline_blocks(held_out, settings.baselines, found.trained, settings.sample)
        blocks["baselines"], blocks["better_rivals"] = judged, better_rivals(judged)
        probabilities |= theirs
    bought, weight = (held_out.offers[name].cast(pl.Float64).to_numpy() for name in ("bought", "weight"))
    return blocks, calibration_table(bought, probabilities, weight)


def _price_response(
    demand: CatalogDemand, observed: ObservedElasticities | None, intervals: ElasticityIntervals | None
) -> dict[str, object]:
    """Return the block price_response of the artefact, with intervals where it has a posterior, beside the log's."""
    beside = ([] if intervals is None else [intervals.categories]) + ([] if observed is None else [observed.categories])
    block = artefact_response(demand.elasticities(), beside)
    block |= {} if observed is None else {"in_log": observed.total}
    return block | ({} if intervals is None else {"interval_90": intervals.block()})


def _segmentation(largest: CatalogDemand, held_out: HeldOut | None) -> dict[str, dict]:
    """Return profit per 1,000 visits and log loss by number of segments, in the largest categories."""
    offers = None if held_out is None else held_out.artefact_offers(largest.products["category_id"])
    return {str(row.pop("segments")): row for row in segmentation_value(largest, offers).to_dicts()}
