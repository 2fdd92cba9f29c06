"""How much of the information on the response to cuts is real, where some cuts are drawn."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from gpu_pricer.network.response.hidden_prices.mean_cuts import MeanCuts
from gpu_pricer.network.response.hidden_prices.seen_cuts import SMALLEST

MOST_MISSING = 0.9  # share of the information
LEAST_INFORMATION = 1e-12


def real_information(
    means: MeanCuts,
    moves: np.ndarray,
    product: np.ndarray,
    bought: np.ndarray,
    cut: np.ndarray,
    hidden: np.ndarray,
    others: Iterable[np.ndarray],
) -> np.ndarray:
    """Return the share of the information on the slope that is real, [P].

    moves [R]: what other causes than the cut add to the log of each period's expected purchases. product, bought, cut
    [R]: of all periods, with the cuts that are taken. hidden [N]: the periods that show no price.
    others [N]: their cuts in further draws. The variance of an estimate from one of the draws has two parts: the
    inverse of the information that is left without the missing one, and the noise of the draw itself. With independent
    draws for all periods, the variance of the score by noise would equal the missing information. With draws at even
    places (even_places.py) it is a share of that, which is measured for products with 1, 2 to 3, 4 to 7 and more
    periods without a price. The frequency and the depth of cuts are uncertain too (see _beside_unknown_means).
    """
    cuts = means.cuts
    sums = partial(np.bincount, product, minlength=len(cuts.level))
    usual = cuts.level[product] + moves
    rate = np.exp(usual + cuts.slopes[product] * cut)
    centre = (sums(rate * cut) / np.maximum(sums(rate), SMALLEST))[product]
    total = sums(rate * (cut - centre) ** 2)
    level, slope, centre, sold = (values[hidden] for values in (usual, cuts.slopes[product], centre, bought))
    scores = ((drawn - centre) * (sold - np.exp(level + slope * drawn)) for drawn in chain([cut[hidden]], others))
    of_periods, of_products = RunningVariance(), RunningVariance()
    for score in scores:
        of_periods.add(score)
        of_products.add(np.bincount(product[hidden], score, len(cuts.level)))
    by_cuts = of_products.mean - np.bincount(product[hidden], -centre * (sold - np.exp(level)), len(cuts.level))
    missing = np.bincount(product[hidden], of_periods.variance, len(cuts.level))
    many = np.log2(np.maximum(np.bincount(product[hidden], None, len(cuts.level)), 1)).astype(np.int64)
    left, of_independent = (np.bincount(many, values)[many] for values in (of_products.variance, missing))
    noise = (left / np.maximum(of_independent, SMALLEST)).clip(max=1.0)
    missing = np.minimum(missing, MOST_MISSING * total)
    variance = total / np.maximum(total - missing, SMALLEST) + noise * missing / np.maximum(total, SMALLEST)
    known = np.where(total > LEAST_INFORMATION, total / np.maximum(variance, 1.0), 0.0)
    known = _beside_unknown_means(means, known, by_cuts / np.maximum(total, LEAST_INFORMATION))
    return np.where(total > LEAST_INFORMATION, known / np.maximum(total, LEAST_INFORMATION), 1.0)


def _beside_unknown_means(means: MeanCuts, known: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return the information on the slope [P] that is left where the mean cuts of the draws are not known well.

    known [P]: the information if they were. moved [P]: how far the slope moves with draws of which the mean cut is
    100 % deeper. What is not known of a category moves the slopes of its products together. Each product then has its
    row sum of the inverse covariance matrix of these slopes, so that together they tell as much of their common slope.
    """
    of_category, of_product = means.unknown()
    known = known / (1 + known * moved**2 * of_product)
    shared, squares = (np.bincount(means.category, known * moved**power) for power in (1, 2))
    lost = moved * (of_category * shared / (1 + of_category * squares))[means.category]
    return np.asarray(known * (1 - lost.clip(0.0, MOST_MISSING)))


@dataclass
class RunningVariance:
    """The variance of arrays that are added one by one (Welford 1962)."""

    count: int = 0
    mean: np.ndarray | float = 0.0
    square: np.ndarray | float = 0.0

    def add(self, values: np.ndarray) -> None:
        """Count another array of the same shape."""
        away = values - self.mean
        self.count += 1
        self.mean = self.mean + away / self.count
        self.square = self.square + away * (values - self.mean)

    @property
    def variance(self) -> np.ndarray:
        """The variance of each element over the arrays."""
        return np.asarray(self.square / max(self.count - 1, 1))
