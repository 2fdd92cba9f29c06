"""Whose cut a period without a price is given: one of its product's, or of any product's.

See unseen_cuts.py for the model.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gpu_pricer.network.response.seen_cuts import SMALLEST, SeenCuts, log_poisson

LEVEL_STEP = 0.5  # in logs of a rate, between products that share draws
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
        moved = np.rint(moves / LEVEL_STEP)
        step = np.rint((self.cuts.level[product] + moves).clip(LOWEST_LEVEL) / LEVEL_STEP)
        found = np.empty(place.shape, np.int64)

        def fill(
            rows: np.ndarray, some: np.ndarray, groups: _Groups, group: np.ndarray, log_weight: np.ndarray
        ) -> None:
            draws, places = np.nonzero(some[:, rows])
            chosen = rows[places]
            found[draws, chosen] = groups.at(quantile[draws, chosen], group[chosen], log_weight)

        for n in np.unique(count):
            rows = np.flatnonzero(count == n)
            for move in np.unique(moved[rows]):
                chance = np.exp(log_poisson(n, self.cuts.usual_log_rate + move * LEVEL_STEP))
                own = self.cuts.unbiased(np.maximum(chance, SMALLEST) / self.cuts.chance_shown)
                fill(rows[moved[rows] == move], is_own, self._by_product, product, np.log(own))
            for level in np.unique(step[rows]):
                alike = rows[step[rows] == level]
                log_rate = level * LEVEL_STEP + self.cuts.slopes[product[alike]].mean() * self.cuts.cut
                log_weight = self._log_worth + log_poisson(n, log_rate)
                fill(alike, ~is_own, self._together, np.zeros_like(product), log_weight)
        return found

    @cached_property
    def _log_worth(self) -> np.ndarray:
        """The log of what each cut stands for among those of all products, [R].

        A product's periods count as many times as they are expected to show a price if it is the regular one, since the
        cuts of products that hardly ever show theirs would otherwise stand for most periods.
        """
        return np.log(self.cuts.chance_regular_shown[self.cuts.product] / self.cuts.chance_shown)

    @cached_property
    def _by_product(self) -> "_Groups":
        return _Groups.of(self.cuts.product, self.cuts.cut, len(self.cuts.level))

    @cached_property
    def _together(self) -> "_Groups":
        return _Groups.of(np.zeros_like(self.cuts.product), self.cuts.cut, 1)


@dataclass(frozen=True)
class _Groups:
    """R cuts in G groups, each from the deepest up.

    order [R]: the cuts, group by group. group [R]: of each in this order. start [G + 1]: where each group begins, and
    the last one ends.
    """

    order: np.ndarray
    group: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, group: np.ndarray, cut: np.ndarray, groups: int) -> "_Groups":
        order = np.lexsort((cut, group))
        return cls(order, group[order], np.searchsorted(group[order], np.arange(groups + 1)))

    def at(self, quantile: np.ndarray, group: np.ndarray, log_weight: np.ndarray) -> np.ndarray:
        """Return which cuts are at the quantiles [N] of the groups [N], by weights [R]."""
        ordered, largest = log_weight[self.order], np.full(len(self.start) - 1, -np.inf)
        np.maximum.at(largest, self.group, ordered)
        total = np.concatenate([[0.0], np.cumsum(np.exp(ordered - largest[self.group]))])
        first, end = self.start[group], self.start[group + 1]
        place = np.searchsorted(total, total[first] + (total[end] - total[first]) * quantile, side="right") - 1
        return self.order[np.clip(place, first, end - 1)]
