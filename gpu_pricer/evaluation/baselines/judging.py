"""The baselines on the rows that the demand model is judged by."""

import logging
from datetime import date

import numpy as np
import polars as pl

from gpu_pricer.evaluation.blocks import HeldOut
from gpu_pricer.evaluation.offers import described, offers_of, reference_prices
from gpu_pricer.evaluation.price_response import arc_response, raised

log = logging.getLogger(__name__)

OFFER = ("period", "user_id", "category_id", "product_id", "weight")


def baseline_blocks(held_out: HeldOut, trained: list[date]) -> tuple[dict[str, dict], dict[str, np.ndarray]]:
    """Judge every baseline, learned from the offers of the trained periods: a block and the probabilities [N] of each.

    A block is what HeldOut.judged says, with price_response and ours_minus_theirs: intervals of the differences
    between the demand model's scores and the baseline's.
    """
    sales = held_out.sales
    reference = reference_prices(sales.shelf, trained)
    training = described(offers_of(sales, trained), sales, reference)
    offers = described(held_out.offers.select(OFFER), sales, reference)
    _, ours = held_out.judged(held_out.offers["probability"])
    blocks, probabilities = {}, {}
    for name, model in held_out.settings.baselines.items():
        log.info("baseline %s learns from %s offers", name, f"{training.height:,}")
        predict = model.fit(training, held_out.seed)
        probability = probabilities[name] = predict(offers)
        block, theirs = held_out.judged(pl.Series(probability))
        difference = {score: ours[score] - theirs[score] for score in ours}
        blocks[name] = block | {
            "ours_minus_theirs": held_out.settings.bootstrap.intervals(difference),
            "price_response": arc_response(offers, probability, predict(raised(offers))),
        }
    return blocks, probabilities
