"""Every legal price of every product, written out."""

from dataclasses import dataclass

import numpy as np

from kernels import PricingInputs


@dataclass(frozen=True)
class Rungs:
    """Prices in cents: product p has price[start[p]:start[p + 1]], ascending, at least one; start [P + 1]."""

    price: np.ndarray
    start: np.ndarray

    def nearest(self, price: np.ndarray) -> np.ndarray:
        """Position [P], among each product's rungs, of the one nearest to price [P]; the lower of two."""
        product = np.repeat(np.arange(len(price)), np.diff(self.start))
        distance = np.abs(self.price - price[product])
        least = np.minimum.reduceat(distance, self.start[:-1])
        position = np.arange(len(self.price)) - self.start[product]
        found = np.where(distance <= least[product], position, len(self.price))
        return np.minimum.reduceat(found, self.start[:-1])

    def at(self, position: np.ndarray) -> np.ndarray:
        """Price [P] at a position [P], which is clipped to the ladder's ends."""
        return self.price[self.start[:-1] + np.clip(position, 0, np.diff(self.start) - 1)]


def legal_rungs(inputs: PricingInputs) -> Rungs:
    """The rungs of each product's ladder inside its bounds; a fixed price (low = high) is its own rung."""
    low, high = inputs.low.astype(np.int64), inputs.high.astype(np.int64)
    count = high - low + 1
    product = np.repeat(np.arange(len(low)), count)
    price = np.arange(len(product)) - np.repeat(np.cumsum(count) - count, count) + low[product]
    is_legal = (low == high)[product]
    for row, period in enumerate(inputs.ladders.period):
        endings = inputs.ladders.endings[inputs.ladders.ending_start[row] : inputs.ladders.ending_start[row + 1]]
        is_legal |= (inputs.ladder == row)[product] & np.isin(price % period, endings)
    start = np.concatenate([[0], np.cumsum(np.bincount(product[is_legal], minlength=len(low)))])
    return Rungs(price[is_legal].astype(np.float64), start)
