"""The baselines on the rows that the demand model is judged by."""

import hashlib
import logging
from datetime import date

import numpy as np
import polars as pl

from gpu_pricer.evaluation.baselines.baseline import Baseline
from gpu_pricer.evaluation.demand.price_response import arc_response, raised
from gpu_pricer.evaluation.held_out.blocks import HeldOut
from gpu_pricer.evaluation.held_out.offers import described, offers_of, reference_prices
from gpu_pricer.evaluation.held_out.past import with_network_past
from gpu_pricer.network.encoding.loading import EncodingConfig

log = logging.getLogger(__name__)

OFFER = ("period", "user_id", "category_id", "product_id", "weight")
Answer = tuple[np.ndarray, np.ndarray]

# What this process has asked before: a baseline draws nothing, so that the seeds of a fold can share its answer.
_answers: dict[tuple[Baseline, str], Answer] = {}


def baseline_blocks(
    held_out: HeldOut, baselines: dict[str, Baseline], encoding: EncodingConfig, trained: list[date]
) -> tuple[dict[str, dict], dict[str, np.ndarray]]:
    """Return a block and the held-out probabilities [N] of every baseline, fitted on the offers of the trained periods.

    A block is what HeldOut.judged says, with price_response and ours_minus_theirs: intervals of the differences
    between the demand model's scores and the baseline's.
    """
    sales = held_out.sales
    reference = reference_prices(sales.shelf, trained)
    training, offers = (
        with_network_past(described(rows, sales, reference), sales, reference, encoding)
        for rows in (offers_of(sales, trained), held_out.offers.select(OFFER))
    )
    _, ours = held_out.judged(held_out.offers["probability"])
    blocks, probabilities = {}, {}
    for name, model in baselines.items():
        probability, after = answer(name, model, training, offers)
        probabilities[name] = probability
        block, theirs = held_out.judged(pl.Series(probability))
        difference = {score: ours[score] - theirs[score] for score in ours}
        blocks[name] = block | {
            "ours_minus_theirs": held_out.bootstrap.intervals(difference),
            "price_response": arc_response(offers, probability, after),
        }
    return blocks, probabilities


def answer(name: str, model: Baseline, training: pl.DataFrame, offers: pl.DataFrame) -> Answer:
    """The probabilities [N] of the offers by the model that the training offers taught, and after prices are raised."""
    question = model, _digest(training, offers)
    if question in _answers:
        log.info("baseline %s was asked the same before, and draws nothing: same answer", name)
    else:
        log.info("baseline %s learns from %s offers", name, f"{training.height:,}")
        predict = model.fit(training)
        _answers[question] = predict(offers), predict(raised(offers))
    return _answers[question]


def _digest(*tables: pl.DataFrame) -> str:
    """A hash of all rows in their order."""
    digest = hashlib.sha256()
    for table in tables:
        digest.update(table.hash_rows().to_numpy().tobytes())
    return digest.hexdigest()
