"""How much of the information on the response to cuts is real, where some cuts are drawn."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np

from gpu_pricer.network.response.seen_cuts import SMALLEST, SeenCuts

MOST_MISSING = 0.9  # share of the information


def real_information(
    cuts: SeenCuts,
    product: np.ndarray,
    bought: np.ndarray,
    cut: np.ndarray,
    hidden: np.ndarray,
    others: Iterable[np.ndarray],
) -> np.ndarray:
    """Return the share of the information on the slope that is real, [P].

    product, bought, cut [R]: of all periods, with the cuts that are taken. hidden [N]: the periods that show no price.
    others [N]: their cuts in further draws. The variance of an estimate from one of the draws is that of the
    information which is left after the missing one, and the noise of the draw itself. Independent draws for all periods
    would have the missing information as noise. Even places leave a share of it, which is measured for products with 1,
    2 to 3, 4 to 7 and more periods without a price.
    """
    sums = partial(np.bincount, product, minlength=len(cuts.level))
    rate = np.exp(cuts.level[product] + cuts.slope * cut)
    centre = (sums(rate * cut) / np.maximum(sums(rate), SMALLEST))[product]
    total = sums(rate * (cut - centre) ** 2)
    level, usual, sold = (values[hidden] for values in (cuts.level[product], centre, bought))
    scores = ((drawn - usual) * (sold - np.exp(level + cuts.slope * drawn)) for drawn in chain([cut[hidden]], others))
    of_periods, of_products = RunningVariance(), RunningVariance()
    for score in scores:
        of_periods.add(score)
        of_products.add(np.bincount(product[hidden], score, len(cuts.level)))
    missing = np.bincount(product[hidden], of_periods.variance, len(cuts.level))
    many = np.log2(np.maximum(np.bincount(product[hidden], None, len(cuts.level)), 1)).astype(np.int64)
    left, of_independent = (np.bincount(many, values)[many] for values in (of_products.variance, missing))
    noise = (left / np.maximum(of_independent, SMALLEST)).clip(max=1.0)
    missing = np.minimum(missing, MOST_MISSING * total)
    variance = total / np.maximum(total - missing, SMALLEST) + noise * missing / np.maximum(total, SMALLEST)
    return np.where(total > SMALLEST, 1 / np.maximum(variance, 1.0), 1.0)


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
