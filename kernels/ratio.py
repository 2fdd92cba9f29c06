"""A limit on how much a product's price may differ between segments: what one step of the search for levels needs."""

from typing import NamedTuple

import numpy as np

from kernels import levels
from kernels.checks import require
from kernels.demand import Demand
from kernels.inputs import PricingInputs
from kernels.pricing import ONE_AT_A_TIME, utility_lines
from kernels.product_records import product_columns, product_records
from kernels.tile import tile_of


class RatioTile(NamedTuple):
    """A tile whose prices of a product lie between a level and `ratio` (in millionths) times it; see levels."""

    products: np.ndarray
    endings: np.ndarray
    category: np.ndarray
    start: np.ndarray
    utility_at_zero: np.ndarray
    slope: np.ndarray
    ratio: int

    def rungs(self, price: np.ndarray) -> np.ndarray:
        """The rungs in the bounds at or below prices [P]; the lowest where there is none."""
        rung = np.empty(len(self.products), self.utility_at_zero.dtype)
        with ONE_AT_A_TIME:
            levels.fill_rungs(self.products, self.endings, price.astype(rung.dtype), rung)
        return rung

    def tops(self, level: np.ndarray) -> np.ndarray:
        """The highest prices [P] that go with levels [P]."""
        top = np.empty_like(level)
        with ONE_AT_A_TIME:
            levels.fill_tops(self.products, self.endings, level, self.ratio, top)
        return top

    def propose(
        self, level: np.ndarray, price: np.ndarray, category_value: np.ndarray, visits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Levels [P] to try next, and what each promises, from prices [P, S] that reach R, worth [G, S], at levels."""
        unconstrained_price, proposed, gain = np.empty_like(self.utility_at_zero), level.copy(), np.zeros(len(level))
        scale = visits / self._sums(price)
        rows = (self.products, self.endings, self.category)
        lines = (self.utility_at_zero, self.slope, np.ascontiguousarray(category_value))
        with ONE_AT_A_TIME:
            levels.set_unconstrained_prices(*rows, *lines, unconstrained_price)
            levels.propose_levels(
                *rows, self.start, *lines, scale, self.ratio, unconstrained_price, level, proposed, gain
            )
        return proposed, gain

    def _sums(self, price: np.ndarray) -> np.ndarray:
        """1 + the sum of e^u of the products on the shelf, float64 [G, S]."""
        odds = np.exp(self.utility_at_zero.astype(np.float64) - self.slope * price.astype(np.float64))
        until = np.concatenate(
            [np.zeros((1, odds.shape[1])), np.cumsum(odds * self.products["on_shelf"][:, None], axis=0)]
        )
        return 1 + until[self.start[1:]] - until[self.start[:-1]]


def ratio_tile(demand: Demand, inputs: PricingInputs, ratio: int) -> RatioTile:
    """Return what a search for the levels of an offer needs; ratio in millionths, at least one million."""
    require(ratio >= levels.MILLION, "the ratio must be at least one million", ratio)
    require(inputs.is_whole_cents, "levels need ladders", inputs.ladders.period)
    tile, sizes = tile_of(demand, inputs.shelf, inputs), np.diff(inputs.shelf.category_start)
    category = np.repeat(np.arange(len(sizes)), sizes)
    records = product_records(product_columns(demand, inputs.shelf, inputs), tile.category_start, demand.dtype)
    lines = utility_lines(demand, inputs.shelf)
    return RatioTile(records, tile.endings, category, tile.category_start, *lines, ratio)
