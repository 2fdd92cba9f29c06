"""Calibration of levels: all users together are expected to buy as much of every product as the average household.

The average household predicts the sales of large and small products well. The sum over the network's users does not:
loyalty makes it too high for best sellers and too low for slow sellers (1.08 and .75 of what was bought in the test
weeks of Complete Journey, November 2026). So the network decides who buys, and the average household how much is
bought.
"""

import numpy as np
import torch
from torch import Tensor

from gpu_pricer.heartbeat import beat
from gpu_pricer.network.model.demand_network import DemandNetwork
from gpu_pricer.network.response.threads import threads_of_one
from gpu_pricer.network.segments.group_moves import GroupMoves
from gpu_pricer.network.segments.members import MarketPoint, Members
from gpu_pricer.network.segments.moments import odds, shares_at, weighted_members

MATCHED = 4096  # users at most; of more so many are drawn by their visits
TINY = 1e-30
PASSES, CLOSE = 20, 1e-3  # of iterative scaling, at most so many; they end when no level moves further
FARTHEST = 20.0  # that a level moves, so that no odds overflow
SIZES = 20  # groups of products of like expected sales


@torch.no_grad()
def match_average_household(network: DemandNetwork, point: MarketPoint, visits: np.ndarray) -> None:
    """Set the levels of the products, so that users' mean shares at the point are the average ones.

    Each product that was sold has a level of its own. Beside what attributes say, those that training did not see have
    one in common, by one step towards the sum of their average shares, which is exact where these are small. Users of
    price groups are at the prices that they saw last, and the average household at the mean of these.
    visits [U]: how often each user is expected, the weight in the means. Where users are drawn, few of those who love a
    product are among them, and its own mean is too noisy: then the sums over each of SIZES groups of products of like
    average shares are matched.
    """
    data = network.data
    drawn = weighted_members(np.zeros(len(visits), np.int64), visits, MATCHED)
    members, weight = Members(network, point).of(drawn.users), drawn.weight[0]
    moves = GroupMoves.of(members, weight)
    bought = data.history.products.events_before(data.calendar.trained_periods, data.products.count)
    is_sold = (bought > 0) & data.products.is_trained
    is_drawn = len(drawn.users) < len(visits)
    passes = 1 if is_drawn else PASSES

    @torch.no_grad()  # which each thread needs to be told
    def match(block: slice) -> tuple[Tensor, Tensor]:
        """Return the average shares of a block's products, and what would match them."""
        average = _average_shares(members, block, moves.mean(block))
        own = _own_odds(members, block, moves)
        return average, _moves(members, weight, block, own, average, is_sold[block], passes)

    target, move, blocks = *torch.zeros(2, data.products.count), list(members.blocks())
    with threads_of_one() as run:
        for block, found in zip(blocks, run(match, blocks), strict=True):
            target[block], move[block] = found
            beat(
                "matching the sales expected of users to those of the average household: product %d of %d",
                block.stop,
                len(move),
            )
    if is_drawn and bool(is_sold.any()):
        move[is_sold] = _by_size(target[is_sold], move[is_sold])
    is_new = ~data.products.is_trained
    common = _by_group(target[is_new], move[is_new], torch.zeros(int(is_new.sum()), dtype=torch.long))[:1].sum()
    own = torch.where(is_sold, move, 0.0) - common
    network.mean_level.add_(common / network.log_scale.exp())
    network.product_level.own.weight += (own / network.log_scale.exp())[:, None]


def _own_odds(members: Members, block: slice, moves: GroupMoves) -> Tensor:
    """Return the members' odds of buying each of the block's products at their own prices, [n, block]."""
    found = torch.empty(len(members.users), block.stop - block.start)
    for users in members.blocks_of_users():
        response = members.user_slope[users, None] * members.product_response[block]
        found[users] = odds(members.utility(block, users) - response * moves.of_users(block, users))
    return found


def _moves(
    members: Members, weight: Tensor, block: slice, of_users: Tensor, target: Tensor, is_sold: Tensor, passes: int
) -> Tensor:
    """Return what would match the mean shares of the block's products, where those sold are matched, [block].

    weight [n], of_users [n, block]: of the members, see _own_odds. target [block]: their mean shares to be.
    """
    sizes = torch.unique_consecutive(members.network.data.products.category[block], return_counts=True)[1].tolist()
    columns = (members.point.availability[block], target, is_sold)
    categories = zip(of_users.split(sizes, dim=1), *(column.split(sizes) for column in columns), strict=True)
    return torch.cat([_moves_in(weight, passes, *category) for category in categories])


def _moves_in(
    weight: Tensor, passes: int, odds: Tensor, availability: Tensor, target: Tensor, is_sold: Tensor
) -> Tensor:
    """Return _moves of the products of one category, [k]: iterative scaling (Deming & Stephan 1940).

    weight [n]: of the members. odds [n, k]: against buying nothing. The others [k]: of the products.
    """
    is_off = availability == 0
    on_shelf, off = odds[:, ~is_off], odds[:, is_off]
    move, mean = torch.zeros(2, len(target))
    for _ in range(passes):
        times = move.exp()
        nothing = 1 / (1 + on_shelf @ (times * availability)[~is_off])
        mean[~is_off] = (weight * nothing) @ on_shelf * times[~is_off]
        joining = off * nothing[:, None] * times[is_off]
        mean[is_off] = weight @ (joining / (1 + joining))
        left = torch.log(target.clamp(min=TINY) / mean.clamp(min=TINY)).clamp(-FARTHEST, FARTHEST)
        step = torch.where(is_sold, left, 0.0)
        move = (move + step).clamp(-FARTHEST, FARTHEST)
        if float(step.abs().max()) < CLOSE:
            break
    return torch.where(is_sold, move, left)


def _by_size(target: Tensor, move: Tensor) -> Tensor:
    """Return for n products what matches the summed shares of those of like target, [n]; move [n]: each one's own."""
    place = torch.argsort(torch.argsort(target, stable=True))
    return _by_group(target, move, place * SIZES // len(target))


def _by_group(target: Tensor, move: Tensor, group: Tensor) -> Tensor:
    """Return for n products what matches the summed shares of their group [n], [n].

    move [n]: the log of each one's target over its mean share.
    """
    expected, found = (torch.zeros(SIZES).index_add(0, group, share) for share in (target, target * torch.exp(-move)))
    return torch.log(expected.clamp(min=TINY) / found.clamp(min=TINY))[group]


def _average_shares(members: Members, block: slice, beyond: Tensor) -> Tensor:
    """Return the average household's P / q of the block's products at the market point, [block].

    beyond [block]: what adds to the moves there, see GroupMoves.
    """
    network, average = members.network, members.network.average
    assert average is not None, "adopt sets it"
    response = network.response_of(torch.arange(block.start, block.stop))
    level = torch.where(average.level[block].isnan(), average.prior[block].float(), average.level[block])
    appeal = level + members.point.shelf_effect[block] + (response[:, 1:] * members.point.context[block]).sum(1)
    utility = appeal - response[:, 0].exp() * (members.bent_move(block) + beyond)
    return shares_at(members, block, utility[None])[0][0]
