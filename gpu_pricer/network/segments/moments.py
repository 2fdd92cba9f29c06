"""Segments that behave like their members: purchase shares and own-price slopes are the members' averages."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.heartbeat import beat
from gpu_pricer.network.response.threads import threads_of_one
from gpu_pricer.network.segments.members import Members

MOST_UTILITY = 60.0  # larger ones count as this one, so that no sum of odds overflows
LEAST_VISITS = 1e-4  # in a period, so that a segment whose users are not expected to come has weights too


@dataclass(frozen=True)
class Moments:
    """Appeal and sensitivity of S segments, [S, P] each.

    damping [S, P]: derivative of the segment's appeal in a change common to all members' appeals,
    mean(P (1 − P)) / (mean P (1 − mean P)): below 1 where the members differ.
    """

    appeal: Tensor
    sensitivity: Tensor
    damping: Tensor


@dataclass(frozen=True)
class WeightedMembers:
    """The users whose averages a segment has.

    users [n]: int64, ascending. weight [S, n]: their weights in each of S segments, which sum to 1.
    """

    users: Tensor
    weight: Tensor


def weighted_members(segment: np.ndarray, visits: np.ndarray, most: int) -> WeightedMembers:
    """Return the users of drawn_members with their shares in the weight of their segments."""
    users, of_users = drawn_members(segment, visits, most)
    weight = torch.zeros(int(segment.max()) + 1, len(users))
    weight[torch.from_numpy(segment[users]), torch.arange(len(users))] = torch.from_numpy(of_users).float()
    return WeightedMembers(torch.from_numpy(users), weight / weight.sum(1, keepdim=True))


def drawn_members(segment: np.ndarray, visits: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return users [n], ascending, and their weights [n] in their segments: a user's visits, at least LEAST_VISITS.

    Of a segment with more than `most` members, `most` are drawn with probabilities proportional to their visits
    (systematic sampling: Madow 1949), so that time and memory do not grow with the users; there a weight says how often
    the user was drawn.
    segment [U]: int64. visits [U]: each user's expected visits.
    """
    visits = np.maximum(visits, LEAST_VISITS)
    order = np.argsort(segment, kind="stable")
    parts = np.split(order, np.searchsorted(segment[order], np.arange(1, int(segment.max()) + 1)))
    chosen = [part if len(part) <= most else part[_systematic(visits[part], most)] for part in parts]
    users, column = np.unique(np.concatenate(chosen), return_inverse=True)
    of_chosen = [visits[of] if len(of) == len(part) else np.ones(most) for of, part in zip(chosen, parts, strict=True)]
    return users, np.bincount(column, weights=np.concatenate(of_chosen))


def _systematic(size: np.ndarray, count: int) -> np.ndarray:
    """Return `count` places, ascending, each as often as its size demands within one."""
    total = np.cumsum(size)
    return np.searchsorted(total, (np.arange(count) + 0.5) / count * total[-1])


def segment_moments(everyone: Members, chosen: WeightedMembers) -> Moments:
    """Return the logit that has the members' mean shares and own-price slopes at the prices of the market point.

    With P_uj the probability that member u chooses product j, P_u0 that of buying nothing, and f as in price_bend.py,
    a_sj = log E[P_uj] − log E[P_u0] + b_sj f(x / r) and b_sj = E[b_uj P_uj (1 − P_uj)] / (E[P_uj] (1 − E[P_uj])). The
    mean of the members' appeals would predict far too few purchases, since the exponential is convex. A product of
    availability q has P = q e^u / (1 + Σ q e^u); a product off the shelf takes the share that it would have if it
    joined the choice set.
    """
    members, weight = everyone.of(chosen.users), chosen.weight
    shape = weight.shape[0], members.network.data.products.count
    moments = Moments(*(torch.empty(shape) for _ in range(3)))
    blocks = list(members.blocks())
    with threads_of_one() as run:
        for block, mean in zip(blocks, run(lambda part: _means(members, weight, part), blocks), strict=True):
            beat("demand of segments from that of their users: product %d of %d", block.stop, shape[1])
            nothing = mean.nothing if members.network.data.has_outside_option else torch.ones(())
            spread = (mean.share * (1 - members.point.presence(block) * mean.share)).clamp(min=1e-12)
            moments.sensitivity[:, block] = mean.slope / spread
            moments.damping[:, block] = mean.spread / spread
            move = members.bent_move(block)
            moments.appeal[:, block] = torch.log(mean.share / nothing) + moments.sensitivity[:, block] * move
    return moments


class _Means(NamedTuple):
    """Members' means [S, block] of P / q, b P (1 − P) / q, P (1 − P) / q and the probability of buying nothing.

    q is the availability, or 1 for a product off the shelf.
    """

    share: Tensor
    slope: Tensor
    spread: Tensor
    nothing: Tensor


@torch.no_grad()
def _means(members: Members, weight: Tensor, block: slice) -> _Means:
    means = _Means(*(torch.zeros(len(weight), block.stop - block.start) for _ in _Means._fields))
    for users in members.blocks_of_users():
        share, nothing = shares_at(members, block, members.utility(block, users))
        means.share.addmm_(weight[:, users], share)
        means.nothing.addmm_(weight[:, users], nothing)
        spread = share.sub_(share.square().mul_(members.point.presence(block)))
        means.spread.addmm_(weight[:, users], spread)
        means.slope.addmm_(weight[:, users] * members.user_slope[users], spread)
    means.slope.mul_(members.product_response[block])
    return means


def shares_at(members: Members, block: slice, utility: Tensor) -> tuple[Tensor, Tensor]:
    """Return P / q and the probability of buying nothing of the product's category at the market point, [n, block].

    utility [n, block]: at the point's prices.
    """
    data, availability = members.network.data, members.point.availability[block]
    expected = odds(utility)
    category = data.products.category[block] - data.products.category[block.start]
    total = torch.zeros(len(expected), int(category[-1]) + 1).index_add(1, category, expected * availability)
    nothing = (1 / (data.has_outside_option + total).clamp(min=1e-30)).index_select(1, category)
    own = expected.mul_(nothing)
    joined = torch.addcmul(torch.ones(()), own, (availability == 0).float())  # a product off the shelf joins the total
    return own.div_(joined), nothing.div_(joined)


def odds(utility: Tensor) -> Tensor:
    """Return the odds of buying each product against nothing, from its utility of any shape; see shares_at."""
    return torch.exp(utility.clamp(max=MOST_UTILITY))


def promotion_offset(
    members: Members, moments: Moments, segment_visits: Tensor, product: Tensor, context: Tensor
) -> Tensor:
    """Return what the context [n, C] of n products adds to their appeal at the market point, [n], for all segments.

    segment_visits [S]: weights of the segments' damping.
    """
    damping = (segment_visits @ moments.damping) / segment_visits.sum()
    effect = (members.effect[product] * (context - members.point.context[product])).sum(1)
    return damping[product] * effect
