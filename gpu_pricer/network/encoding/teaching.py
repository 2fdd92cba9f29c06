"""Which products the price response is learned from, by how often the log shows their prices."""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.checks import require_integer, require_number


@dataclass(frozen=True)
class TeachingRule:
    """Products whose price was seen in many of their periods teach; where these are few, more products do.

    price_coverage: a product teaches whose price was seen in at least this share of its periods on the shelf.
    product_periods: while the products that teach have together no more periods on the shelf than this, the next best
    seen of those with a list price teach too: where it is not listed, the regular price of a product that rarely shows
    its price cannot be told from its cuts. least_price_coverage: the share of its periods in which each of these must
    have been seen.
    """

    price_coverage: float
    product_periods: int
    least_price_coverage: float

    def __post_init__(self) -> None:
        require_number("teaching.price_coverage", self.price_coverage, least=0, most=1)
        require_integer("teaching.product_periods", self.product_periods, 0)
        require_number("teaching.least_price_coverage", self.least_price_coverage, least=0, most=self.price_coverage)

    def teaches(self, coverage: np.ndarray, periods: np.ndarray, is_listed: np.ndarray) -> np.ndarray:
        """Return whether each product teaches, bool [P].

        coverage [P]: share of a product's periods on the shelf in which its price was seen, 0 for one that never can
        teach. periods [P]: how many periods these are. is_listed [P]: whether it has a list price
        (see list_prices.py).
        """
        least = np.where(is_listed, self.least_price_coverage, self.price_coverage)
        may_teach = (coverage > 0) & (coverage >= least)
        best_first = np.argsort(-coverage, kind="stable")
        fits = np.empty(len(coverage), bool)
        fits[best_first] = np.cumsum(periods[best_first] * may_teach[best_first]) <= self.product_periods
        return may_teach & (fits | (coverage >= self.price_coverage))
