"""How likely each offer is bought in its visit."""

import numpy as np
import polars as pl
import torch

from gpu_pricer.network.encoding.batches import EVERY_ALTERNATIVE, gather_batch
from gpu_pricer.network.inference.held_out import BATCH, shares
from gpu_pricer.network.inference.new_entities import say_who_is_new, with_new_products, with_new_users
from gpu_pricer.network.inference.occasions import Unseen, restore, unseen_data
from gpu_pricer.network.inference.past import Past
from gpu_pricer.network.model.likelihood import purchase_probability
from gpu_pricer.network.storage.saved_network import SavedNetwork

LEAST = 1e-30  # of a probability: float32 may underflow to 0


def predict_offers(
    saved: SavedNetwork, offers: pl.DataFrame, past: Past, catalog: pl.DataFrame, users: pl.DataFrame
) -> np.ndarray:
    """Return the probability, above 0 and below 1, that each offer is bought in its visit, in their order [N].

    offers: occasion_id, user_id, product_id, period, price and context; the offers of an occasion in one category are
    what its user chose from. A user's past, and the context that no shelf of the offer's period tells, end before it.
    Products and users that training has not seen are looked up in catalog (product_id, category_id, price, attributes)
    and users (user_id, attributes).
    """
    products = with_new_products(saved, offers, catalog)
    everybody = with_new_users(saved, offers["user_id"], users)
    offered = products.join(offers, on="product_id", how="semi")
    say_who_is_new(offered, everybody, saved)
    data, row = unseen_data(saved, Unseen(offers, everybody, products, past, now=0))
    network = restore(saved, data)
    found = torch.empty(offers.height, dtype=torch.float64)
    with torch.no_grad():
        for index in torch.arange(data.choices.count).split(BATCH):
            batch = gather_batch(data, index, EVERY_ALTERNATIVE, torch.Generator())
            per_purchase = data.choices_per_purchase(batch.choice_set)[batch.occasion]
            found[row[batch.row]] = purchase_probability(shares(network(batch), batch), per_purchase).double()
    return found.clamp(min=LEAST).numpy()
