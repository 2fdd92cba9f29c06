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
TELLING = 10  # periods that show the price of a product which tells how the response depends on popularity
TILT_SPREAD = 0.3  # change of the slope per log of purchases
EFFECT_SPREAD = 1.0  # of what else moves log purchases, per standard deviation
STEP = 0.5  # the largest change of the slope and of the effects in a pass
LEAST_SHOWN = 1e-6  # probability that a period shows its price
SMALLEST = 1e-300


@dataclass(frozen=True)
class SeenCuts:
    """The cuts of P products in the R periods that show them, sorted by product.

    product [R]: 0 to P − 1. cut [R]: log price less log regular price, at most 0. causes [R, k]: what else moves
    purchases. level [P], effects [k]: α and δ of log λ. slope, tilt: ε of a product is slope + tilt · popularity, and 0
    where that is above 0. popularity [P]: see _popularity. unseen [P]: number of a product's periods that do not show
    their price. unseen_move [P]: the mean of exp(δ · causes) over these, 1 without any.
    hidden [K]: 1 − v(n), the share of the periods with n purchases that do not show their price; 0 from K on.
    """

    product: np.ndarray
    cut: np.ndarray
    causes: np.ndarray
    level: np.ndarray
    slope: float
    tilt: float
    popularity: np.ndarray
    effects: np.ndarray
    unseen: np.ndarray
    unseen_move: np.ndarray
    hidden: np.ndarray

    @cached_property
    def slopes(self) -> np.ndarray:
        """The slope of log purchases on the cut, of each product, [P]."""
        return np.minimum(self.slope + self.tilt * self.popularity, 0.0)

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

    def step(self, bought: np.ndarray) -> np.ndarray:
        """Return the Newton step of slope, tilt and effects, [2 + k], by purchases [R], given that they show a price.

        The products' levels are partialled out, so that demand which varies more than a Poisson count, and is high
        wherever a price shows, does not look like a response. The priors count too. A slope of 0 that would rise stays,
        and the tilt with it.
        """
        rate, chance, number = np.exp(self.log_rate), self._chance(self.log_rate), np.arange(len(self.hidden))
        mean = (rate - chance @ (self.hidden * number)) / self.chance_shown
        square = (rate + rate**2 - chance @ (self.hidden * number**2)) / self.chance_shown
        variance = np.maximum(square - mean**2, SMALLEST)
        columns = np.stack([self.cut, self.cut * self.popularity[self.product], *self.causes.T])
        total = np.maximum(self.sums(variance), SMALLEST)
        moved = np.stack([each - (self.sums(variance * each) / total)[self.product] for each in columns])
        precision = np.array([PRIOR_SPREAD**-2, TILT_SPREAD**-2, *(EFFECT_SPREAD**-2 for _ in self.effects)])
        away = precision * np.array([PRIOR_SLOPE - self.slope, -self.tilt, *-self.effects])
        information, score = (variance * moved) @ moved.T + np.diag(precision), moved @ (bought - mean) + away
        free = np.arange(len(score)) >= (2 if self.slope == 0 and score[0] > 0 else 0)
        step = np.zeros(len(score))
        step[free] = np.linalg.solve(information[np.ix_(free, free)], score[free])
        return step

    def _shown(self, log_rate: np.ndarray) -> np.ndarray:
        """Return the probability that a period shows its price at the rates [R], [R]."""
        return np.maximum(1 - self._chance(log_rate) @ self.hidden, LEAST_SHOWN)

    def _chance(self, log_rate: np.ndarray) -> np.ndarray:
        """Return the probability of 0 to K − 1 purchases at the rates [R], [R, K]."""
        return np.exp(log_poisson(np.arange(len(self.hidden)), log_rate[:, None]))


def seen_cuts(product: np.ndarray, bought: np.ndarray, cut: np.ndarray, causes: np.ndarray) -> SeenCuts:
    """Return the cuts that a log shows.

    product, bought, cut [R]: as in cut_donors. causes [R, k]: what else moves purchases, with mean 0 over the periods
    of each product and standard deviation 1. Slope, tilt and effects follow from the purchases of periods given that
    they show a price, and from normal priors: that of the slope is a wide one around published elasticities, which
    counts where hardly any period shows a regular price. The levels are such that the expected purchases of all periods
    are those of the log.
    """
    is_seen, products, bought = ~np.isnan(cut), int(product.max(initial=-1)) + 1, np.rint(bought)
    unseen = np.bincount(product, ~is_seen, products)
    total = np.maximum(np.bincount(product, bought, products), 0.5)
    level = np.log(total / np.maximum(np.bincount(product, None, products), 1))
    cuts = SeenCuts(
        product=product[is_seen],
        cut=cut[is_seen],
        causes=causes[is_seen],
        level=level,
        slope=PRIOR_SLOPE,
        tilt=0.0,
        popularity=_popularity(level, total, np.bincount(product, is_seen, products)),
        effects=np.zeros(causes.shape[1]),
        unseen=unseen,
        unseen_move=np.ones(products),
        hidden=_hidden(np.minimum(bought, MOST).astype(np.int64), is_seen),
    )
    before, largest = np.zeros(2 + causes.shape[1]), STEP
    for _ in range(PASSES):
        level = np.log(total / np.maximum(cuts.worth, SMALLEST))
        raised, cuts = np.average(np.abs(level - cuts.level), weights=total), replace(cuts, level=level)
        step = cuts.step(bought[is_seen])
        if max(raised, *np.abs(step)) < CONVERGED:
            return cuts
        largest = largest / 2 if step @ before < 0 else min(1.2 * largest, STEP)  # less after a step too far
        step *= min(1.0, largest / max(np.abs(step).max(), SMALLEST))
        slope, effects = min(cuts.slope + step[0], 0.0), cuts.effects + step[2:]
        moves = np.bincount(product[~is_seen], np.exp(causes[~is_seen] @ effects), products)
        unseen_move = np.divide(moves, unseen, out=np.ones(products), where=unseen > 0)
        cuts = replace(cuts, slope=slope, tilt=cuts.tilt + step[1], effects=effects, unseen_move=unseen_move)
        before = step
    log.warning(
        "the response of purchases to cuts has not converged: cuts drawn for periods without a price are less certain"
    )
    return cuts


def _popularity(level: np.ndarray, total: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return the log purchases per period [P] less their mean over purchases.

    Those that hardly show a price count as the least popular that do, since a tilt says nothing beyond these.
    """
    tells = shown >= min(TELLING, shown.max(initial=0))
    return level.clip(level[tells].min(), level[tells].max()) - np.average(level, weights=total)


def _hidden(bought: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Return the share of the periods with n purchases that do not show their price, [K], with one number at least."""
    share = np.bincount(bought, ~is_seen, MOST + 1) / np.maximum(np.bincount(bought, None, MOST + 1), 1)
    often = np.flatnonzero(share[:MOST] > HARDLY_HIDDEN)
    return share[: max(1, int(often.max(initial=0)) + 1)]


def log_poisson(count: np.ndarray | float, log_rate: np.ndarray) -> np.ndarray:
    """Return the log of the probability of so many purchases at a rate; shapes as NumPy broadcasts them."""
    return count * log_rate - np.exp(log_rate) - gammaln(count + 1)
