"""The cuts that a log shows, how often they happen, and whose cut a period without a price is given.

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
LEVEL_STEP = 0.5  # in logs of a rate, between products that share draws
LOWEST_LEVEL = -7.0  # log of a rate
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
        return np.maximum(1 - self._chance(self.log_rate) @ self.hidden, LEAST_SHOWN)

    @cached_property
    def effective_size(self) -> np.ndarray:
        """How many equally weighted cuts the weighted ones of each product are worth (Kish 1965), [P]."""
        mass, squared = self.sums(1 / self.chance_shown), self.sums(1 / self.chance_shown**2)
        return np.divide(mass**2, squared, out=np.zeros_like(mass), where=squared > 0)

    def counted(self, bought: np.ndarray) -> np.ndarray:
        """Return the purchases [N] of periods without a price, no more than there are numbers of them in `hidden`."""
        return np.minimum(np.rint(bought), len(self.hidden) - 1)

    def draw(self, product: np.ndarray, bought: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return which of the R cuts each of N periods gets that shows none, [N].

        product, bought, place [N]: whose the period is, its purchases, and a uniform random number. Numbers below
        own_share choose among the product's own cuts, the others among all products'. The nearer a number is to
        own_share, the shallower is its cut, so that a share that moves from one night to the next changes few of them.
        """
        share, count = self.own_share[product], self.counted(bought)
        is_own = place < share
        place = np.where(is_own, place / np.maximum(share, SMALLEST), (1 - place) / np.maximum(1 - share, SMALLEST))
        found = np.empty(len(product), np.int64)
        for n in np.unique(count):
            for draws, some in ((self._own_draws, is_own), (self._common_draws, ~is_own)):
                rows = np.flatnonzero(some & (count == n))
                found[rows] = draws(product[rows], n, place[rows])
        return found

    @cached_property
    def own_share(self) -> np.ndarray:
        """How often each product draws from its own cuts, [P].

        That is what its mean cut is worth by empirical Bayes, as far as its cuts stand for its unseen periods.
        """
        weight, size = 1 / self.chance_shown, self.effective_size
        mass = self.sums(weight)
        mean = self.sums(weight * self.cut) / np.maximum(mass, SMALLEST)
        square = self.sums(weight * (self.cut - mean[self.product]) ** 2) / np.maximum(mass, SMALLEST)
        within = float(size @ square / max((size - 1).clip(0).sum(), 1.0))
        between = _variance_between(mean, size, within)
        return self.represented * between * size / np.maximum(between * size + within, SMALLEST)

    @cached_property
    def represented(self) -> np.ndarray:
        """The share of a product's unseen periods that its cuts stand for, [P].

        A product that sells hardly ever at its regular price shows cuts only, which stand for few periods.
        """
        return (self.sums((1 - self.chance_shown) / self.chance_shown) / np.maximum(self.unseen, 1)).clip(max=1.0)

    def expected(self) -> np.ndarray:
        """Return the expected purchases of a product in all its periods, [P].

        Unseen periods for which no cut stands count as periods without one.
        """
        rate, weight, share = np.exp(self.log_rate), (1 - self.chance_shown) / self.chance_shown, self.represented
        own = self.sums(weight * rate) / np.maximum(self.sums(weight), SMALLEST)
        return self.sums(rate) + self.unseen * (share * own + (1 - share) * np.exp(self.level))

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

    def _own_draws(self, product: np.ndarray, bought: float, place: np.ndarray) -> np.ndarray:
        """Return which of the products' own cuts are at the quantiles `place`, [N], the deepest first."""
        log_weight = _log_poisson(bought, self.log_rate) - np.log(self.chance_shown)
        largest = np.full(len(self.level), -np.inf)
        np.maximum.at(largest, self.product, log_weight)
        order = self._deepest_first_by_product
        total = np.concatenate([[0.0], np.cumsum(np.exp(log_weight - largest[self.product])[order])])
        start = np.searchsorted(self.product, np.arange(len(self.level) + 1))
        low, high = total[start[product]], total[start[product + 1]]
        drawn = np.searchsorted(total, low + (high - low) * place, side="right") - 1
        return order[np.clip(drawn, start[product], start[product + 1] - 1)]

    def _common_draws(self, product: np.ndarray, bought: float, place: np.ndarray) -> np.ndarray:
        """Return which of all products' cuts are at the quantiles `place`, [N], if hidden at each product's level."""
        steps = np.rint(self.level[product].clip(LOWEST_LEVEL) / LEVEL_STEP)
        drawn, order = np.empty(len(product), np.int64), self._deepest_first
        of_product = self.effective_size / np.maximum(self.sums(1 / self.chance_shown), SMALLEST)
        every = np.log(of_product[self.product] / self.chance_shown)
        for step in np.unique(steps):
            log_weight = every + _log_poisson(bought, step * LEVEL_STEP + self.slope * self.cut)
            total = np.cumsum(np.exp(log_weight - log_weight.max())[order])
            rows = np.flatnonzero(steps == step)
            drawn[rows] = np.searchsorted(total, total[-1] * place[rows], side="right")
        return order[drawn.clip(max=len(self.cut) - 1)]

    @cached_property
    def _deepest_first(self) -> np.ndarray:
        return np.argsort(self.given, kind="stable")

    @cached_property
    def _deepest_first_by_product(self) -> np.ndarray:
        return np.lexsort((self.given, self.product))

    def _chance(self, log_rate: np.ndarray) -> np.ndarray:
        """Return the probability of 0 to K − 1 purchases at the rates [R], [R, K]."""
        return np.exp(_log_poisson(np.arange(len(self.hidden)), log_rate[:, None]))


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


def _log_poisson(count: np.ndarray | float, log_rate: np.ndarray) -> np.ndarray:
    return count * log_rate - np.exp(log_rate) - gammaln(count + 1)


def _variance_between(mean: np.ndarray, size: np.ndarray, within: float) -> float:
    """Return the variance between groups with the means and sizes [P] and the variance `within` them."""
    total = size.sum()
    if total == 0:
        return 0.0
    common, groups = float(size @ mean / total), int((size > 0).sum())
    spread = size @ (mean - common) ** 2 - (groups - 1) * within
    return max(float(spread / max(total - (size @ size) / total, SMALLEST)), 0.0)
