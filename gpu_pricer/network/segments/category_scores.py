"""Score and information of every user's price response, category by category, from everybody's choices and slopes.

The log is sorted by product once, and each block of categories meets the users some at a time, so that neither time
nor memory grows with users × products.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gpu_pricer.network.response.grid import Grid, UserLog
from gpu_pricer.network.segments.choice_scores import CELLS, PRIOR_PURCHASES, ChoiceBlock

USER_CELLS = 125_000  # user × product in a block, so that a temporary of four folds has 4 MB and stays in the cache


class CategoryScore(NamedTuple):
    """A category's number, and its score and information [K, U] in K folds of the periods."""

    category: int
    score: Tensor
    information: Tensor


def category_scores(grid: Grid, log: UserLog, share: Tensor, slope: Tensor, fold: Tensor) -> Iterator[CategoryScore]:
    """Yield the scores of the categories in the order of their numbers.

    share, slope [P, W]: everybody's choice probabilities and slopes. fold [W]: of every period.
    """
    order = torch.argsort(log.product, stable=True)
    end = torch.bincount(log.product, minlength=len(grid.row)).cumsum(0).tolist()
    for products, categories in grid.blocks():
        own = order[end[products.start - 1] if products.start else 0 : end[products.stop - 1]]
        bought = _Purchases.of(log, own, products, slope, fold)
        number = grid.category[products] - categories.start
        sums = torch.zeros(2, int(fold.max()) + 1, len(log.visits), int(number[-1]) + 1, dtype=share.dtype)
        for users in _blocks(len(log.visits), len(number), grid):
            given = log.visits[users], share[products], slope[products], fold
            block = _Block(*given) if grid.has_outside_option else ChoiceBlock(*given, number)
            for total, found in zip(sums, block.sums(*bought.by_cell(users)), strict=True):
                total[:, users].index_add_(2, number, found)
        for category, (score, information) in enumerate(sums.unbind(3), categories.start):
            yield CategoryScore(category, score, information)


def _blocks(users: int, products: int, grid: Grid) -> Iterator[slice]:
    """Yield slices of the users that meet a block of products at once."""
    at_once = USER_CELLS // products if grid.has_outside_option else CELLS // (products * grid.periods)
    for start in range(0, users, max(at_once, 1)):
        yield slice(start, min(start + max(at_once, 1), users))


@dataclass(frozen=True)
class _Block:
    """Visits of n users [n, W], choice probabilities and slopes of k products [k, W], and the periods' folds [W]."""

    visits: Tensor
    share: Tensor
    slope: Tensor
    fold: Tensor

    def sums(self, count: Tensor, steep: Tensor) -> tuple[Tensor, Tensor]:
        """Return score and information [K, n, k]; count, steep [K, n, k]: choices, and sums of their slopes."""
        expected, first, second = (self._expected(self.share * self.slope**power) for power in range(3))
        total = expected.sum(0)
        mean = first.sum(0) / total.clamp(min=1e-9)  # centred slopes do not tell how much a user buys
        rate = (count.sum(0) + PRIOR_PURCHASES) / (total + PRIOR_PURCHASES)
        score = steep - mean * count - rate * (first - mean * expected)
        return score, (rate * (second - 2 * mean * first + mean**2 * expected)).clamp(min=0)

    def _expected(self, value: Tensor) -> Tensor:
        """Return the sums over the visits of each fold [K, n, k] of values [k, W]."""
        inside = [self.fold == k for k in range(int(self.fold.max()) + 1)]
        return torch.stack([self.visits[:, is_inside] @ value[:, is_inside].T for is_inside in inside])


@dataclass(frozen=True)
class _Purchases:
    """The choices [n] of a block of k products in K folds, sorted by user: fold, user, product from 0, count, and
    count · slope.
    """

    shape: tuple[int, int]
    fold: Tensor
    user: Tensor
    product: Tensor
    count: Tensor
    steep: Tensor

    @classmethod
    def of(cls, log: UserLog, rows: Tensor, products: slice, slope: Tensor, fold: Tensor) -> "_Purchases":
        """Return those rows [n] of the log, all of them of the products; slope, fold: as in category_scores."""
        rows = rows[torch.argsort(log.user[rows], stable=True)]
        user, product, period, count = (values[rows] for values in (log.user, log.product, log.period, log.count))
        shape = int(fold.max()) + 1, products.stop - products.start
        return cls(shape, fold[period], user, product - products.start, count, count * slope[product, period])

    def by_cell(self, users: slice) -> tuple[Tensor, Tensor]:
        """Return the users' choices and the sums of their slopes, [K, n, k] each."""
        inside = slice(*torch.searchsorted(self.user, torch.tensor([users.start, users.stop])).tolist())
        place = self.fold[inside], self.user[inside] - users.start, self.product[inside]
        zeros = torch.zeros(self.shape[0], users.stop - users.start, self.shape[1], dtype=self.count.dtype)
        count, steep = (zeros.index_put(place, values[inside], accumulate=True) for values in (self.count, self.steep))
        return count, steep
