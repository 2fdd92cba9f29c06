"""Customer segments: k-means on what the network learned about users, never on who they are."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.segments.members import Members


@dataclass(frozen=True)
class SegmentsConfig:
    """How many segments, and how much a difference in price response counts against one in taste.

    price_weight 1 weighs sensitivities as they act on utility at a price price_spread away from the reference.
    """

    count: int
    price_spread: float
    restarts: int

    def __post_init__(self) -> None:
        for name in ("count", "restarts"):
            require_integer(f"segments.{name}", getattr(self, name), 1)
        require_number("segments.price_spread", self.price_spread, least=0)


@dataclass(frozen=True)
class Segmentation:
    """The segment of every user, [U] int64 in 0 … S-1; the segments' centres [S, D] in user_coordinates.

    price_spread is that of these coordinates.
    """

    segment: np.ndarray
    centre: np.ndarray
    price_spread: float


def form_segments(members: Members, config: SegmentsConfig, visits: np.ndarray, seed: int) -> Segmentation:
    """Return `count` segments of the users, numbered from the most past visits down.

    Users are compared by the root mean square difference of their utilities over the products trained on.
    visits [U] weighs them. InputError when there are fewer users than segments.
    """
    if len(visits) < config.count:
        raise InputError(
            f"segments.count must be at most the number of users, found {config.count} for "
            f"{len(visits)}: lower segments.count"
        )
    points = user_coordinates(members, config.price_spread)
    means = KMeans(config.count, n_init=config.restarts, random_state=seed)  # type: ignore[arg-type]
    label = means.fit_predict(points, sample_weight=visits)
    order = np.argsort(-np.bincount(label, weights=visits, minlength=config.count), kind="stable")
    rank = np.empty(config.count, np.int64)
    rank[order] = np.arange(config.count)
    return Segmentation(rank[label], means.cluster_centers_[order], config.price_spread)


def segment_table(data: ChoiceData, segment: np.ndarray, visits: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return segments (segment_id, visits) and user_segments (user_id, segment_id) from the users' visits [U]."""
    users = data.users.table.select("user_id").with_columns(pl.Series("segment_id", segment))
    total = np.bincount(segment, weights=visits)
    return pl.DataFrame({"segment_id": np.arange(len(total)), "visits": total}), users


def user_coordinates(members: Members, price_spread: float) -> np.ndarray:
    """Coordinates of the users in which Euclidean distance is about the r.m.s. difference of utility, [U, D].

    Habits enter by their mean over each category's products.
    """
    data = members.network.data
    trained = data.products.is_trained
    taste = _stretch(torch.cat([members.user_taste, members.user_level[:, None]], 1), members.product_taste[trained])
    response = _stretch(members.user_response, members.product_response[trained, :-1])
    parts = [taste, price_spread * response]
    if members.network.history is not None:
        parts.append(np.concatenate([_category_habits(members, block) for block in members.blocks()], axis=1))
    return np.concatenate(parts, axis=1)


def _category_habits(members: Members, block: slice) -> np.ndarray:
    """Mean habit of every user in the block's categories, times the root of their share of the products, [U, G]."""
    category = members.network.data.products.category[block]
    position = category - category[0]
    count = torch.bincount(position).float()
    total = [
        torch.zeros(users.stop - users.start, len(count)).index_add(1, position, members.habits(block, users))
        for users in members.blocks_of_users()
    ]
    return (torch.cat(total) / (count * len(members.product_level)).sqrt()).numpy()


def _stretch(user: Tensor, product: Tensor) -> np.ndarray:
    """Users [U, K + 1] times the square root of the products' second moments; the last one is a level.

    The symmetric root, which is unique: eigenvectors have no sign, and points and centres may be of different runs.
    """
    ones = torch.ones(len(product), 1)
    product = torch.cat([product, ones], dim=1).double()
    moment = product.T @ product / len(product)
    values, vectors = torch.linalg.eigh(moment)
    return (user.double() @ (vectors * values.clamp(min=0).sqrt()) @ vectors.T).numpy()
