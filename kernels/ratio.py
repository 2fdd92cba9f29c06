"""A limit on how much a product's price may differ between segments: what one step of the search for levels needs."""

from typing import NamedTuple

import numpy as np

from kernels import levels
from kernels.checks import require
from kernels.demand import Demand
from kernels.inputs import Offer
from kernels.pricing import ONE_AT_A_TIME, utility_lines
from kernels.product_records import columns_of, product_records
from kernels.tile import tile_of


class RatioTile(NamedTuple):
    """A tile whose prices of a product lie between a level and `ratio` (in millionths) times it; see levels."""

    products: np.ndarray
    endings: np.ndarray
    category: np.ndarray
    start: np.ndarray
    free: np.ndarray
    slope: np.ndarray
    ratio: int

    def rungs(self, price: np.ndarray) -> np.ndarray:
        """The rungs in the bounds at or below prices [P]; the lowest where there is none."""
        rung = np.empty(len(self.products), self.free.dtype)
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
        self, level: np.ndarray, price: np.ndarray, worth: np.ndarray, visits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Levels [P] to try next, and what each promises, from prices [P, S] that reach R, worth [G, S], at levels."""
        wanted, proposed, gain = np.empty_like(self.free), level.copy(), np.zeros(len(level))
        scale = visits / self._sums(price)
        rows = (self.products, self.endings, self.category)
        lines = (self.free, self.slope, np.ascontiguousarray(worth))
        with ONE_AT_A_TIME:
            levels.want_all(*rows, *lines, wanted)
            levels.propose_levels(*rows, self.start, *lines, scale, self.ratio, wanted, level, proposed, gain)
        return proposed, gain

    def _sums(self, price: np.ndarray) -> np.ndarray:
        """1 + the sum of e^u of the products on the shelf, float64 [G, S]."""
        odds = np.exp(self.free.astype(np.float64) - self.slope * price.astype(np.float64))
        until = np.concatenate(
            [np.zeros((1, odds.shape[1])), np.cumsum(odds * self.products["on_shelf"][:, None], axis=0)]
        )
        return 1 + until[self.start[1:]] - until[self.start[:-1]]


def ratio_tile(demand: Demand, offer: Offer, ratio: int) -> RatioTile:
    """Return what a search for the levels of an offer needs; ratio in millionths, at least one million."""
    require(ratio >= levels.MILLION, "the ratio must be at least one million", ratio)
    require(offer.is_whole_cents, "levels need ladders", offer.ladders.period)
    tile, sizes = tile_of(demand, offer.shelf, offer), np.diff(offer.shelf.category_start)
    category = np.repeat(np.arange(len(sizes)), sizes)
    records = product_records(columns_of(demand, offer.shelf, offer), tile.category_start, demand.dtype)
    lines = utility_lines(demand, offer.shelf)
    return RatioTile(records, tile.endings, category, tile.category_start, *lines, ratio)
