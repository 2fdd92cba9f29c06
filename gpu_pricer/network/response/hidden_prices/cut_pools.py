"""From which cuts a period without a price draws its own: those of its product, or those of all products.

See unseen_cuts.py for the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from gpu_pricer.network.response.hidden_prices.seen_cuts import SMALLEST, SeenCuts, log_poisson

LEVEL_STEP = 0.5  # in logs of a rate, between products that share draws
SLOPE_STEP = 0.25  # of log purchases on the cut, between products that share draws
CUT_STEP = 0.005  # in logs of a price, between cuts of all products that count as equally deep
LOWEST_LEVEL = -7.0  # log of a rate


@dataclass(frozen=True)
class CutPools:
    """The cuts of P products, by product and all together.

    own_share [P]: how often each product draws from its own cuts.
    """

    cuts: SeenCuts
    own_share: np.ndarray

    def draw(self, product: np.ndarray, bought: np.ndarray, moves: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return which of the cuts each of N periods gets that shows none, in D draws, [D, N].

        product, bought [N]: whose the period is, and its purchases. moves [N]: by how much other causes raise the log
        of its expected purchases. place [D, N]: uniform random numbers. Numbers below own_share choose among the
        product's own cuts, the others among all products'. The nearer a number is to own_share, the shallower is its
        cut, so that a share that moves from one night to the next changes few draws.
        """
        share, count = self.own_share[product], self.cuts.counted(bought)
        is_own = place < share
        quantile = np.where(is_own, place / np.maximum(share, SMALLEST), (1 - place) / np.maximum(1 - share, SMALLEST))
        found = np.empty(place.shape, np.int64)
        for (n, move), alike in _alike(count, moves / LEVEL_STEP):
            draw, period = _chosen(is_own, alike)
            chance = np.exp(log_poisson(n, self.cuts.usual_log_rate + move * LEVEL_STEP))
            weight = self.cuts.unbiased(np.maximum(chance, SMALLEST) / self.cuts.chance_shown)
            found[draw, period] = self._by_product.at(quantile[draw, period], product[period], weight)
        level = (self.cuts.level[product] + moves).clip(LOWEST_LEVEL) / LEVEL_STEP
        for (n, usual, slope), alike in _alike(count, level, self.cuts.slopes[product] / SLOPE_STEP):
            draw, period = _chosen(~is_own, alike)
            log_chance = log_poisson(n, usual * LEVEL_STEP + slope * SLOPE_STEP * self._together.depth)
            found[draw, period] = self._together.at(quantile[draw, period], log_chance)
        return found

    @cached_property
    def _by_product(self) -> "_OfProducts":
        return _OfProducts.of(self.cuts.product, self.cuts.cut, len(self.cuts.level))

    @cached_property
    def _together(self) -> "_Together":
        """The cuts of all products.

        A product's periods count as many times as they are expected to show a price if it is the regular one, since the
        cuts of products that hardly ever show theirs would otherwise stand for most periods.
        """
        cuts = self.cuts
        return _Together.of(cuts.cut, cuts.chance_regular_shown[cuts.product] / cuts.chance_shown)


def _alike(*numbers: np.ndarray) -> Iterator[tuple[tuple[float, ...], np.ndarray]]:
    """Yield the combinations of numbers [N], rounded to whole ones, and which of N periods have each."""
    frame = pl.DataFrame({str(place): np.rint(each) for place, each in enumerate(numbers)})
    groups = frame.with_row_index("period").group_by(frame.columns, maintain_order=True).agg("period")
    for row, period in zip(groups.drop("period").iter_rows(), groups["period"], strict=True):
        yield row, period.to_numpy()


def _chosen(some: np.ndarray, periods: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the draws and the periods where `some` [D, N, bool] holds, of these periods."""
    draw, place = np.nonzero(some[:, periods])
    return draw, periods[place]


@dataclass(frozen=True)
class _OfProducts:
    """R cuts of P products, each product's from the deepest up.

    order [R]: the cuts, product by product. product [R]: of each in this order. start [P + 1]: where each product
    begins, and the last one ends.
    """

    order: np.ndarray
    product: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, product: np.ndarray, cut: np.ndarray, products: int) -> "_OfProducts":
        order = np.lexsort((cut, product))
        return cls(order, product[order], np.searchsorted(product[order], np.arange(products + 1)))

    def at(self, quantile: np.ndarray, product: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return which cuts are at the quantiles [N] of the products [N], by weights [R] above 0."""
        ordered, largest = weight[self.order], np.full(len(self.start) - 1, SMALLEST)
        np.maximum.at(largest, self.product, ordered)
        total = np.concatenate([[0.0], np.cumsum(ordered / largest[self.product])])
        first, end = self.start[product], self.start[product + 1]
        place = np.searchsorted(total, total[first] + (total[end] - total[first]) * quantile, side="right") - 1
        return self.order[np.clip(place, first, end - 1)]


@dataclass(frozen=True)
class _Together:
    """R cuts from the deepest up, in B classes of nearly equal depth.

    order [R]: the cuts. worth [R + 1]: what the cuts before each of these and before the end are worth. start [B + 1]:
    where each class begins, and the last one ends. depth [B]: the cut of each class.
    """

    order: np.ndarray
    worth: np.ndarray
    start: np.ndarray
    depth: np.ndarray

    @classmethod
    def of(cls, cut: np.ndarray, worth: np.ndarray) -> "_Together":
        order = np.argsort(cut, kind="stable")
        depth, start = np.unique(np.rint(cut[order] / CUT_STEP), return_index=True)
        total = np.concatenate([[0.0], np.cumsum(worth[order])])
        return cls(order, total, np.append(start, len(cut)), depth * CUT_STEP)

    def at(self, quantile: np.ndarray, log_chance: np.ndarray) -> np.ndarray:
        """Return which cuts are at the quantiles [N], where those of a class count exp(log_chance) [B] times."""
        worth = np.diff(self.worth[self.start])
        weight = worth * np.exp(log_chance - log_chance.max())
        total = np.concatenate([[0.0], np.cumsum(weight)])
        aim = quantile * total[-1]
        found = (np.searchsorted(total, aim, side="right") - 1).clip(0, len(weight) - 1)
        within = ((aim - total[found]) / np.maximum(weight[found], SMALLEST)).clip(0.0, 1.0)
        place = np.searchsorted(self.worth, self.worth[self.start[found]] + within * worth[found], side="right") - 1
        return self.order[place.clip(self.start[found], self.start[found + 1] - 1)]
