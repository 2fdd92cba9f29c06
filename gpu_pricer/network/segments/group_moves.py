"""The price moves that users of price groups saw last, beside the usual ones of a market point."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.encoding.choice_data import ChoiceData
from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.network.segments.members import Members


@dataclass(frozen=True)
class GroupMoves:
    """How the prices of L groups differ from the usual ones; group 0 sees these.

    group [U]: of each of the members. share [1 + L]: of the groups in the members' weight. beyond [1 + L, P]: by what
    sensitivities are multiplied at the prices of a group, less the same at those of the market point.
    """

    group: Tensor
    share: Tensor
    beyond: Tensor

    @classmethod
    def of(cls, members: Members, weight: Tensor) -> "GroupMoves":
        """Return the moves of the members, whose weights [U] sum to 1, by the groups of their last visits."""
        data, period = members.network.data, members.point.period
        group = _last_groups(data, members.users, period)
        groups = 1 + int(group.max())
        ratio, bend = members.point.price_ratio, members.network.bend.detach()
        apart = torch.stack([
            torch.ones_like(ratio), *(_price_apart(data, period, number) for number in range(1, groups))
        ])  # fmt: skip
        return cls(
            group=group,
            share=torch.zeros(groups).index_add(0, group, weight),
            beyond=bent(ratio * apart - 1, bend) - bent(ratio - 1, bend),
        )

    def mean(self, block: slice) -> Tensor:
        """Return the mean of `beyond` over the members, of the block's products, [block]."""
        return self.share @ self.beyond[:, block]

    def of_users(self, block: slice, users: slice) -> Tensor:
        """Return `beyond` of some members, [users, block]."""
        return self.beyond[:, block][self.group[users]]


def _last_groups(data: ChoiceData, users: Tensor, period: int) -> Tensor:
    """Return the price group of the users' last visits before a period, [n]; 0 where there was none."""
    if data.visit_group is None:
        return torch.zeros_like(users)
    last = data.history.last_visit[users, period].long()
    return data.visit_group[users, last.clamp(min=0)].long()  # without a visit -1, and 0 in the first period


def _price_apart(data: ChoiceData, period: int, price_group: int) -> Tensor:
    """Return a group's last price of every product before a period, over the usual price of then, [P]; 1 without one.

    The rows of a period's groups follow those at the usual prices, so that the last row is the group's own if it has
    one.
    """
    last = []
    for groups in ((0,), (0, price_group)):
        is_seen = torch.isin(data.sets.price_group, torch.tensor(groups)) & (data.sets.period < period)
        row = is_seen[data.sets.of_rows()].nonzero().squeeze(1)
        found = torch.full((data.products.count,), -1)
        last.append(found.scatter_reduce(0, data.shelf.product[row], row, "amax"))
    ratio = data.shelf.price_ratio[last[1].clamp(min=0)] / data.shelf.price_ratio[last[0].clamp(min=0)]
    return torch.where(last[0] >= 0, ratio, 1.0)
