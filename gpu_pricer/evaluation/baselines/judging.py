"""The baselines on the same held-out offers that judge the demand model."""

import hashlib
import logging
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.evaluation.baselines.baseline import Baseline
from gpu_pricer.evaluation.demand.price_response import arc_response, raise_prices
from gpu_pricer.evaluation.held_out import HeldOut, describe_offers, offers_of, reference_prices
from gpu_pricer.evaluation.held_out.past import with_network_past
from gpu_pricer.network.encoding.loading import EncodingConfig

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
    held_out: HeldOut, baselines: dict[str, Baseline], encoding: EncodingConfig, trained: list[date]
) -> tuple[dict[str, dict], dict[str, np.ndarray]]:
    """Return the block and the held-out probabilities [N] of every baseline, fitted on the offers of `trained`.

    A block is that of HeldOut.judge with two more entries: price_response, and ours_minus_theirs, the intervals of the
    differences between the demand model's scores and the baseline's.
    """
    sales = held_out.sales
    reference = reference_prices(sales.shelf, trained)
    training, offers = (
        with_network_past(describe_offers(rows, sales, reference), sales, reference, encoding)
        for rows in (offers_of(sales, trained), held_out.offers.select(OFFER))
    )
    _, ours = held_out.judge(held_out.offers["probability"])
    blocks, probabilities = {}, {}
    for name, model in baselines.items():
        predictions = baseline_predictions(name, model, training, offers)
        probabilities[name] = predictions.probability
        block, theirs = held_out.judge(pl.Series(predictions.probability))
        difference = {score: ours[score] - theirs[score] for score in ours}
        blocks[name] = block | {
            "ours_minus_theirs": held_out.bootstrap.intervals(difference),
            "price_response": arc_response(offers, predictions.probability, predictions.after_raise),
        }
    return blocks, probabilities


def baseline_predictions(name: str, model: Baseline, training: pl.DataFrame, offers: pl.DataFrame) -> Predictions:
    """Return the predictions for the offers [N] by the model fitted on the training offers.

    A call with the model and offers of an earlier call returns the same arrays without fitting again.
    """
    key = model, _digest(training, offers)
    if key in _known_predictions:
        log.info("baseline %s: same model and offers as before, the earlier predictions are used again", name)
    else:
        log.info("baseline %s learns from %s offers", name, f"{training.height:,}")
        predict = model.fit(training)
        _known_predictions[key] = Predictions(predict(offers), predict(raise_prices(offers)))
    return _known_predictions[key]


def _digest(*tables: pl.DataFrame) -> str:
    """Return a hash of all rows in their order."""
    digest = hashlib.sha256()
    for table in tables:
        digest.update(table.hash_rows().to_numpy().tobytes())
    return digest.hexdigest()
