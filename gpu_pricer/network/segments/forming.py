"""Customer segments: groups of users with similar expected price response, and stable segment ids.

Segments never depend on who the users are. A new training's segments take the ids of the last training's segments that
share the most members with them.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
import torch
from scipy.optimize import linear_sum_assignment
from threadpoolctl import threadpool_limits
from torch import Tensor

from gpu_pricer.checks import require_integer
from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.segments.choosing import Choice, choose
from gpu_pricer.network.segments.latent_classes import LatentClasses, fit_classes
from gpu_pricer.network.segments.members import Members
from gpu_pricer.network.segments.moments import drawn_members
from gpu_pricer.network.segments.partition import Partition, partition_users
from gpu_pricer.network.segments.taste_prior import with_taste_prior
from gpu_pricer.network.segments.user_scores import UserScores

log = logging.getLogger(__name__)

Parts = Partition | LatentClasses

AUTO = "auto"
TASTE_WEIGHT = 0.1  # of a given number of segments
RESTARTS = 4
PRICE_SPREAD = 0.2
"""Relative distance of a price from the reference price at which users' responses are compared with their tastes."""


@dataclass(frozen=True)
class SegmentsConfig:
    """How many segments are formed.

    count: the number, or auto: as many as help to predict price response in periods held out, at most `most`.
    min_members: no segment has fewer users, unless all users together are fewer.
    """

    count: int | Literal["auto"]
    most: int
    min_members: int

    def __post_init__(self) -> None:
        if self.count != AUTO:
            require_integer("segments.count", self.count, 1)
        for name in ("most", "min_members"):
            require_integer(f"segments.{name}", getattr(self, name), 1)


@dataclass(frozen=True)
class Membership:
    """The `count` segments of U users, from 0: segment [U], and by_period [U, W], found without the period's purchases.

    A user's segment in a period is where the purchases outside the period's fold place the user, even if `segment` is a
    former one in which the user stays. Counts by it measure no response on the noise that formed the segments:
    otherwise segments that are formed by their response would show more response than they have.
    choice: what was chosen by the users' response in periods held out, None where nothing was to be chosen.
    """

    segment: np.ndarray
    by_period: Tensor
    count: int
    choice: Choice | None = None


@dataclass(frozen=True)
class Segmentation:
    """Users in segments.

    segment [U]: int64 in 0 … S-1. centre [S, D]: the members' mean user_coordinates with this price_spread.
    """

    segment: np.ndarray
    centre: np.ndarray
    price_spread: float


def require_enough_users(config: SegmentsConfig, users: int) -> None:
    """Raise InputError if more segments are asked for than there are users."""
    if isinstance(config.count, int) and users < config.count:
        raise InputError(
            f"segments.count must be at most the number of users, found {config.count} for {users}: "
            "lower segments.count"
        )


def form_segments(
    scores: UserScores,
    config: SegmentsConfig,
    visits: np.ndarray,
    seed: int,
    chosen: Choice | None = None,
    former: np.ndarray | None = None,
    former_count: int = 1,
) -> Membership:
    """Return the segments of the scored users, with their former numbers, or numbered from the most visits down.

    chosen: what was chosen on fewer periods, which is not chosen anew. former_count: the number of segments in the last
    training; where the number is chosen, it stays if others are hardly better. former [U]: the users' segments then,
    see former_segments, whose ids the segments keep. With a chosen number, nearly the same users form a segment again
    if others are hardly better, and users stay in it where a move is not worth it. visits [U]: periods in which each
    user came. Users who came in a single period, such as guests, then form no segment, and are in that of an unknown
    user: in the period to price, such users have no earlier purchases by which to be placed.
    InputError when there are fewer users than segments.
    """
    require_enough_users(config, len(visits))
    choice, known = chosen, _known_users(scores, config, visits)
    own_former = None if former is None else former[known]
    with threadpool_limits(1, "blas"):  # products of small matrices: threads would wait for each other
        whole = with_taste_prior(scores.whole).of_users(known)
        if choice is None and config.count == AUTO:
            choice = choose(scores.of_users(known), config.most, config.min_members, seed, former_count)
        formed = _formed(whole, config, choice, seed, own_former)
        others = [with_taste_prior(scores.without(fold)) for fold in range(scores.folds)]
        placed = [whole, *(other.of_users(known) for other in others)]
        parts = _large_enough(formed, placed, config.min_members, visits[known])
        segment_of_known = parts.segments_of(whole)
        if own_former is not None:
            parts = parts.of(np.argsort(_ids_by_members(own_former, segment_of_known, parts.count)))
            segment_of_known = _staying(parts, whole, own_former, config.min_members)
        by_fold = [parts.segments_of(other) for other in others]
    unknown = np.setdiff1d(np.arange(scores.users), known)
    segment = np.empty(scores.users, np.int64)
    segment[known], segment[unknown] = segment_of_known, _place_of_nobody(scores, by_fold, unknown)
    by_period = np.stack(by_fold, axis=1)[:, scores.fold]
    by_period[unknown] = segment[unknown, None]
    if parts.count < formed.count:
        log.info(
            "segments: %d; others of the %d had fewer than train.segments.min_members users", parts.count, formed.count
        )
    return Membership(segment, torch.from_numpy(by_period), parts.count, choice)


def _known_users(scores: UserScores, config: SegmentsConfig, visits: np.ndarray) -> np.ndarray:
    """Return the users who form segments, ascending; all of them where too few came in several of the periods."""
    several = np.flatnonzero(visits > 1)
    enough = config.count == AUTO and scores.folds > 1 and len(several) >= max(config.min_members, 2)
    return several if enough else np.arange(scores.users)


def _place_of_nobody(scores: UserScores, by_fold: list[np.ndarray], unknown: np.ndarray) -> int:
    """Return the segment of a user of whom nothing is known: where other periods place most of the `unknown` users.

    by_fold [U] each: the segments of the users by the periods of all other folds.
    """
    if not len(unknown):
        return 0
    came = np.stack([visits.sum(axis=1) for visits in scores.visits])[:, unknown].argmax(axis=0)
    return int(np.bincount(np.stack(by_fold)[came, unknown]).argmax())


def _formed(
    whole: UserScores, config: SegmentsConfig, choice: Choice | None, seed: int, former: np.ndarray | None
) -> Parts:
    """Return the segments as k-means parts the users, or as many latent classes as the configuration asks for.

    whole: the scores, a single fold. The classes asked for count as equally large, so that their number is reached even
    if users hardly differ.
    """
    if choice is None:
        count = int(config.count)
        return replace(fit_classes(whole, count, TASTE_WEIGHT, seed, RESTARTS), share=np.full(count, 1 / count))
    classes = fit_classes(whole, choice.classes, choice.taste_weight, seed, RESTARTS)
    return partition_users(classes, whole, choice.segments, seed, former)


def segmentation_of(membership: Membership, users: Members, visits: np.ndarray, most: int) -> Segmentation:
    """Return the segments with their centres; visits [U] are the members' weights.

    most: a centre is the mean of so many members at most, see drawn_members.
    """
    drawn, weight = drawn_members(membership.segment, visits, most)
    segment, members = membership.segment[drawn], users.of(torch.from_numpy(drawn))
    total = np.zeros((membership.count, 0))
    for block, points in zip(members.blocks_of_users(), user_coordinates(members, PRICE_SPREAD), strict=True):
        total = total if total.size else np.zeros((membership.count, points.shape[1]))
        np.add.at(total, segment[block], weight[block, None] * points)
    size = np.bincount(segment, weights=weight, minlength=membership.count)
    return Segmentation(membership.segment, total / size[:, None], PRICE_SPREAD)


def _large_enough(parts: Parts, placed: list[UserScores], least: int, visits: np.ndarray) -> Parts:
    """Return the segments without those that fewer than `least` users belong to, in the order of their past visits.

    placed: the users' scores in all periods, and in all but those of each fold. Users are counted by these too, in the
    mean over folds: a segment in which other periods place nobody would have no response of its own.
    """
    while parts.count > 1:
        sizes = np.stack([np.bincount(parts.segments_of(scores), minlength=parts.count) for scores in placed])
        size = np.minimum(sizes[0], sizes[1:].mean(axis=0)) if len(placed) > 2 else sizes[0]
        if size.min() >= least:
            break
        parts = parts.of(np.flatnonzero(np.arange(len(size)) != size.argmin()))
    came = np.bincount(parts.segments_of(placed[0]), weights=visits, minlength=parts.count)
    return parts.of(np.argsort(-came, kind="stable"))


def former_segments(previous: pl.DataFrame, users: pl.DataFrame) -> np.ndarray | None:
    """Return the segments that the users had in the last training, int64 [U], -1 where a user had none.

    previous: user_id, segment_id; a user who is there more than once had none. users: user_id. None where ids of either
    kind are of another type now, or where no user is known.
    """
    if not previous.schema["segment_id"].is_integer() or previous.schema["user_id"] != users.schema["user_id"]:
        return None
    known = previous.unique("user_id", keep="none")
    known = users.select("user_id").join(known, on="user_id", how="left", maintain_order="left")
    former = known["segment_id"].cast(pl.Int64, strict=False).fill_null(-1).to_numpy()
    return former if len(former) and former.max() >= 0 else None


def count_former(former: np.ndarray | None) -> int:
    """Return the number of former segments [U], 1 where most users had none, or where one of the segments is gone."""
    if former is None or 2 * np.count_nonzero(former >= 0) < len(former):
        return 1
    ids = np.unique(former[former >= 0])
    return len(ids) if ids[-1] == len(ids) - 1 else 1


def segments_to_keep(former: np.ndarray | None, judged: Membership) -> np.ndarray | None:
    """Return the segments [U] near which those to publish are formed and whose ids they take, None for none.

    former [U]: the segments of the last training. They are returned if the judged ones are as many, so that prices move
    little from night to night, or if the number of segments was not chosen. judged: the segments of the judged periods.
    They are returned otherwise, so that what is published was judged; they take the former ids as far as members stay.
    """
    if judged.choice is None or count_former(former) == judged.count:
        return former
    return (judged if former is None else keep_ids(former, judged)).segment


def keep_ids(former: np.ndarray, membership: Membership) -> Membership:
    """Return the segments renumbered so that the most users keep the segment id that they had, former [U]."""
    new_id = _ids_by_members(former, membership.segment, membership.count)
    by_period = torch.from_numpy(new_id)[membership.by_period]
    return replace(membership, segment=new_id[membership.segment], by_period=by_period)


def _ids_by_members(former: np.ndarray, segment: np.ndarray, count: int) -> np.ndarray:
    """Return the ids [S] of the segments with which the most users keep the id that they had, former [U].

    Ids stay in 0 … S-1; a former id outside that range is ignored. The matching is exact (Hungarian method: Kuhn 1955).
    """
    shared = np.zeros((count, count), np.int64)
    known = (former >= 0) & (former < count)
    np.add.at(shared, (segment[known], former[known]), 1)
    return np.asarray(linear_sum_assignment(-shared)[1])


def _staying(parts: Parts, scores: UserScores, former: np.ndarray, least: int) -> np.ndarray:
    """Return the segments [U] of users who stay in their former ones, of the same ids, where a move is not worth it.

    A segment that would have fewer than `least` users gets all who are nearest to it. Classes that were asked for are
    not compared with former ones.
    """
    nearest = parts.segments_of(scores)
    if isinstance(parts, LatentClasses):
        return nearest
    had_one = (former >= 0) & (former < parts.count)
    stays = had_one & parts.could_stay(scores, np.where(had_one, former, nearest))
    while True:
        segment = np.where(stays, former, nearest)
        is_small = np.bincount(segment, minlength=parts.count) < least
        if not (stays & is_small[nearest]).any():
            return segment
        stays &= ~is_small[nearest]


def segment_table(data: ChoiceData, segment: np.ndarray, visits: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return segments (segment_id, visits) and user_segments (user_id, segment_id) from the users' visits [U]."""
    users = data.users.table.select("user_id").with_columns(pl.Series("segment_id", segment))
    total = np.bincount(segment, weights=visits)
    return pl.DataFrame({"segment_id": np.arange(len(total)), "visits": total}), users


def user_coordinates(members: Members, price_spread: float) -> Iterator[np.ndarray]:
    """Yield coordinates of each block of users [n, D], whose distance is about the r.m.s. difference of utility.

    Distances are Euclidean. Habits and loyalty enter as their mean over each category's products: D grows with the
    categories, so that all users at once would take several times the memory of the log.
    """
    trained = members.network.data.products.is_trained
    left, right = _stretch(members.product_taste[trained])
    sensitivity = members.product_response[trained].square().mean().sqrt()
    for users in members.blocks_of_users():
        taste = torch.cat([members.user_taste[users], members.user_level[users, None]], 1)
        response = members.user_slope[users, None] * sensitivity
        parts = [(taste.double() @ left @ right).numpy(), price_spread * response.double().numpy()]
        if members.network.history is not None:
            parts += [_category_habits(members, block, users) for block in members.blocks()]
        yield np.concatenate(parts, axis=1)


def _category_habits(members: Members, block: slice, users: slice) -> np.ndarray:
    """Return the users' mean habits and loyalty in the block's categories, [users, categories of the block].

    They are multiplied by the root of the category's share of the products.
    """
    category = members.network.data.products.category[block]
    position = category - category[0]
    count = torch.bincount(position).float()
    zeros = torch.zeros(users.stop - users.start, len(count))
    total = zeros.index_add(1, position, members.past(block, users))
    return (total / (count * len(members.product_level)).sqrt()).numpy()


def _stretch(product: Tensor) -> tuple[Tensor, Tensor]:
    """Return two factors, [K + 1, K + 1] each, of the square root of the products' second moments.

    A user vector times the root is the user's coordinates. The last entry of a vector is a level: its factor is 1 for
    every product. The root is the symmetric one, which is unique; eigenvectors are not (their sign is arbitrary), and
    points are compared with centres of other runs.
    """
    ones = torch.ones(len(product), 1)
    product = torch.cat([product, ones], dim=1).double()
    moment = product.T @ product / len(product)
    values, vectors = torch.linalg.eigh(moment)
    return vectors * values.clamp(min=0).sqrt(), vectors.T
