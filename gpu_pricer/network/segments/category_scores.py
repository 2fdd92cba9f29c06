"""Score and information of every user's price response, category by category, from everybody's choices and slopes.

The log is sorted by product once, and a block of categories meets all users, so that memory does not grow with users ×
products.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from gpu_pricer.network.response.grid import Grid, UserLog
from gpu_pricer.network.segments.block_purchases import BlockPurchases
from gpu_pricer.network.segments.choice_scores import choice_sums
from gpu_pricer.network.segments.purchase_scores import Visitors


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
    visitors = Visitors.of(log.visits) if grid.has_outside_option else None
    for products, categories in grid.blocks():
        own = order[end[products.start - 1] if products.start else 0 : end[products.stop - 1]]
        bought = BlockPurchases.of(log, own, products, slope, fold)
        number = grid.category[products] - categories.start
        given = bought, number, share[products], slope[products]
        sums = choice_sums(log.visits, *given) if visitors is None else visitors.sums(*given)
        for category, (score, information) in enumerate(sums.unbind(2), categories.start):
            yield CategoryScore(category, score, information)
