"""The purchases of a block of products, by which users' price responses are scored."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from gpu_pricer.network.response.grid import UserLog


@dataclass(frozen=True)
class Pairs:
    """Pairs of a user and a product [n], in order. count, steep [K, n]: choices, and sums of count · slope, by fold."""

    user: Tensor
    product: Tensor
    count: Tensor
    steep: Tensor


@dataclass(frozen=True)
class BlockPurchases:
    """Choices [n] of the products of a block: fold, user, product from 0, count, and steep: count · slope.

    fold_of_period [W]: one of the folds of the periods.
    """

    fold_of_period: Tensor
    fold: Tensor
    user: Tensor
    product: Tensor
    count: Tensor
    steep: Tensor

    @classmethod
    def of(cls, log: UserLog, rows: Tensor, products: slice, slope: Tensor, fold: Tensor) -> "BlockPurchases":
        """Return those rows [n] of the log, all of them of the products; slope [P, W], fold [W]: of the periods."""
        user, product, column = (values[rows].long() for values in (log.user, log.product, log.column))
        count = log.count[rows].double()
        return cls(fold, fold[column], user, product - products.start, count, count * slope[product, column])

    @property
    def folds(self) -> int:
        """Return K."""
        return int(self.fold_of_period.max()) + 1

    def rows(self, rows: Tensor | slice) -> "BlockPurchases":
        """Return some of the choices."""
        parts = (values[rows] for values in (self.fold, self.user, self.product, self.count, self.steep))
        return BlockPurchases(self.fold_of_period, *parts)

    def all_pairs(self, users: range, products: int) -> Pairs:
        """Return the pairs of these users with all products, bought or not; the choices are sorted by user."""
        first, last = torch.searchsorted(self.user, torch.tensor([users.start, users.stop])).tolist()
        pair = torch.arange(users.start * products, users.stop * products)
        inside = self.rows(slice(first, last))
        return inside._pairs(pair, inside.user * products + inside.product - int(pair[0]), products)

    def bought_pairs(self, products: int, most: int) -> Iterator[Pairs]:
        """Yield the pairs that were bought, those of about `most` choices at a time, and all of a user together.

        The choices of every user must stand together.
        """
        starts = torch.cat([torch.tensor([0]), (self.user[1:] != self.user[:-1]).nonzero().squeeze(1) + 1])
        whole = torch.searchsorted(starts, torch.arange(0, len(self.user), most))
        edges = [*torch.unique(starts[whole.clamp(max=len(starts) - 1)]).tolist(), len(self.user)]
        for first, last in pairwise(edges):
            inside = self.rows(slice(first, last))
            pair, place = torch.unique(inside.user * products + inside.product, return_inverse=True)
            yield inside._pairs(pair, place, products)

    def _pairs(self, pair: Tensor, place: Tensor, products: int) -> Pairs:
        """Return the choices as pairs [n], numbered user × products + product; place: the pair of each choice."""
        zeros = torch.zeros(self.folds, len(pair), dtype=self.count.dtype)
        cell = self.fold, place
        count, steep = (zeros.index_put(cell, values, accumulate=True) for values in (self.count, self.steep))
        return Pairs(pair // products, pair % products, count, steep)
