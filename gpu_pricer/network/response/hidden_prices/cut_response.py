"""How purchases respond to the cuts that a log shows, estimated from the periods that show them.

See unseen_cuts.py for the model.
"""

import logging
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gpu_pricer.network.response.hidden_prices.seen_cuts import MOST, SMALLEST, SeenCuts

log = logging.getLogger(__name__)

PASSES = 200
CONVERGED = 1e-4  # in logs of a rate
HARDLY_HIDDEN = 0.05  # share of the periods with so many purchases
PRIOR_SLOPE, PRIOR_SPREAD = -2.6, 2.6  # published elasticities: Bijmolt, van Heerde & Pieters (2005) have 1,851
TELLING = 10  # periods that show the price of a product which tells how the response depends on popularity
TILT_SPREAD = 0.3  # change of the slope per log of purchases
FIRST_SPREAD, LEAST_SPREAD = 0.5, 0.1  # of the slopes of categories; smaller ones change hardly any draw
EFFECT_SPREAD = 1.0  # of what else moves log purchases, per standard deviation
STEP = 0.5  # the largest change of the slopes and of the effects in a pass


@dataclass(frozen=True)
class CutResponse:
    """How the log purchases of P products in C categories respond to cuts, and to k other causes.

    slope, tilt, apart [C]: the slope on the cut is slope + tilt · popularity + apart of the category, of each product.
    The common slope is at most 0; that of a product may lie above, if the log says so. effects [k]: of the other
    causes. spread: the standard deviation of `apart` over categories. popularity [P]: see _popularity.
    category [P]: 0 to C − 1.
    """

    slope: float
    tilt: float
    apart: np.ndarray
    effects: np.ndarray
    spread: float
    popularity: np.ndarray
    category: np.ndarray

    @property
    def slopes(self) -> np.ndarray:
        """The slope of log purchases on the cut, of each product, [P]."""
        return self.slope + self.tilt * self.popularity + self.apart[self.category]

    def moved(self, step: np.ndarray, spread: float) -> "CutResponse":
        """Return the response after a step of slope, tilt, effects and `apart`, [2 + k + C], with another spread."""
        effects, apart = np.split(step[2:], [len(self.effects)])
        return replace(
            self,
            slope=min(self.slope + step[0], 0.0),
            tilt=self.tilt + step[1],
            effects=self.effects + effects,
            apart=self.apart + apart,
            spread=float(np.clip(spread, LEAST_SPREAD, PRIOR_SPREAD)),
        )

    def step(self, cuts: SeenCuts, bought: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the Newton step, as `moved` takes it, by purchases [R], given that they show a price, and the spread.

        The products' levels are partialled out, so that demand which varies more than a Poisson count, and is high
        wherever a price shows, does not look like a response. The priors count too. A slope of 0 that would rise stays,
        and the tilt with it. The spread is that of empirical Bayes (MacKay 1992): the squares of `apart` over the
        number of categories that the log tells.
        """
        mean, variance = cuts.shown_moments
        causes = [cuts.cut, cuts.cut * self.popularity[cuts.product], *cuts.causes.T]
        total = np.maximum(cuts.sums(variance), SMALLEST)
        columns = np.stack([each - (cuts.sums(variance * each) / total)[cuts.product] for each in causes])
        precision = np.array([PRIOR_SPREAD**-2, TILT_SPREAD**-2, *(EFFECT_SPREAD**-2 for _ in self.effects)])
        score = columns @ (bought - mean)
        score += precision * np.array([PRIOR_SLOPE - self.slope, -self.tilt, *-self.effects])
        information = (variance * columns) @ columns.T + np.diag(precision)
        free = np.arange(len(score)) >= (2 if self.slope == 0 and score[0] > 0 else 0)
        of_categories = partial(np.bincount, self.category[cuts.product], minlength=len(self.apart))
        shared = np.stack([of_categories(variance * columns[0] * each) for each in columns])
        own = shared[0] + self.spread**-2
        own_score = of_categories(columns[0] * (bought - mean)) - self.apart / self.spread**2
        follows = shared / own
        information, score = information - follows @ shared.T, score - follows @ own_score
        step = np.zeros(len(score))
        step[free] = np.linalg.solve(information[np.ix_(free, free)], score[free])
        apart = (own_score - step @ shared) / own
        not_told = 1 / own + (follows * np.linalg.solve(information, follows)).sum(axis=0)  # the variance of apart, [C]
        known = len(apart) - not_told.sum() / self.spread**2
        spread = np.sqrt(((self.apart + apart) ** 2).sum() / max(known, SMALLEST))
        return np.concatenate([step, apart]), float(spread)


def seen_cuts(
    product: np.ndarray, category: np.ndarray, bought: np.ndarray, cut: np.ndarray, causes: np.ndarray
) -> SeenCuts:
    """Return the cuts that a log shows.

    product, bought, cut [R]: as in cut_donors. category [P]: of each product, 0 to C − 1. causes [R, k]: what else
    moves purchases, with mean 0 over the periods of each product and standard deviation 1. Slopes and effects follow
    from the purchases of periods given that they show a price, and from normal priors: that of the common slope is a
    wide one around published elasticities, which counts where hardly any period shows a regular price. The levels are
    such that the expected purchases of all periods are those of the log.
    """
    is_seen, products, bought = ~np.isnan(cut), int(product.max(initial=-1)) + 1, np.rint(bought)
    unseen = np.bincount(product, ~is_seen, products)
    total = np.maximum(np.bincount(product, bought, products), 0.5)
    level = np.log(total / np.maximum(np.bincount(product, None, products), 1))
    response = CutResponse(
        slope=PRIOR_SLOPE,
        tilt=0.0,
        apart=np.zeros(int(category.max(initial=-1)) + 1),
        effects=np.zeros(causes.shape[1]),
        spread=FIRST_SPREAD,
        popularity=_popularity(level, total, np.bincount(product, is_seen, products)),
        category=category,
    )
    cuts = SeenCuts(
        product=product[is_seen],
        cut=cut[is_seen],
        causes=causes[is_seen],
        level=level,
        slopes=response.slopes,
        effects=response.effects,
        unseen=unseen,
        unseen_move=np.ones(products),
        hidden=_hidden(np.minimum(bought, MOST).astype(np.int64), is_seen),
    )
    before, largest = np.zeros(1), STEP
    for _ in range(PASSES):
        level = np.log(total / np.maximum(cuts.worth, SMALLEST))
        raised, cuts = np.average(np.abs(level - cuts.level), weights=total), replace(cuts, level=level)
        step, spread = response.step(cuts, bought[is_seen])
        if max(raised, *np.abs(step)) < CONVERGED:
            return cuts
        largest = largest / 2 if (step * before).sum() < 0 else min(1.2 * largest, STEP)  # less after a step too far
        step *= min(1.0, largest / max(np.abs(step).max(), SMALLEST))
        response, before = response.moved(step, spread), step
        moves = np.bincount(product[~is_seen], np.exp(causes[~is_seen] @ response.effects), products)
        unseen_move = np.divide(moves, unseen, out=np.ones(products), where=unseen > 0)
        cuts = replace(cuts, slopes=response.slopes, effects=response.effects, unseen_move=unseen_move)
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
