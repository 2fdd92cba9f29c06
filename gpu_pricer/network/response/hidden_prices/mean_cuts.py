"""How deep cuts are on average, of products, of categories and of all, and how well a log tells it.

See unseen_cuts.py for the model.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gpu_pricer.network.response.hidden_prices.seen_cuts import SMALLEST, SeenCuts

LEAST_VARIANCE = 1e-12  # of a mean cut


@dataclass(frozen=True)
class MeanCuts:
    """The mean cuts of P products in C categories.

    cuts: of the products. category [P]: of each product, 0 to C − 1. Means of few cuts vary by chance; what they vary
    beyond that are random effects (DerSimonian & Laird 1986).
    """

    cuts: SeenCuts
    category: np.ndarray

    @cached_property
    def own_share(self) -> np.ndarray:
        """How often each product draws from its own cuts, and not from those of all, [P].

        That is what its mean is worth beside that of all by empirical Bayes, as far as its cuts stand for its unseen
        periods.
        """
        size, everybody = self.cuts.expected_size, np.zeros_like(self.category)
        between = _variance_between(self._of_product, size, self._within, everybody)
        stood_for = (self.cuts.stand_for / np.maximum(self.cuts.unseen, 1)).clip(max=1.0)
        return stood_for * between * size / np.maximum(between * size + self._within, SMALLEST)

    def unknown(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the variance of what the draws' mean cut misses of the true one, relative to its square, [C] and [P].

        Of each category, and of each product beyond its category. Draws from the cuts of all miss how categories and
        products differ, and the chance in the mean of all; a product's own draws miss the chance in its own mean.
        """
        size, own, within = self.cuts.expected_size, self.own_share, self._within
        total = self._sums(size)
        of_products = _variance_between(self._of_product, size, within, self.category)
        chance = (of_products * self._sums(size**2) / np.maximum(total, SMALLEST) + within) / np.maximum(
            total, SMALLEST
        )
        worth = np.where(total > 0, 1 / np.maximum(chance, LEAST_VARIANCE), 0.0)
        of_category = self._sums(size * self._of_product) / np.maximum(total, SMALLEST)
        of_categories = _variance_between(of_category, worth, 1.0, np.zeros_like(total, dtype=np.int64))
        of_all = 1 / max(float((worth / (1 + worth * of_categories)).sum()), SMALLEST)
        unseen = np.maximum(self._sums(self.cuts.unseen), 1)
        shared = self._sums(self.cuts.unseen * (1 - own)) / unseen
        square = max(float(size @ self._of_product / max(size.sum(), SMALLEST)) ** 2, LEAST_VARIANCE)
        chance_of_own = np.divide(within, size, out=np.zeros_like(size), where=size > 0)
        return (
            shared**2 * (of_categories + of_all) / square,
            ((1 - own) ** 2 * of_products + own**2 * chance_of_own) / square,
        )

    @cached_property
    def _of_product(self) -> np.ndarray:
        """The mean cut of each product, [P]."""
        weight = self.cuts.weight
        return self.cuts.sums(weight * self.cuts.cut) / np.maximum(self.cuts.sums(weight), SMALLEST)

    @cached_property
    def _within(self) -> float:
        """The variance of cuts around their product's mean, which takes a degree of freedom from each product's.

        A product's weighted cuts are worth so many equally weighted ones (Kish 1965).
        """
        cuts, weight = self.cuts, self.cuts.weight
        mass, squared = cuts.sums(weight), cuts.sums(weight**2)
        size = np.divide(mass**2, squared, out=np.zeros_like(mass), where=squared > 0)
        apart = cuts.sums(weight * (cuts.cut - self._of_product[cuts.product]) ** 2)
        square = apart / np.maximum(mass, SMALLEST)
        return float(size @ square / max((size - 1).clip(0).sum(), 1.0))

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over categories [C] of values [P]."""
        return np.bincount(self.category, values)


def _variance_between(mean: np.ndarray, size: np.ndarray, within: float, group: np.ndarray) -> float:
    """Return the variance of true means around those of their groups, by moments (DerSimonian & Laird 1986).

    mean, size [P]: estimates whose variances by chance are within / size; a size of 0 does not count. group [P]: 0 to
    G − 1.
    """
    total = np.maximum(np.bincount(group, size), SMALLEST)
    common = (np.bincount(group, size * mean) / total)[group]
    by_chance = (np.bincount(group, size > 0) - 1).clip(0).sum() * within
    freedom = float((total - np.bincount(group, size**2) / total).sum())
    return max(float(size @ (mean - common) ** 2 - by_chance) / freedom, 0.0) if freedom > SMALLEST else 0.0
