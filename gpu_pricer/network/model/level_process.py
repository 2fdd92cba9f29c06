"""The process of moving levels, in which recent sales of a product say more of its level than old ones.

The level of a product, relative to the prior from its attributes, is gamma distributed, and the purchases of a period
are Poisson distributed around it. From one period to the next the evidence is discounted, and the level reverts towards
the prior (discounted gamma–Poisson model: Smith & Miller 1986, "A non-Gaussian state space model and application to
prediction of records"; Harvey & Fernandes 1989, "Time series models for count or qualitative observations"). So the
purchases of a period, given those before, have a negative binomial distribution.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from scipy.special import gammaln
from torch import Tensor

WARM_UP = 0.2  # of the periods, which are not predicted: in the first ones every product is new to the log


@dataclass(frozen=True)
class PeriodSales:
    """How often P products were bought in T periods, and how often they were expected to be.

    periods: for each period the products [n] on the shelf, each once, how often they were expected to be bought [n] at
    the levels that attributes say, and how often they were [n].
    """

    periods: list[tuple[np.ndarray, ...]]
    products: int

    def expecting(self, factor: float) -> "PeriodSales":
        """Return the same purchases where `factor` times as many were expected."""
        return replace(self, periods=[(product, factor * due, bought) for product, due, bought in self.periods])

    def some(self, most: int) -> "PeriodSales":
        """Return the purchases of `most` products drawn at random, or of all if they are fewer."""
        if self.products <= most:
            return self
        place = np.full(self.products, -1)
        place[np.random.default_rng(0).choice(self.products, most, replace=False)] = np.arange(most)
        numbered = [(place[product], *counts) for product, *counts in self.periods]
        return PeriodSales([tuple(column[of[0] >= 0] for column in of) for of in numbered], most)


@dataclass(frozen=True)
class LevelProcess:
    """How levels move, relative to what attributes say.

    discount: the share of its weight that a purchase keeps from one period to the next. prior: how many expected
    purchases the attributes count as.
    """

    discount: float
    prior: float

    def known(self, purchases: PeriodSales) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield shape and rate [P] of the levels before each period, and last after all of them."""
        shape, rate = np.zeros((2, purchases.products))
        for product, expected, bought in purchases.periods:
            yield shape + self.prior, rate + self.prior
            shape, rate = self.discount * shape, self.discount * rate
            shape[product] += bought
            rate[product] += expected
        yield shape + self.prior, rate + self.prior

    def levels(self, purchases: PeriodSales) -> Iterator[np.ndarray]:
        """Yield the expected levels [P] before each period, and last after all of them."""
        return (shape / rate for shape, rate in self.known(purchases))

    def log_evidence(self, purchases: PeriodSales) -> float:
        """Return the log probability of each period's purchases given those before, without a constant.

        The first WARM_UP of the periods are not predicted.
        """
        first, total = int(WARM_UP * len(purchases.periods)), 0.0
        predicted = islice(zip(self.known(purchases), purchases.periods, strict=False), first, None)
        for known, (product, expected, bought) in predicted:
            shape, rate = known[0][product], known[1][product]
            total += (shape * np.log(rate / (rate + expected))).sum()
            some = bought > 0
            shape, rate, expected, bought = shape[some], rate[some], expected[some], bought[some]
            total += (gammaln(shape + bought) - gammaln(shape) + bought * np.log(expected / (rate + expected))).sum()
        return float(total)


@dataclass(frozen=True)
class AverageLevels:
    """Levels of P products in the average household's appeal, from how often they were bought.

    level [P]: NaN where training did not see the product. prior [P], spread: what attributes say, and the standard
    deviation of what they leave open. process: how levels move that no shocks explain, None where they do not.
    """

    level: Tensor
    prior: Tensor
    spread: float
    process: LevelProcess | None
