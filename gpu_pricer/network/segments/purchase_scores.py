"""What purchases tell of each user's price response where buying nothing is a choice: scores of Poisson counts.

What everybody would buy in a user's visits is the same for users with the same visits, and what a user's own purchases
add is linear in them: so time grows with the visits that differ and with purchases, not with users × products.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.segments.block_purchases import BlockPurchases
from gpu_pricer.network.segments.choice_scores import PRIOR_PURCHASES

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
        bought = bought.rows(torch.argsort(self.pattern[bought.user], stable=True))
        pattern = self.pattern[bought.user]
        for here in self._blocks(len(number)):
            rates = _Rates.of(self.visits[here], share, slope, bought.fold_of_period)
            everybody[..., here].index_add_(2, number, PRIOR_PURCHASES * rates.beside)
            own = slice(*torch.searchsorted(pattern, torch.tensor([here.start, here.stop])).tolist())
            rates.add_own(sums, bought.rows(own), pattern[own] - here.start, number)
        for own, shared in zip(sums.flatten(0, 2), everybody.flatten(0, 2), strict=True):
            own += shared.index_select(0, self.pattern)
        return sums

    def _blocks(self, products: int) -> Iterator[slice]:
        """Yield slices of the visits that meet a block of products at once."""
        at_once = max(CELLS // products, 1)
        for start in range(0, len(self.visits), at_once):
            yield slice(start, min(start + at_once, len(self.visits)))


@dataclass(frozen=True)
class _Rates:
    """What n users with different visits would do as everybody, for k products in K folds of the periods.

    mean [n, k]: the mean slope of their purchases. beside [2, K, k, n]: the score and the information that one purchase
    adds through the user's own rate of purchases, in which everybody's counts as much as PRIOR_PURCHASES.
    """

    mean: Tensor
    beside: Tensor

    @classmethod
    def of(cls, visits: Tensor, share: Tensor, slope: Tensor, fold: Tensor) -> "_Rates":
        """Return the rates of visits [n, W] with choice probabilities and slopes [k, W]; fold [W]: of the periods."""
        inside = [fold == k for k in range(int(fold.max()) + 1)]
        expected, first, second = (
            torch.stack([(share * slope**power)[:, part] @ visits[:, part].T for part in inside]) for power in range(3)
        )
        total = expected.sum(0)
        mean = first.sum(0) / total.clamp(min=1e-9)  # centred slopes do not tell how much a user buys
        apart = (second - 2 * mean * first + mean**2 * expected).clamp(min=0)
        return cls(mean, torch.stack([mean * expected - first, apart]) / (total + PRIOR_PURCHASES))

    def add_own(self, sums: Tensor, bought: BlockPurchases, pattern: Tensor, number: Tensor) -> None:
        """Add to the sums [2, K, G, U] what m purchases say; pattern [m]: which of the n visits their users have."""
        _, folds, categories, users = sums.shape
        place = number[bought.product] * users + bought.user
        cell = bought.product * self.mean.shape[1] + pattern
        own = self.beside.flatten(2).index_select(2, cell) * bought.count
        sums.view(2, folds, -1).index_add_(2, place, own)
        apart = bought.steep - self.mean.flatten()[cell] * bought.count
        sums[0].view(-1).index_add_(0, bought.fold * (categories * users) + place, apart)
