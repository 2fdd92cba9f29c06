"""Every legal price of every product, as arrays."""

from dataclasses import dataclass

import numpy as np

from kernels import PricingInputs


@dataclass(frozen=True)
class Rungs:
    """The legal prices of P products in cents, and the products that share one price.

    price float64 [R]: product p may take price[start[p]:start[p + 1]], at least one price, in ascending order.
    start int64 [P + 1]: where each product's prices begin, and R.
    leader int64 [P]: the first product of the same price family, or the product itself.
    """

    price: np.ndarray
    start: np.ndarray
    leader: np.ndarray

    def nearest(self, price: np.ndarray) -> np.ndarray:
        """Return the position [P], among each product's rungs, of the rung nearest to price [P]; the lower in a tie."""
        product = np.repeat(np.arange(len(price)), np.diff(self.start))
        distance = np.abs(self.price - price[product])
        least = np.minimum.reduceat(distance, self.start[:-1])
        position = np.arange(len(self.price)) - self.start[product]
        found = np.where(distance <= least[product], position, len(self.price))
        return np.minimum.reduceat(found, self.start[:-1])

    def at(self, position: np.ndarray) -> np.ndarray:
        """Return the prices [P] at the positions [P], which are clipped to the ends of each product's rungs."""
        return self.price[self.start[:-1] + np.clip(position, 0, np.diff(self.start) - 1)]

    def with_common_prices(self, price: np.ndarray) -> np.ndarray:
        """Return the prices [P], each family at the rung nearest to the mean of its prices."""
        size = np.bincount(self.leader, minlength=len(price))
        mean = np.bincount(self.leader, price, minlength=len(price))[self.leader] / size[self.leader]
        return np.where(size[self.leader] > 1, self.at(self.nearest(mean)), price)

    def of(self, products: np.ndarray) -> "Rungs":
        """Return the legal prices of some products, given by positions, int [n].

        The leader of each of them is one of them.
        """
        size = np.diff(self.start)[products]
        start = np.concatenate([[0], np.cumsum(size)])
        row = np.arange(start[-1]) + np.repeat(self.start[products] - start[:-1], size)
        number = np.full(len(self.leader), -1)
        number[products] = np.arange(len(products))
        return Rungs(self.price[row], start, number[self.leader[products]])

    def turns(self, category_start: np.ndarray) -> np.ndarray:
        """Return int64 [P]: the number inside its category of each product's family, or of the product without one.

        category_start [G + 1]: the first product of each category, and P.
        """
        is_leader = self.leader == np.arange(len(self.leader))
        count = np.cumsum(is_leader)
        first = np.repeat(category_start[:-1], np.diff(category_start))
        return count[self.leader] - count[first]


def legal_rungs(inputs: PricingInputs) -> Rungs:
    """Return the prices that each product may take: its bounds, and the rungs of its ladder between them.

    Inside a product's gap (see PricingInputs) only the kept price is allowed.
    """
    low, high = inputs.low.astype(np.int64), inputs.high.astype(np.int64)
    count = high - low + 1
    product = np.repeat(np.arange(len(low)), count)
    price = np.arange(len(product)) - np.repeat(np.cumsum(count) - count, count) + low[product]
    is_legal = (price == low[product]) | (price == high[product])
    for row, period in enumerate(inputs.ladders.period):
        endings = inputs.ladders.endings[inputs.ladders.ending_start[row] : inputs.ladders.ending_start[row + 1]]
        is_legal |= (inputs.ladder == row)[product] & np.isin(price % period, endings)
    if inputs.gap is not None:
        below, kept, above = inputs.gap.T
        is_legal &= (price <= below[product]) | (price >= above[product])
        is_legal |= (price == kept[product]) & (below < above)[product]
    start = np.concatenate([[0], np.cumsum(np.bincount(product[is_legal], minlength=len(low)))])
    return Rungs(price[is_legal].astype(np.float64), start, _leaders(inputs))


def _leaders(inputs: PricingInputs) -> np.ndarray:
    """Return the first product of each product's family, or the product itself, int64 [P]."""
    own = np.arange(len(inputs.low))
    if inputs.family is None:
        return own
    _, first, number = np.unique(inputs.family, return_index=True, return_inverse=True)
    return np.where(inputs.family < 0, own, first[number])
