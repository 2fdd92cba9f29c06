"""What choices tell of a user's price response where every occasion ends in one: scores of the multinomial logit.

Where buying nothing is a choice, single products are chosen seldom and their counts are close to Poisson. Where it is
none, a loyal user takes one product nearly always. As Poisson counts these choices would vary far more than they do,
and no difference between users would stand out from that.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.segments.block_purchases import BlockPurchases

PRIOR_PURCHASES = 1.0  # of a product, for which everybody's rate counts in a user's
ROUNDS = 10  # of proportional fitting (Deming & Stephan 1940), which finds a user's own rates
CELLS = 4_000_000  # user × product × period in a block, so that a temporary has 32 MB


def choice_sums(visits: Tensor, bought: BlockPurchases, number: Tensor, share: Tensor, slope: Tensor) -> Tensor:
    """Return score and information, [2, K, G, U], of the G categories of a block of k products.

    visits [U, W]: of the users. number [k]: of the products' categories, from 0. share, slope [k, W]: everybody's
    choice probabilities and slopes.
    """
    bought = bought.rows(torch.argsort(bought.user, stable=True))
    sums = torch.zeros(2, bought.folds, int(number[-1]) + 1, len(visits), dtype=share.dtype)
    at_once = max(CELLS // share.numel(), 1)
    for start in range(0, len(visits), at_once):
        users = slice(start, min(start + at_once, len(visits)))
        block = ChoiceBlock(visits[users], share, slope, bought.fold_of_period, number)
        for total, found in zip(sums, block.sums(*bought.by_cell(users, len(number))), strict=True):
            total[:, :, users].index_add_(1, number, found.transpose(1, 2))
    return sums


@dataclass(frozen=True)
class ChoiceBlock:
    """Occasions of n users [n, W], choice probabilities and slopes of k products [k, W], and the periods' folds [W].

    category [k]: of the products, numbers from 0; the block holds all products of these categories.
    """

    visits: Tensor
    share: Tensor
    slope: Tensor
    fold: Tensor
    category: Tensor

    def sums(self, count: Tensor, steep: Tensor) -> tuple[Tensor, Tensor]:
        """Return score and information [K, n, k]; count, steep [K, n, k]: choices, and sums of their slopes.

        A user's mean purchases of every product are taken as they are. The information of a product is its part of
        that of its category, and may be negative.
        """
        own = self._own_choices(count.sum(0))
        mean = (own * self.slope).sum(2) / own.sum(2).clamp(min=1e-9)
        apart = self.slope - mean[:, :, None]  # centred slopes do not tell how much a user buys
        expected = own * apart
        together = self._by_category(expected) / self.visits[:, None].clamp(min=1e-9)
        known = expected * (apart - together[:, self.category])
        return steep - mean * count - self._by_fold(expected), self._by_fold(known)

    def _own_choices(self, bought: Tensor) -> Tensor:
        """Return each user's expected choices [n, k, W], whose sums over the periods are the shrunken choices."""
        everybodys = self.visits @ self.share.T
        shrunken = everybodys * (bought + PRIOR_PURCHASES) / (everybodys + PRIOR_PURCHASES)
        size = self.visits.sum(1)[:, None]
        choices = size * shrunken / self._by_category(shrunken)[:, self.category].clamp(min=1e-9)
        rate = torch.ones_like(choices)
        for _ in range(ROUNDS):
            weight = rate[:, :, None] * self.share
            own = self.visits[:, None] * weight / self._by_category(weight)[:, self.category].clamp(min=1e-30)
            rate = rate * choices / own.sum(2).clamp(min=1e-9)
        return own

    def _by_category(self, values: Tensor) -> Tensor:
        """Return the sums of values [n, k, …] over the products of each category, [n, G, …]."""
        shape = (len(values), int(self.category.max()) + 1, *values.shape[2:])
        return torch.zeros(shape, dtype=values.dtype).index_add(1, self.category, values)

    def _by_fold(self, values: Tensor) -> Tensor:
        """Return the sums of values [n, k, W] over the periods of each fold, [K, n, k]."""
        return torch.stack([values[:, :, self.fold == k].sum(2) for k in range(int(self.fold.max()) + 1)])
