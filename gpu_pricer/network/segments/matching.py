"""Levels with which users together buy as much of every product as the average household.

The average household expects the right sales of products of every size. The network's users together do not: loyalty
expects too much of what sells often, and too little of what sells seldom (1.08 and .75 of what was bought in the test
weeks of Complete Journey, November 2026). So users tell who buys, and the average household how much.
"""

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.segments.members import MarketPoint, Members
from gpu_pricer.network.segments.moments import shares_at, weighted_members

MATCHED = 8192  # users at most, drawn by their visits
TINY = 1e-30
PASSES, CLOSE = 20, 1e-3  # of iterative scaling, at most so many; they end when no level moves further


@torch.no_grad()
def match_average_household(network: DemandNetwork, point: MarketPoint, visits: np.ndarray) -> None:
    """Set the levels of the products that were sold, so that users' mean shares at the point are the average ones.

    visits [U]: how often each user is expected, the weight in the means.
    """
    data = network.data
    drawn = weighted_members(np.zeros(len(visits), np.int64), visits, MATCHED)
    members, weight = Members(network, point).of(drawn.users), drawn.weight[0]
    bought = data.history.products.events_before(data.calendar.trained_periods, data.products.count)
    is_sold = (bought > 0) & data.products.is_trained
    move = torch.zeros(data.products.count)
    for block in members.blocks():
        move[block] = _moves(members, weight, block, is_sold[block])
    network.product_level.own.weight += (move / network.log_scale.exp())[:, None]


def _moves(members: Members, weight: Tensor, block: slice, is_sold: Tensor) -> Tensor:
    """Return what adds to the appeals of the block's products that were sold, [block] (Deming & Stephan 1940)."""
    target, move = _average_shares(members, block), torch.zeros(block.stop - block.start)
    demand = [members.demand(block, users) for users in members.blocks_of_users()]
    weights = [weight[users] for users in members.blocks_of_users()]
    for _ in range(PASSES):
        mean = torch.zeros_like(target)
        for of_users, (appeal, response) in zip(weights, demand, strict=True):
            mean += of_users @ shares_at(members, block, appeal + move, response)[0]
        step = torch.where(is_sold, torch.log(target.clamp(min=TINY) / mean.clamp(min=TINY)), 0.0)
        move += step
        if float(step.abs().max()) < CLOSE:
            break
    return move


def _average_shares(members: Members, block: slice) -> Tensor:
    """Return the average household's P / q of the block's products at the market point, [block]."""
    network, products, average = members.network, members.network.data.products, members.network.average
    assert average is not None, "adopt sets it"
    response = network.response_of(torch.arange(block.start, block.stop))
    level = torch.where(average.level[block].isnan(), average.prior[block].float(), average.level[block])
    beside = network.next_season[products.category[block]] + network.next_shock[block, 0]
    appeal = level + beside + (response[:, 1:] * members.point.context[block]).sum(1)
    return shares_at(members, block, appeal[None], response[:, 0].exp()[None])[0][0]
