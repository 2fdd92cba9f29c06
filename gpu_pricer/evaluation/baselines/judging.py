"""The baselines on the same held-out offers that judge the demand model."""

import hashlib
import logging
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.evaluation.baselines.baseline import Baseline
from gpu_pricer.evaluation.baselines.occasion_totals import buys_always, scaled_to_purchases
from gpu_pricer.evaluation.baselines.sample import Sample
from gpu_pricer.evaluation.baselines.trees import NotInstalledError
from gpu_pricer.evaluation.demand.price_response import arc_response, raise_prices
from gpu_pricer.evaluation.held_out import HeldOut, Log, describe_offers, offers_of, reference_prices
from gpu_pricer.evaluation.held_out.past import with_network_past
from gpu_pricer.heartbeat import beat

log = logging.getLogger(__name__)

OFFER = ("period", "user_id", "category_id", "product_id", "weight")


class Predictions(NamedTuple):
    """A baseline's probabilities [N] of N offers: at their own prices, and with every price raised by RAISE."""

    probability: np.ndarray
    after_raise: np.ndarray


# The predictions that this process has already made. A baseline uses no random numbers, so all seeds of a fold share
# them.
_known_predictions: dict[tuple[Baseline, str], Predictions] = {}


def baseline_blocks(
    held_out: HeldOut,
    baselines: dict[str, Baseline],
    trained: list[date],
    sample: Sample | None,
) -> tuple[dict[str, dict], dict[str, np.ndarray]]:
    """Return the block and the held-out probabilities [N] of every baseline, fitted on the offers of `trained`.

    sample: the part of the log on which baselines are fitted and judged; None: all of it. A block is that of
    HeldOut.judge with three more entries: price_response; ours, the demand model's block on the same offers; and
    ours_minus_theirs, the intervals of the differences between the demand model's scores and the baseline's. A
    sample of the held-out offers leaves the probabilities out.
    A baseline whose library is not installed is left out, and the log says so.
    """
    sales = held_out.sales
    judged = held_out if sample is None else held_out.part(sample.held_out(held_out.offers))
    learned = offers_of(sales, trained) if sample is None else sample.training(sales, trained)
    if not learned["bought"].any():
        log.info("no purchase in the periods of the training: no baselines")
        return {}, {}
    reference = reference_prices(sales.shelf, trained)
    training, offers = (describe_offers(rows, sales, reference) for rows in (learned, judged.offers.select(OFFER)))
    if any(getattr(model, "network_past", False) for model in baselines.values()):
        training, offers = (with_network_past(rows, sales, reference) for rows in (training, offers))
    block_of_ours, ours = judged.judge(judged.offers["probability"], ours="network")
    blocks, probabilities = {}, {}
    for name, model in baselines.items():
        try:
            predictions = baseline_predictions(name, model, training, offers, sales)
        except NotInstalledError as error:
            log.info("baseline %s is left out: %s", name, error)
            continue
        block, theirs = judged.judge(pl.Series(predictions.probability))
        difference = {score: ours[score] - theirs[score] for score in ours}
        probabilities[name] = predictions.probability
        blocks[name] = block | {
            "ours": block_of_ours,
            "ours_minus_theirs": judged.bootstrap.intervals(difference),
            "price_response": arc_response(offers, predictions.probability, predictions.after_raise),
        }
    return blocks, probabilities if judged.offers.height == held_out.offers.height else {}


def baseline_predictions(
    name: str, model: Baseline, training: pl.DataFrame, offers: pl.DataFrame, sales: Log
) -> Predictions:
    """Return the predictions for the offers [N] by the model fitted on the training offers.

    sales: the log of both; where every occasion buys something, the probabilities are scaled to that. A call with the
    model, offers and log of an earlier call returns the same arrays without fitting again.
    """
    key = model, _digest(training, offers, sales.shelf, sales.choices)
    if key in _known_predictions:
        log.info("baseline %s: same model and offers as before, the earlier predictions are used again", name)
        return _known_predictions[key]
    log.info("baseline %s learns from %s offers", name, f"{training.height:,}")
    predict = model.fit(training, sales)
    beat("baseline %s has learned and predicts", name)
    probabilities = [predict(rows) for rows in (offers, raise_prices(offers))]
    if buys_always(sales):
        probabilities = [scaled_to_purchases(offers, value, training) for value in probabilities]
    _known_predictions[key] = Predictions(*probabilities)
    return _known_predictions[key]


def _digest(*tables: pl.DataFrame) -> str:
    """Return a hash of all rows in their order."""
    digest = hashlib.sha256()
    for table in tables:
        digest.update(table.hash_rows().to_numpy().tobytes())
    return digest.hexdigest()
