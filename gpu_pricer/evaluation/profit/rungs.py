"""Every legal price of every product, as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kernels import PRICE_LIMIT, PricingInputs

MOST_RUNGS = 2_000
"""Rungs of a product that a search goes through. Prices of 60,000 have 120,000 within 10 % on ten endings a unit: they
took 3.3 GB for 48 products, and a search in steps of rungs would hardly move."""


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


def legal_rungs(inputs: PricingInputs) -> Rungs:
    """Return the prices that each product may take: its bounds, and the rungs of its ladder between them.

    Inside a product's gap (see PricingInputs) only the kept price is allowed. Where more than MOST_RUNGS rungs lie
    between the bounds, evenly spaced ones of them are taken: at most so many, and more than half as many.
    """
    low, high = inputs.low.astype(np.int64), inputs.high.astype(np.int64)
    everything = np.arange(len(low))
    found = [(everything, low), (everything, high), *_on_ladders(inputs, low, high)]
    if inputs.gap is not None:
        below, kept, above = inputs.gap.astype(np.int64).T
        has_gap = below < above
        found.append((everything[has_gap], kept[has_gap]))
    keys = np.unique(np.concatenate([products * PRICE_LIMIT + prices for products, prices in found]))
    product, price = np.divmod(keys, PRICE_LIMIT)
    if inputs.gap is not None:
        is_outside = (price <= below[product]) | (price >= above[product])
        is_legal = is_outside | (price == kept[product])
        product, price = product[is_legal], price[is_legal]
    start = np.concatenate([[0], np.cumsum(np.bincount(product, minlength=len(low)))])
    return Rungs(price.astype(np.float64), start, _leaders(inputs))


def _on_ladders(inputs: PricingInputs, low: np.ndarray, high: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each ladder its products, int [n], each as often as it has rungs between low and high, and these.

    The rungs of a ladder are numbered from 0 on; those of a product lie from `first` to before `end`.
    """
    ladders = inputs.ladders
    for row, period in enumerate(ladders.period):
        endings = ladders.endings[ladders.ending_start[row] : ladders.ending_start[row + 1]].astype(np.int64)
        mine = np.flatnonzero(inputs.ladder == row)
        (below, rest), (up_to, rest_high) = (np.divmod(bound[mine], period) for bound in (low, high))
        first = below * len(endings) + np.searchsorted(endings, rest, "left")
        end = up_to * len(endings) + np.searchsorted(endings, rest_high, "right")
        step = np.maximum(-(-(end - first) // MOST_RUNGS), 1)
        count = np.maximum(-(-(end - first) // step), 0)
        owner = np.repeat(np.arange(len(mine)), count)
        turn = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        rung = first[owner] + turn * step[owner]
        yield mine[owner], rung // len(endings) * period + endings[rung % len(endings)]


def _leaders(inputs: PricingInputs) -> np.ndarray:
    """Return the first product of each product's family, or the product itself, int64 [P]."""
    own = np.arange(len(inputs.low))
    if inputs.family is None:
        return own
    _, first, number = np.unique(inputs.family, return_index=True, return_inverse=True)
    return np.where(inputs.family < 0, own, first[number])
