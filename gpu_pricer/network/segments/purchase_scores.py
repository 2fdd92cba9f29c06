"""What purchases tell of each user's price response where buying nothing is a choice.

A product that a user never bought is chosen seldom, so that its purchases are close to Poisson counts. What they tell
is the same for users with the same visits. What a user did buy is scored as choices of a multinomial logit, with
everything else as the outside option. So time grows with the visits that differ and with the pairs of users and
products that were bought, not with users × products.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.segments import choice_scores
from gpu_pricer.network.segments.block_purchases import BlockPurchases
from gpu_pricer.network.segments.choice_scores import LEAST, PRIOR_PURCHASES, OwnChoices

CELLS = 125_000  # visits × product in a block, so that a temporary of four folds has 4 MB and stays in the cache


@dataclass(frozen=True)
class Visitors:
    """Users by their visits: visits [D, W], those that differ, and pattern [U], which of them each user has."""

    visits: Tensor
    pattern: Tensor

    @classmethod
    def of(cls, visits: Tensor) -> "Visitors":
        """Return the users with these visits [U, W]."""
        return cls(*torch.unique(visits, dim=0, return_inverse=True))

    def sums(self, bought: BlockPurchases, number: Tensor, share: Tensor, slope: Tensor) -> Tensor:
        """Return score and information, [2, K, G, U], of the G categories of a block of k products.

        number [k]: of the products' categories, from 0. share, slope [k, W]: everybody's choice probabilities and
        slopes.
        """
        shape = 2, bought.folds, int(number[-1]) + 1
        sums, everybody = (torch.zeros(*shape, n, dtype=share.dtype) for n in (len(self.pattern), len(self.visits)))
        bought = bought.rows(torch.argsort(self.pattern[bought.user] * len(self.pattern) + bought.user, stable=True))
        pattern = self.pattern[bought.user]
        choices = OwnChoices(number, share, slope, bought.fold_of_period, has_outside_option=True)
        at_once = max(choice_scores.CELLS // share.shape[1], 1)
        for here in self._blocks(len(number)):
            unbought = _never_bought(self.visits[here], share, slope, bought.fold_of_period)
            everybody[..., here].index_add_(2, number, unbought)
            own = bought.rows(slice(*torch.searchsorted(pattern, torch.tensor([here.start, here.stop])).tolist()))
            for pairs in own.bought_pairs(len(number), at_once):
                of_user = self.pattern[pairs.user]
                before = unbought[:, :, pairs.product, of_user - here.start]
                choices.add(sums, pairs, self.visits[of_user], before)
        for mine, shared in zip(sums.flatten(0, 2), everybody.flatten(0, 2), strict=True):
            mine += shared.index_select(0, self.pattern)
        return sums

    def _blocks(self, products: int) -> Iterator[slice]:
        """Yield slices of the visits that meet a block of products at once."""
        at_once = max(CELLS // products, 1)
        for start in range(0, len(self.visits), at_once):
            yield slice(start, min(start + at_once, len(self.visits)))


def _never_bought(visits: Tensor, share: Tensor, slope: Tensor, fold: Tensor) -> Tensor:
    """Return score and information [2, K, k, n] of k products that users with visits [n, W] never bought.

    share, slope [k, W]: everybody's choice probabilities and slopes. fold [W]: of the periods. The user's own rate is
    that after PRIOR_PURCHASES at everybody's and none since.
    """
    inside = [fold == k for k in range(int(fold.max()) + 1)]
    expected, first, second = (
        torch.stack([(share * slope**power)[:, part] @ visits[:, part].T for part in inside]) for power in range(3)
    )
    information = (second - first.square() / expected.clamp(min=LEAST)).clamp(min=0)
    rate = PRIOR_PURCHASES / (expected.sum(0) + PRIOR_PURCHASES)
    return torch.stack([torch.zeros_like(information), information * rate])
