"""The segment of any user: the one with the nearest centre, or the most likely by attributes without any visit."""

import logging
import warnings

import numpy as np
import polars as pl
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances_argmin

from gpu_pricer.network.encoding.attributes import Vocabulary, encode_attributes
from gpu_pricer.network.inference.new_entities import has_attributes
from gpu_pricer.network.inference.occasions import UnseenTables, encode_unseen
from gpu_pricer.network.inference.past import Past
from gpu_pricer.network.segments.forming import user_coordinates
from gpu_pricer.network.segments.members import MarketPoint, Members
from gpu_pricer.network.storage.saved_network import SavedNetwork, restore_network

log = logging.getLogger(__name__)

NO_OFFERS = pl.DataFrame(schema={"occasion_id": pl.Int64, "price": pl.Float64, "period": pl.Date})


def nearest_segments(saved: SavedNetwork, users: pl.DataFrame, past: Past) -> tuple[np.ndarray, np.ndarray]:
    """Return the segment whose centre is nearest to each user [U], and whether the user ever came [U].

    users: user_id, attributes. Distances are between user_coordinates at reference prices, as in training. All periods
    of `past` count.
    """
    no_ids = [pl.Series("product_id", [], saved.products.schema["product_id"]), users["user_id"].clear()]
    now = max(len(past.periods), int(past.index(past.visits["period"]).max()) + 1)  # type: ignore[arg-type]
    unseen = UnseenTables(NO_OFFERS.with_columns(no_ids), users, saved.products, past, now)
    data, _ = encode_unseen(saved, unseen)
    network = restore_network(saved, data)
    ones = torch.ones(data.products.count)
    point = MarketPoint(
        period=now,
        price_ratio=ones,
        availability=ones,
        context=torch.zeros(data.products.count, data.shelf.context.shape[1]),
        shelf_effect=network.next_shelf_effect(),
    )
    blocks = user_coordinates(Members(network, point), saved.settings.price_spread)
    nearest = np.concatenate([pairwise_distances_argmin(points, saved.centre) for points in blocks])
    return nearest, data.visits_before(now) > 0


def likely_segments(
    users: pl.DataFrame, members: pl.DataFrame, vocabulary: Vocabulary, largest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the segment that each user's attributes make most likely [U], and whether the user has attributes [U].

    users: user_id, attributes. The model is a multinomial logit of the segments of `members` (user_id, segment,
    attributes) on their attributes. Segments are numbers. Users without attributes get the segment `largest`.
    """
    is_described = has_attributes(users, vocabulary).numpy()
    if not is_described.any() or members["segment"].n_unique() < 2:
        return np.full(users.height, largest), is_described
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a rough estimate, nearly as good before convergence
        logit = LogisticRegression(max_iter=200).fit(_features(members, vocabulary), members["segment"].to_numpy())
    return np.where(is_described, logit.predict(_features(users, vocabulary)), largest), is_described


def _features(table: pl.DataFrame, vocabulary: Vocabulary) -> np.ndarray:
    """Return one column per known word, and the numbers, [N, F]."""
    attributes = encode_attributes(table, vocabulary)
    words = [
        np.eye(size, dtype=np.float32)[codes]
        for size, codes in zip(attributes.sizes, attributes.codes.numpy().T, strict=True)
    ]
    return np.concatenate([*words, attributes.numbers.numpy()], axis=1)
