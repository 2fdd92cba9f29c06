"""Score and information of every user's price response, category by category, from everybody's choices and slopes.

A block of categories meets all users, so that memory does not grow with users × products. Where the log holds which
categories a user saw, a block is one category, because users' occasions differ by category. The log is sorted by
product one part of the products at a time, because the order of all choices would take half as much memory as the log.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from gpu_pricer.network.response.grid.grid import AT_ONCE, Grid, UserLog
from gpu_pricer.network.segments.purchase_scores import BlockDemand

PRODUCTS = 16  # in a block, whose sums take 144 bytes for each of its categories and users
PARTS = 16  # in which the log is sorted


class CategoryScore(NamedTuple):
    """A category's number, and its score and information [J, U] in J parts of the periods."""

    category: int
    score: Tensor
    information: Tensor


def category_scores(
    grid: Grid, log: UserLog, share: Tensor, slope: Tensor, parts: list[Tensor]
) -> Iterator[CategoryScore]:
    """Yield the scores of the categories in the order of their numbers.

    share, slope [P, W]: everybody's choice probabilities and slopes. parts: which periods are inside each of them, [W].
    """
    inside = torch.stack(parts)
    for products, categories, rows in _blocks(grid, log):
        demand = BlockDemand(grid.category[products] - categories.start, share[products], slope[products])
        sums = demand.sums(log, rows, products.start, log.visits_of(categories.start), inside)
        for category, (score, information) in enumerate(sums.unbind(2), categories.start):
            yield CategoryScore(category, score, information)


def _blocks(grid: Grid, log: UserLog) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield the products and the categories of each block, and the rows [n] of the log that are of these products."""
    before = [0, *torch.bincount(log.product, minlength=len(grid.row)).cumsum(0).tolist()]
    size = -(-len(log.product) // PARTS) or 1
    most = PRODUCTS if log.seen is None else 1
    for _, blocks in groupby(grid.blocks(most), lambda block: before[block[0].start] // size):
        part = list(blocks)
        first, last = part[0][0].start, part[-1][0].stop
        order = _by_product(log, first, last)
        for products, categories in part:
            own = slice(before[products.start] - before[first], before[products.stop] - before[first])
            yield products, categories, order[own]


def _by_product(log: UserLog, first: int, last: int) -> Tensor:
    """Return the rows [n] of the log that are of the products from `first` to before `last`, sorted by product."""
    stretches = enumerate(log.product.split(AT_ONCE))
    found = [((of >= first) & (of < last)).nonzero().squeeze(1) + k * AT_ONCE for k, of in stretches]
    rows = torch.cat(found)
    return rows[torch.argsort(log.product[rows], stable=True)]
