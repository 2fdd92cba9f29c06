"""What users' purchases say of their price response, by a conditional logit (Chamberlain 1980).

How often a user bought each product in a part of the periods is taken as it is: what tells the response is in which of
them. So tastes do not pass for sensitivity, nor does a part in which a user happens to buy more and prices are low. A
product that was not bought in a part tells nothing there, and time grows with the purchases.

Who buys milk every week can hardly buy it more often: a purchase of probability p has variance and price response in
proportion to p (1 − p), and the products of a category are substitutes. Independent counts with the same means would
have a larger variance, so that fewer differences between users would be distinguishable from chance.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpu_pricer.network.segments.block_purchases import BlockPurchases, Pairs

ROUNDS = 8  # of proportional fitting (Deming & Stephan 1940), which finds a user's own rates
LEAST = 1e-30  # expected choices, and weight of all that can be chosen
CELLS = 125_000  # pair × period at once, so that a temporary has 1 MB and stays in the cache


@dataclass(frozen=True)
class BlockDemand:
    """Everybody's demand for a block of k products.

    category [k]: of the products, numbers from 0. share, slope [k, W]: choice probabilities, and the derivatives of
    utility in φ, where a sensitivity is 1 + φ times everybody's.
    """

    category: Tensor
    share: Tensor
    slope: Tensor

    def sums(self, bought: BlockPurchases, visits: Tensor, parts: list[Tensor]) -> Tensor:
        """Return score and information, [2, J, G, U], of the G categories in J parts of the periods.

        visits [U, W]: of the users. parts: which periods are inside each of them, [W].
        """
        categories = int(self.category[-1]) + 1
        sums = torch.zeros(2, len(parts), categories * len(visits), dtype=visits.dtype)
        for part, inside in enumerate(parts):
            here = replace(self, share=self.share[:, inside], slope=self.slope[:, inside])
            for pairs in bought.pairs(inside, len(self.category), max(CELLS // int(inside.sum()), 1)):
                place = self.category[pairs.product] * len(visits) + pairs.user
                sums[:, part].index_add_(1, place, here.scores(pairs, visits[pairs.user][:, inside]))
        return sums.view(2, len(parts), categories, len(visits))

    def scores(self, pairs: Pairs, visits: Tensor) -> Tensor:
        """Return score and information [2, n] of pairs, all that their users bought, with their visits [n, W].

        The information of a pair is its part of that of its category, and may be negative. Both are 0 where the product
        was on no shelf when the user came.
        """
        user_category = pairs.user * (int(self.category[-1]) + 1) + self.category[pairs.product]
        found, chooser = torch.unique_consecutive(user_category, return_inverse=True)
        slope, power = self.slope[pairs.product], _power(visits)
        expected = self._own_choices(pairs, visits, chooser, len(found))
        chance = expected / visits.clamp(min=LEAST)
        score = (pairs.steep - _mean(slope, expected) * pairs.count) * (expected > 0).any(1)
        of_rate = expected * (1 - chance).clamp(min=0)  # by how much a change of the product's rate moves the choices
        apart = slope - _mean(slope, of_rate)[:, None]
        moved = expected * apart
        together = _summed(chance * apart, chooser, len(found))[chooser]
        return torch.stack([score, power * (moved * (apart - together)).sum(1)])

    def _own_choices(self, pairs: Pairs, visits: Tensor, chooser: Tensor, choosers: int) -> Tensor:
        """Return the expected choices [n, W] of pairs, whose sums over the periods are the pairs' choices.

        chooser [n]: the number of each pair's user and category.
        """
        share = self.share[pairs.product]
        rest = (1 - _summed(share, chooser, choosers)).clamp(min=0)
        occasions = torch.zeros_like(rest).index_copy(0, chooser, visits)
        others = (occasions.sum(1) - _summed(pairs.count, chooser, choosers)).clamp(min=0)
        share, rest = share ** _power(visits)[:, None], rest ** _power(occasions)[:, None]
        for _ in range(ROUNDS):
            chance = occasions / (rest + _summed(share, chooser, choosers)).clamp(min=LEAST)
            expected = share * chance[chooser]
            share = share * (pairs.count / expected.sum(1).clamp(min=LEAST))[:, None]
            rest = rest * (others / (rest * chance).sum(1).clamp(min=LEAST))[:, None]
        return expected


def _power(visits: Tensor) -> Tensor:
    """Return m / (m - 1), [n], where m are the occasions of the visits [n, W].

    With choice probabilities to this power, the choices that fitted rates let expect are about those to be expected
    given the sums. For two occasions they are exactly: on which of the two a user bought has the odds of their ratio,
    of which fitted rates alone would give the root. The information grows by the power too.
    """
    occasions = visits.sum(1)
    return occasions / (occasions - 1).clamp(min=1)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted means [n] of values [n, W]."""
    return (values * weight).sum(1) / weight.sum(1).clamp(min=LEAST)


def _summed(values: Tensor, group: Tensor, groups: int) -> Tensor:
    """Return the sums of values [n, …] over the rows of each group."""
    return torch.zeros(groups, *values.shape[1:], dtype=values.dtype).index_add(0, group, values)
