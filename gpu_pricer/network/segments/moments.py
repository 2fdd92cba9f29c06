"""Segments that behave like their members: purchase shares and own-price slopes are the members' averages."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.segments.members import Members

LEAST_VISITS = 1e-4  # in a period: a segment of strangers alone has weights too


@dataclass(frozen=True)
class Moments:
    """Appeal and sensitivity of S segments, [S, P].

    damping [S, P]: by how much a change of every member's appeal changes the segment's, in small: where the members
    differ it moves fewer of them, mean(P (1 − P)) / (mean P (1 − mean P)).
    """

    appeal: Tensor
    sensitivity: Tensor
    damping: Tensor


def member_weight(segment: np.ndarray, visits: np.ndarray) -> Tensor:
    """The share of each user in its segment's visits, [S, U]; users that are not expected count a little."""
    weight = torch.zeros(int(segment.max()) + 1, len(segment))
    of_users = torch.from_numpy(visits).float().clamp(min=LEAST_VISITS)
    weight[torch.from_numpy(segment), torch.arange(len(segment))] = of_users
    return weight / weight.sum(1, keepdim=True)


def segment_moments(members: Members, weight: Tensor) -> Moments:
    """Return the logit that has the members' mean shares and own-price slopes at the prices of the market point.

    weight [S, U] sums to 1 over each segment's members. With P_uj the member's choice probability and P_u0 that
    of buying nothing, a_sj = log E[P_uj] − log E[P_u0] + b_sj (x / r − 1) and b_sj = E[b_uj P_uj (1 − P_uj)] /
    (E[P_uj] (1 − E[P_uj])). A centroid of the members' appeals would predict far too few purchases, since the
    exponential is convex. A product that is on the shelf at times only (availability a) has P = a e^u / (1 + Σ a e^u);
    those off the shelf take the share they would add to the choice set.
    """
    shape = weight.shape[0], members.network.data.products.count
    moments = Moments(*(torch.empty(shape) for _ in range(3)))
    for block in members.blocks():
        mean = _means(members, weight, block)
        nothing = mean.nothing if members.network.data.has_outside_option else torch.ones(())
        spread = (mean.share * (1 - members.point.presence(block) * mean.share)).clamp(min=1e-12)
        moments.sensitivity[:, block] = mean.slope / spread
        moments.damping[:, block] = mean.spread / spread
        move = members.point.price_ratio[block] - 1
        moments.appeal[:, block] = torch.log(mean.share / nothing) + moments.sensitivity[:, block] * move
    return moments


class _Means(NamedTuple):
    """Members' means [S, block] of P / a, b P (1 − P) / a, P (1 − P) / a, and the chance to buy nothing there."""

    share: Tensor
    slope: Tensor
    spread: Tensor
    nothing: Tensor


def _means(members: Members, weight: Tensor, block: slice) -> _Means:
    means = _Means(*(torch.zeros(len(weight), block.stop - block.start) for _ in _Means._fields))
    for users in members.blocks_of_users():
        share, response, nothing = _shares(members, block, users)
        spread = share * (1 - members.point.presence(block) * share)
        for mean, of_users in zip(means, (share, response * spread, spread, nothing), strict=True):
            mean.addmm_(weight[:, users], of_users)
    return means


def _shares(members: Members, block: slice, users: slice) -> tuple[Tensor, Tensor, Tensor]:
    """P / a, b and the chance to buy nothing of the category with the product in it, [users, block] each."""
    data, availability = members.network.data, members.point.availability[block]
    appeal, response = members.demand(block, users)
    expected = torch.exp((appeal - response * (members.point.price_ratio[block] - 1)).clamp(max=60))
    category = data.products.category[block] - data.products.category[block.start]
    total = torch.zeros(len(expected), int(category[-1]) + 1).index_add(1, category, expected * availability)
    nothing = (1 / (data.has_outside_option + total).clamp(min=1e-30))[:, category]
    own = expected * nothing
    joined = torch.where(availability > 0, 1.0, 1 + own)  # what a product off the shelf would add to the total
    return own / joined, response, nothing / joined


def promotion_offset(
    members: Members, moments: Moments, segment_visits: Tensor, product: Tensor, context: Tensor
) -> Tensor:
    """What n products' context [n, C] adds to their appeal at the market point, for every segment alike, [n].

    segment_visits [S] weighs the segments' damping.
    """
    damping = (segment_visits @ moments.damping) / segment_visits.sum()
    effect = (members.effect[product] * (context - members.point.context[product])).sum(1)
    return damping[product] * effect
