"""The cuts that a log shows, and how often they happen.

See unseen_cuts.py for the model.
"""

import logging
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import gammaln

log = logging.getLogger(__name__)

PASSES = 100
CONVERGED = 1e-4  # in logs of a rate
HARDLY_HIDDEN = 0.05  # share of the periods with so many purchases
MOST = 20  # purchases from which on every period is taken to show its price
PRIOR_SLOPE, PRIOR_SPREAD = -2.6, 2.6  # published elasticities: Bijmolt, van Heerde & Pieters (2005) have 1,851
STEP = 0.5  # the largest change of the slope in a pass
LEAST_SHOWN = 1e-6  # probability that a period shows its price
SMALLEST = 1e-300


@dataclass(frozen=True)
class SeenCuts:
    """The cuts of P products in the R periods that show them, sorted by product.

    product [R]: 0 to P − 1. cut [R]: log price less log regular price. given [R]: the cut less what context says of it,
    which a period without a price takes over. level [P], slope: α and ε of log λ. unseen [P]: number of a product's
    periods that do not show their price.
    hidden [K]: 1 − v(n), the share of the periods with n purchases that do not show their price; 0 from K on.
    """

    product: np.ndarray
    cut: np.ndarray
    given: np.ndarray
    level: np.ndarray
    slope: float
    unseen: np.ndarray
    hidden: np.ndarray

    @cached_property
    def log_rate(self) -> np.ndarray:
        """The log of the expected purchases, [R]."""
        return self.level[self.product] + self.slope * self.cut

    @cached_property
    def chance_shown(self) -> np.ndarray:
        """The probability that a period with such expected purchases shows its price, [R]."""
        return self._shown(self.log_rate)

    @cached_property
    def weight(self) -> np.ndarray:
        """What each cut counts for in a mean of its product's, [R]: as many periods as it stands for.

        A ratio of two sums is biased where these have few terms: rare cuts that stand for many periods count for too
        little. The second factor takes away the first order of that bias (Beale 1962).
        """
        stands_for = 1 / self.chance_shown
        return stands_for * (1 + stands_for / np.maximum(self.sums(stands_for), SMALLEST)[self.product])

    @cached_property
    def chance_regular_shown(self) -> np.ndarray:
        """The probability that a period of each product shows its price if that is the regular one, [P]."""
        return self._shown(self.level)

    @cached_property
    def expected_size(self) -> np.ndarray:
        """How many cuts a product's are expected to be worth, [P]; 0 without cuts.

        That is the number of its periods that would show a regular price. If the cuts that do show were counted, a
        product that happens to show many would count for more than it should, and too many cuts would be drawn.
        """
        shown = np.bincount(self.product, None, len(self.level))
        return np.where(shown > 0, (shown + self.unseen) * self.chance_regular_shown, 0.0)

    def counted(self, bought: np.ndarray) -> np.ndarray:
        """Return the purchases [N] of periods without a price, no more than there are numbers of them in `hidden`."""
        return np.minimum(np.rint(bought), len(self.hidden) - 1)

    @cached_property
    def stand_for(self) -> np.ndarray:
        """How many unseen periods the cuts of each product stand for, [P], which may be more or fewer than it has."""
        return self.sums((1 - self.chance_shown) / self.chance_shown)

    def expected(self) -> np.ndarray:
        """Return the expected purchases of a product in all its periods, [P].

        Unseen periods for which no cut stands count as periods without one: a product that sells hardly ever at its
        regular price shows cuts only, which stand for few periods.
        """
        rate, weight = np.exp(self.log_rate), (1 - self.chance_shown) / self.chance_shown
        own = self.sums(weight * rate) / np.maximum(self.stand_for, SMALLEST)
        stood_for = np.minimum(self.stand_for, self.unseen)
        return self.sums(rate) + stood_for * own + (self.unseen - stood_for) * np.exp(self.level)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums [P] of values [R]."""
        return np.bincount(self.product, values, len(self.level))

    def score_step(self, bought: np.ndarray) -> float:
        """Return the Newton step of the slope by purchases [R], given that they show a price, and by the prior.

        The products' levels are partialled out.
        """
        rate, chance, number = np.exp(self.log_rate), self._chance(self.log_rate), np.arange(len(self.hidden))
        mean = (rate - chance @ (self.hidden * number)) / self.chance_shown
        square = (rate + rate**2 - chance @ (self.hidden * number**2)) / self.chance_shown
        variance = np.maximum(square - mean**2, SMALLEST)
        centre = self.sums(variance * self.cut) / np.maximum(self.sums(variance), SMALLEST)
        apart = self.cut - centre[self.product]
        score = (bought - mean) @ apart + (PRIOR_SLOPE - self.slope) / PRIOR_SPREAD**2
        return float(score / (variance @ apart**2 + 1 / PRIOR_SPREAD**2))

    def _shown(self, log_rate: np.ndarray) -> np.ndarray:
        """Return the probability that a period shows its price at the rates [R], [R]."""
        return np.maximum(1 - self._chance(log_rate) @ self.hidden, LEAST_SHOWN)

    def _chance(self, log_rate: np.ndarray) -> np.ndarray:
        """Return the probability of 0 to K − 1 purchases at the rates [R], [R, K]."""
        return np.exp(log_poisson(np.arange(len(self.hidden)), log_rate[:, None]))


def seen_cuts(product: np.ndarray, bought: np.ndarray, cut: np.ndarray, given: np.ndarray) -> SeenCuts:
    """Return the cuts that a log shows.

    product, bought, cut, given [R]: as in cut_donors. The slope is the most probable one, by the purchases of periods
    given that they show a price, and a wide normal prior around published elasticities, which counts where hardly any
    period shows a regular price. The levels are such that the expected purchases of all periods are those of the log.
    """
    is_seen, products, bought = ~np.isnan(cut), int(product.max(initial=-1)) + 1, np.rint(bought)
    periods, unseen = np.bincount(product, None, products), np.bincount(product, ~is_seen, products)
    total = np.maximum(np.bincount(product, bought, products), 0.5)
    hidden = _hidden(np.minimum(bought, MOST).astype(np.int64), is_seen)
    level = np.log(total / np.maximum(periods, 1))
    cuts = SeenCuts(product[is_seen], cut[is_seen], given[is_seen], level, 0.0, unseen, hidden)
    before, largest = 0.0, STEP
    for _ in range(PASSES):
        raised = np.where(unseen < periods, np.log(total / np.maximum(cuts.expected(), SMALLEST)), 0.0)
        step = float(np.clip(cuts.score_step(bought[is_seen]), -largest, largest))
        if step * before < 0:  # it went too far
            largest /= 2
        slope = min(cuts.slope + step, 0.0)
        moved = max(np.average(np.abs(raised), weights=total), abs(slope - cuts.slope))
        cuts, before = replace(cuts, level=cuts.level + raised, slope=slope), step
        if moved < CONVERGED:
            return cuts
    log.warning(
        "the response of purchases to cuts has not converged: cuts drawn for periods without a price are less certain"
    )
    return cuts


def _hidden(bought: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Return the share of the periods with n purchases that do not show their price, [K], with one number at least."""
    share = np.bincount(bought, ~is_seen, MOST + 1) / np.maximum(np.bincount(bought, None, MOST + 1), 1)
    often = np.flatnonzero(share[:MOST] > HARDLY_HIDDEN)
    return share[: max(1, int(often.max(initial=0)) + 1)]


def log_poisson(count: np.ndarray | float, log_rate: np.ndarray) -> np.ndarray:
    """Return the log of the probability of so many purchases at a rate; shapes as NumPy broadcasts them."""
    return count * log_rate - np.exp(log_rate) - gammaln(count + 1)
