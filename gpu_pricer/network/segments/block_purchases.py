"""The purchases of a block of products, by which users' price responses are scored."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpu_pricer.network.response.grid import UserLog


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
        user, product, period = (values[rows].long() for values in (log.user, log.product, log.period))
        count = log.count[rows].double()
        return cls(fold, fold[period], user, product - products.start, count, count * slope[product, period])

    @property
    def folds(self) -> int:
        """Return K."""
        return int(self.fold_of_period.max()) + 1

    def rows(self, rows: Tensor | slice) -> "BlockPurchases":
        """Return some of the choices."""
        parts = (values[rows] for values in (self.fold, self.user, self.product, self.count, self.steep))
        return BlockPurchases(self.fold_of_period, *parts)

    def by_cell(self, users: slice, products: int) -> tuple[Tensor, Tensor]:
        """Return the choices of users and the sums of their slopes, [K, users, products] each.

        The choices must be sorted by user.
        """
        inside = slice(*torch.searchsorted(self.user, torch.tensor([users.start, users.stop])).tolist())
        place = self.fold[inside], self.user[inside] - users.start, self.product[inside]
        zeros = torch.zeros(self.folds, users.stop - users.start, products, dtype=self.count.dtype)
        count, steep = (zeros.index_put(place, values[inside], accumulate=True) for values in (self.count, self.steep))
        return count, steep
