"""Scores of a user's price response from a multinomial logit with the user's own choice probabilities.

Someone who buys milk every week can hardly buy it more often: a purchase of probability p has variance and price
response in proportion to p (1 − p), and the products of a category are substitutes. Independent counts with the same
means would have a larger variance, so that fewer differences between users would be distinguishable from chance.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.segments.block_purchases import BlockPurchases, Pairs

PRIOR_PURCHASES = 1.0  # of a product, for which everybody's rate counts in a user's
ROUNDS = 6  # of proportional fitting (Deming & Stephan 1940), which finds a user's own rates
LEAST, SMALLEST = 1e-9, 1e-30  # expected choices; weight of all that can be chosen
CELLS = 125_000  # pair × period at once, so that a temporary has 1 MB and stays in the cache


def choice_sums(visits: Tensor, bought: BlockPurchases, number: Tensor, share: Tensor, slope: Tensor) -> Tensor:
    """Return score and information, [2, K, G, U], where every occasion ends in a choice of a block of k products.

    visits [U, W]: of the users. number [k]: of the products' categories, from 0. share, slope [k, W]: everybody's
    choice probabilities and slopes.
    """
    bought = bought.rows(torch.argsort(bought.user, stable=True))
    sums = torch.zeros(2, bought.folds, int(number[-1]) + 1, len(visits), dtype=share.dtype)
    choices = OwnChoices(number, share, slope, bought.fold_of_period, has_outside_option=False)
    at_once = max(CELLS // share.numel(), 1)
    for start in range(0, len(visits), at_once):
        users = range(start, min(start + at_once, len(visits)))
        pairs = bought.all_pairs(users, len(number))
        choices.add(sums, pairs, visits[pairs.user])
    return sums


@dataclass(frozen=True)
class OwnChoices:
    """Scores of users with choice probabilities of their own, from everybody's.

    share, slope [k, W]: everybody's choice probabilities and slopes of k products.
    category [k]: of the products, numbers from 0. fold [W]: of the periods. has_outside_option: whether an occasion may
    end without a choice of the pairs that are given; else they are all that can be chosen.
    """

    category: Tensor
    share: Tensor
    slope: Tensor
    fold: Tensor
    has_outside_option: bool

    def add(self, sums: Tensor, pairs: Pairs, visits: Tensor, before: Tensor | None = None) -> None:
        """Add what pairs say to the sums [2, K, G, U] in place of `before` [2, K, n]; visits [n, W]: of their users."""
        *_, categories, users = sums.shape
        found = self.sums(pairs, visits)
        place = self.category[pairs.product] * users + pairs.user
        sums.view(2, -1, categories * users).index_add_(2, place, found if before is None else found - before)

    def sums(self, pairs: Pairs, visits: Tensor) -> Tensor:
        """Return score and information [2, K, n] of pairs, all that their users have here, with their visits [n, W].

        A user's mean purchases of every product in every fold are taken as they are: the slopes of a pair are centred in
        each fold. The information of a pair is its part of that of its category, and may be negative.
        """
        user_category = pairs.user * (int(self.category[-1]) + 1) + self.category[pairs.product]
        found, chooser = torch.unique(user_category, return_inverse=True)
        share, slope = self.share[pairs.product], self.slope[pairs.product]
        expected = self._own_choices(pairs, visits, share, chooser, len(found))
        mean = self._by_fold(expected * slope) / self._by_fold(expected).clamp(min=LEAST)
        apart = slope - mean.T[:, self.fold]
        moved = expected * apart
        together = _summed(moved, chooser, len(found))[chooser] / visits.clamp(min=LEAST)
        score = pairs.steep - mean * pairs.count  # the expected choices add nothing: their centred slopes sum to 0
        return torch.stack([score, self._by_fold(moved * (apart - together))])

    def _own_choices(self, pairs: Pairs, visits: Tensor, share: Tensor, chooser: Tensor, choosers: int) -> Tensor:
        """Return the expected choices [n, W] of pairs, whose sums over the periods are the shrunken choices.

        chooser [n]: the number of each pair's user and category.
        """
        everybodys = (visits * share).sum(1)
        choices = everybodys * (pairs.count.sum(0) + PRIOR_PURCHASES) / (everybodys + PRIOR_PURCHASES)
        size = torch.zeros(choosers, dtype=share.dtype).scatter(0, chooser, visits.sum(1))
        if not self.has_outside_option:
            choices = choices * (size / _summed(choices, chooser, choosers).clamp(min=LEAST))[chooser]
        rest = (1 - _summed(share, chooser, choosers)).clamp(min=0) * self.has_outside_option
        others = (size - _summed(choices, chooser, choosers)).clamp(min=LEAST)
        rate = choices / everybodys.clamp(min=LEAST)
        for _ in range(ROUNDS):
            weight = rate[:, None] * share
            total = rest.index_add(0, chooser, weight)
            expected = visits * weight / total.clamp(min=SMALLEST)[chooser]
            found = expected.sum(1)
            of_others = (size - _summed(found, chooser, choosers)).clamp(min=LEAST)
            rate = rate * choices / found.clamp(min=LEAST) * (of_others / others)[chooser]
        return expected

    def _by_fold(self, values: Tensor) -> Tensor:
        """Return the sums of values [n, W] over the periods of each fold, [K, n]."""
        return torch.stack([values[:, self.fold == k].sum(1) for k in range(int(self.fold.max()) + 1)])


def _summed(values: Tensor, group: Tensor, groups: int) -> Tensor:
    """Return the sums of values [n, …] over the rows of each group."""
    return torch.zeros(groups, *values.shape[1:], dtype=values.dtype).index_add(0, group, values)
