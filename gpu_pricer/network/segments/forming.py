"""Customer segments: k-means on the users' learned demand, never on their identity; segment ids that stay.

A new training's segments take the ids of the last training's segments that share the most members with them.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from torch import Tensor

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.segments.members import Members


@dataclass(frozen=True)
class SegmentsConfig:
    """How segments are formed.

    count: number of segments. restarts: number of restarts of k-means.
    price_spread: relative distance of a price from the reference price. A difference in sensitivity counts as much as
    the utilities at that price differ because of it.
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
    """Users in segments.

    segment [U]: int64 in 0 … S-1. centre [S, D]: the segments' centres in user_coordinates with this price_spread.
    """

    segment: np.ndarray
    centre: np.ndarray
    price_spread: float


def form_segments(members: Members, config: SegmentsConfig, visits: np.ndarray, seed: int) -> Segmentation:
    """Return config.count segments of the users, numbered from the most past visits down.

    Users are compared by the root mean square difference of their utilities over the products trained on, and weighted
    by visits [U]. InputError when there are fewer users than segments.
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


def keep_ids(previous: pl.DataFrame, users: pl.DataFrame, segmentation: Segmentation) -> Segmentation:
    """Return the segments renumbered so that the most users keep the segment_id that they have in `previous`.

    previous: user_id, segment_id. users: user_id, in the order of the segmentation. Ids stay in 0 … S-1; a previous id
    outside that range is ignored. The matching is exact (Hungarian method: Kuhn 1955).
    """
    count = len(segmentation.centre)
    new_id = linear_sum_assignment(-overlap(previous, users, segmentation.segment, count))[1]
    return replace(segmentation, segment=new_id[segmentation.segment], centre=segmentation.centre[np.argsort(new_id)])


def overlap(previous: pl.DataFrame, users: pl.DataFrame, segment: np.ndarray, count: int) -> np.ndarray:
    """Return how many users are now in segment i and were in segment j, [count, count].

    previous: user_id and the segment_id that they had. users: user_id, in the order of segment [U], the segments now.
    """
    shared = np.zeros((count, count), np.int64)
    if not previous.schema["segment_id"].is_integer() or previous.schema["user_id"] != users.schema["user_id"]:
        return shared
    known = users.select("user_id", now=pl.Series(segment)).join(previous, on="user_id")
    known = known.filter(pl.col("segment_id").is_between(0, count - 1))
    np.add.at(shared, (known["now"].to_numpy(), known["segment_id"].to_numpy()), 1)
    return shared


def segment_table(data: ChoiceData, segment: np.ndarray, visits: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return segments (segment_id, visits) and user_segments (user_id, segment_id) from the users' visits [U]."""
    users = data.users.table.select("user_id").with_columns(pl.Series("segment_id", segment))
    total = np.bincount(segment, weights=visits)
    return pl.DataFrame({"segment_id": np.arange(len(total)), "visits": total}), users


def user_coordinates(members: Members, price_spread: float) -> np.ndarray:
    """Return coordinates of the users [U, D] whose Euclidean distance approximates the r.m.s. difference of utility.

    Habits enter as their mean over each category's products.
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
    """Return users' mean habits in the block's categories, times the root of a category's share of the products.

    [U, categories of the block].
    """
    category = members.network.data.products.category[block]
    position = category - category[0]
    count = torch.bincount(position).float()
    total = [
        torch.zeros(users.stop - users.start, len(count)).index_add(1, position, members.habits(block, users))
        for users in members.blocks_of_users()
    ]
    return (torch.cat(total) / (count * len(members.product_level)).sqrt()).numpy()


def _stretch(user: Tensor, product: Tensor) -> np.ndarray:
    """Return user vectors [U, K + 1] times the square root of the products' second moments [K + 1, K + 1].

    The last entry of a user vector is a level: its factor is 1 for every product. The root is the symmetric one, which
    is unique; eigenvectors are not (their sign is arbitrary), and points are compared with centres of other runs.
    """
    ones = torch.ones(len(product), 1)
    product = torch.cat([product, ones], dim=1).double()
    moment = product.T @ product / len(product)
    values, vectors = torch.linalg.eigh(moment)
    return (user.double() @ (vectors * values.clamp(min=0).sqrt()) @ vectors.T).numpy()
