"""The purchases of a block of products, by which users' price responses are scored."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.response.grid import UserLog


@dataclass(frozen=True)
class Pairs:
    """Pairs of a user and a product [n], in order. count, steep [n]: choices, and sums of count · slope."""

    user: Tensor
    product: Tensor
    count: Tensor
    steep: Tensor


@dataclass(frozen=True)
class BlockPurchases:
    """Choices [n] of the products of a block, sorted by user.

    user, product from 0, period and count of each, and steep: count · slope.
    """

    user: Tensor
    product: Tensor
    period: Tensor
    count: Tensor
    steep: Tensor

    @classmethod
    def of(cls, log: UserLog, rows: Tensor, products: slice, slope: Tensor) -> "BlockPurchases":
        """Return those rows [n] of the log, all of them of the products; slope [P, W]."""
        rows = rows[torch.argsort(log.user[rows], stable=True)]
        user, product, period = (values[rows].long() for values in (log.user, log.product, log.column))
        count = log.count[rows].double()
        return cls(user, product - products.start, period, count, count * slope[product, period])

    def pairs(self, inside: Tensor, products: int, most: int) -> Iterator[Pairs]:
        """Yield the pairs that were bought in the periods that are inside [W], all of a user together.

        products: how many the block has. most: choices at a time, about.
        """
        bought = self._rows(inside[self.period])
        first, last = 0, len(bought.user)
        while first < last:
            after = bought.user[min(first + most, last) - 1]  # the user with whom these choices end
            end = int(torch.searchsorted(bought.user, after, right=True))
            yield bought._rows(slice(first, end))._paired(products)
            first = end

    def _rows(self, rows: Tensor | slice) -> "BlockPurchases":
        """Return some of the choices."""
        parts = (self.user, self.product, self.period, self.count, self.steep)
        return BlockPurchases(*(values[rows] for values in parts))

    def _paired(self, products: int) -> Pairs:
        """Return the choices as pairs."""
        pair, place = torch.unique(self.user * products + self.product, return_inverse=True)
        zeros = torch.zeros(len(pair), dtype=self.count.dtype)
        count, steep = (zeros.index_add(0, place, values) for values in (self.count, self.steep))
        return Pairs(pair // products, pair % products, count, steep)
