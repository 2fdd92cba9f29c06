"""The cuts that a log shows, and how often they happen.

See unseen_cuts.py for the model.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import gammaln

MOST = 20  # purchases from which on every period is taken to show its price
LEAST_SHOWN = 1e-6  # probability that a period shows its price
SMALLEST = 1e-300


@dataclass(frozen=True)
class SeenCuts:
    """The cuts of P products in the R periods that show them, sorted by product.

    product [R]: 0 to P − 1. cut [R]: log price less log regular price, at most 0. causes [R, k]: what else moves
    purchases. level, slopes [P], effects [k]: α, ε and δ of log λ. unseen [P]: number of a product's periods that do
    not show their price. unseen_move [P]: the mean of exp(δ · causes) over these, 1 without any.
    hidden [K]: 1 − v(n), the share of the periods with n purchases that do not show their price; 0 from K on.
    """

    product: np.ndarray
    cut: np.ndarray
    causes: np.ndarray
    level: np.ndarray
    slopes: np.ndarray
    effects: np.ndarray
    unseen: np.ndarray
    unseen_move: np.ndarray
    hidden: np.ndarray

    @cached_property
    def usual_log_rate(self) -> np.ndarray:
        """The log of the expected purchases of a period in which nothing but the cut moves them, [R]."""
        return self.level[self.product] + self._raised

    @cached_property
    def _raised(self) -> np.ndarray:
        """What the cuts add to the log of expected purchases, [R]."""
        return self.slopes[self.product] * self.cut

    @cached_property
    def _moves(self) -> np.ndarray:
        """What the causes add to the log of expected purchases, [R]."""
        return self.causes @ self.effects

    @cached_property
    def log_rate(self) -> np.ndarray:
        """The log of the expected purchases, [R]."""
        return self.usual_log_rate + self._moves

    @cached_property
    def chance_shown(self) -> np.ndarray:
        """The probability that a period with such expected purchases shows its price, [R]."""
        return self._shown(self.log_rate)

    def unbiased(self, weight: np.ndarray) -> np.ndarray:
        """Return weights [R] for a mean over each product's cuts, from those that are proportional to periods.

        A ratio of two sums is biased where these have few terms: rare cuts that stand for many periods count for too
        little. The second factor takes away the first order of that bias (Beale 1962).
        """
        return weight * (1 + weight / np.maximum(self.sums(weight), SMALLEST)[self.product])

    @cached_property
    def weight(self) -> np.ndarray:
        """What each cut counts for in the mean of its product's cuts, [R]."""
        return self.unbiased(1 / self.chance_shown)

    @cached_property
    def chance_regular_shown(self) -> np.ndarray:
        """The probability that a period of each product shows its price if that is the regular one, [P]."""
        return self._shown(self.level)

    @cached_property
    def expected_size(self) -> np.ndarray:
        """How many equally weighted cuts those of each product are expected to be worth, [P]; 0 without cuts.

        That is the number of its periods that would show a regular price, too few for a product whose cuts last. If the
        cuts that do show were counted, a product that happens to show many would count for more than it should, and too
        many cuts would be drawn.
        """
        shown = np.bincount(self.product, None, len(self.level))
        return np.where(shown > 0, self.periods * self.chance_regular_shown, 0.0)

    def counted(self, bought: np.ndarray) -> np.ndarray:
        """Return the purchases [N] of periods without a price, no more than there are numbers of them in `hidden`."""
        return np.minimum(np.rint(bought), len(self.hidden) - 1)

    @cached_property
    def stand_for(self) -> np.ndarray:
        """How many unseen periods the cuts of each product stand for, [P], which may be more or fewer than it has."""
        return self.sums((1 - self.chance_shown) / self.chance_shown)

    @cached_property
    def periods(self) -> np.ndarray:
        """How many periods each product has, [P]."""
        return np.bincount(self.product, None, len(self.level)) + self.unseen

    @cached_property
    def happens(self) -> np.ndarray:
        """In how many of its product's periods each cut happens, [R]: together in no more than there are."""
        happens = (self.cut < 0) / self.chance_shown
        return happens * np.minimum(1.0, self.periods / np.maximum(self.sums(happens), SMALLEST))[self.product]

    @cached_property
    def worth(self) -> np.ndarray:
        """The expected purchases of each product in all its periods, over those in a usual one, [P].

        In a usual period there is no cut, and nothing else moves purchases.
        """
        moved = np.exp(self._moves)
        more = self.sums(self.happens * moved * np.expm1(self._raised))
        return self.sums(moved) + self.unseen_move * self.unseen + more

    def among(self, some: np.ndarray, unseen: np.ndarray) -> "SeenCuts":
        """Return the cuts of some [R, bool] of the periods.

        unseen [P]: of each product, the number of the periods in question that do not show their price.
        """
        return replace(self, product=self.product[some], cut=self.cut[some], causes=self.causes[some], unseen=unseen)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums [P] of values [R]."""
        return np.bincount(self.product, values, len(self.level))

    @property
    def shown_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """The mean and the variance of the purchases of each period, given that they show its price, [R] each."""
        rate, chance, number = np.exp(self.log_rate), self._chance(self.log_rate), np.arange(len(self.hidden))
        mean = (rate - chance @ (self.hidden * number)) / self.chance_shown
        square = (rate + rate**2 - chance @ (self.hidden * number**2)) / self.chance_shown
        return mean, np.maximum(square - mean**2, SMALLEST)

    def _shown(self, log_rate: np.ndarray) -> np.ndarray:
        """Return the probability that a period shows its price at the rates [R], [R]."""
        return np.maximum(1 - self._chance(log_rate) @ self.hidden, LEAST_SHOWN)

    def _chance(self, log_rate: np.ndarray) -> np.ndarray:
        """Return the probability of 0 to K − 1 purchases at the rates [R], [R, K]."""
        return np.exp(log_poisson(np.arange(len(self.hidden)), log_rate[:, None]))


def log_poisson(count: np.ndarray | float, log_rate: np.ndarray) -> np.ndarray:
    """Return the log of the probability of so many purchases at a rate; shapes as NumPy broadcasts them."""
    return count * log_rate - np.exp(log_rate) - gammaln(count + 1)
