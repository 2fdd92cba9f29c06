"""What a unit of each product adds to a Lagrangian, which bounds the shadow price that its stock can have."""

from typing import NamedTuple

import numpy as np

from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LEAST_WEIGHT, LagrangianWeights

LEAST_RISE = 0.1
"""Share of a price's weight in the objective that its weight in a Lagrangian counts as, where it is smaller."""


class UnitValue(NamedTuple):
    """What a unit of each product adds to a Lagrangian before it pays for its stock, in currency, [P] each.

    at_highest, weight: at its highest price, and for each currency unit of the price, in the mean over the visits.
    most: the most that it adds at its highest price in any class of segments, at least 0: the highest shadow price.
    is_rising bool [P]: whether it adds clearly more the higher the price, as where shadow prices of stock move prices.
    """

    at_highest: np.ndarray
    weight: np.ndarray
    most: np.ndarray
    is_rising: np.ndarray

    def effective_cost(self, shadow_price: np.ndarray) -> np.ndarray:
        """Return effective costs [P] in currency, counted from the highest prices, at shadow prices [P]."""
        return (shadow_price - self.at_highest) / np.where(self.is_rising, self.weight, 1.0)


def unit_value_of(problem: PricingProblem, lagrangian: LagrangianWeights) -> UnitValue:
    """Return the value of a unit of each product under a Lagrangian."""
    everything, visits = slice(0, len(problem.products.cost)), problem.segments.visits
    mean_value, mean_weight = np.zeros((2, everything.stop))
    most = np.zeros(everything.stop)
    for number in range(lagrangian.slices.class_count):
        weight, value = lagrangian.highest_unit_value(problem, number, everything)
        share = visits[lagrangian.slices.members(number)].sum() / visits.sum()
        mean_value += share * value
        mean_weight += share * weight
        most = np.maximum(most, value)
    of_revenue, of_vat = lagrangian.objective[1], lagrangian.objective[4]
    least = LEAST_RISE * np.abs(of_revenue + of_vat * problem.products.vat_share())
    return UnitValue(mean_value, np.maximum(mean_weight, 0.0), most, mean_weight > np.maximum(least, LEAST_WEIGHT))
