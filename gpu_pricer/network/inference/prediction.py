"""The probability that each offer is bought in its visit."""

import logging

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, Batch, gather_batch
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.inference.new_entities import log_new_entities, with_new_products, with_new_users
from gpu_pricer.network.inference.occasions import UnseenTables, encode_unseen
from gpu_pricer.network.inference.past import Past
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.model.likelihood import log_denominator, purchase_probability
from gpu_pricer.network.storage.saved_network import SavedNetwork, restore_network

log = logging.getLogger(__name__)

BATCH = 8192  # choices
ROUNDING = 1e-5  # relative, of a float32 price
SMALLEST = 1e-30  # probability; float32 may underflow to 0


def predict_offers(
    saved: SavedNetwork, offers: pl.DataFrame, past: Past, catalog: pl.DataFrame, users: pl.DataFrame
) -> np.ndarray:
    """Return the probability that each offer is bought in its visit, above 0 and below 1, in the order of offers [N].

    offers: occasion_id, user_id, product_id, period, price and context columns. The offers of an occasion in one
    category are what its user chose from. Only the log before an offer's period counts, and that period's shelf for
    context columns that the offer lacks.
    catalog (product_id, category_id, price, attributes) and users (user_id, attributes): of products and users that
    training has not seen.
    """
    products = with_new_products(saved, offers, catalog)
    buyers = with_new_users(saved, offers["user_id"], users)
    log_new_entities(products.join(offers, on="product_id", how="semi"), buyers, saved)
    data, row = encode_unseen(saved, UnseenTables(offers, buyers, products, past, now=0))
    network = restore_network(saved, data)
    _log_unsupported(network)
    probability = torch.empty(offers.height, dtype=torch.float64)
    with torch.no_grad():
        for index in torch.arange(data.choices.count).split(BATCH):
            batch = gather_batch(data, index, EVERY_ALTERNATIVE, torch.Generator())
            probability[row[batch.row]] = purchase_probabilities(data, batch, choice_shares(network(batch), batch))
    return probability.clamp(min=SMALLEST).numpy()


def _log_unsupported(network: DemandNetwork) -> None:
    """Log how many offers have prices that the demand was not learned from."""
    shelf = network.data.shelf
    low, high = network.support[shelf.product].T
    outside = int(((shelf.price_ratio < low * (1 - ROUNDING)) | (shelf.price_ratio > high * (1 + ROUNDING))).sum())
    if outside:
        log.warning(
            "%d of %d offers have prices outside the range that the demand was learned from: the nearest one counts",
            outside, shelf.count,
        )  # fmt: skip


def choice_shares(utility: Tensor, batch: Batch) -> Tensor:
    """Return the choice probabilities [A] of alternatives with this utility [A].

    They hold in the population, whatever share of the occasions without purchase was sampled.
    """
    outside = torch.where(torch.isfinite(batch.outside), 0.0, batch.outside)
    return torch.exp(utility - log_denominator(utility, batch.occasion, outside)[batch.occasion])


def purchase_probabilities(data: ChoiceData, batch: Batch, share: Tensor) -> Tensor:
    """Return the probability that each alternative is bought in the visit, float64 [A], from choice shares [A]."""
    return purchase_probability(share, data.choices_per_purchase(batch.choice_set)[batch.occasion]).double()
