"""Some categories of a pricing problem as a problem of their own, and what is computed of them as part of the whole.

Categories that events touch lie all over the catalog. 98 of 3,000 categories took 0.1 core-seconds at kept multipliers
this way, and 0.7 as ranges of 60,000 products × 64 segments (2 CPU cores, November 2026).
"""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.policy.slices import Slices
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights


@dataclass(frozen=True)
class ProblemPart:
    """Some of the G categories and P products of a problem.

    problem, slices: of these alone. is_category bool [G], is_product bool [P]: which of the whole problem they are.
    """

    problem: PricingProblem
    slices: Slices
    is_category: np.ndarray
    is_product: np.ndarray

    def lagrangian(self, whole: LagrangianWeights) -> LagrangianWeights:
        """Return a Lagrangian of the whole problem for the part."""
        return whole if self.is_product.all() else whole.of_products(self.is_product)

    def among_categories(self, values: np.ndarray) -> np.ndarray:
        """Return values [g, ...] of the part's categories among all of them, [G, ...], 0 for the others."""
        return _spread(values, self.is_category, 0.0)

    def among_products(self, values: np.ndarray, others: float) -> np.ndarray:
        """Return values [p] of the part's products among all of them, [P], with a value for the others."""
        return _spread(values, self.is_product, others)


def part_of(problem: PricingProblem, slices: Slices, is_chosen: np.ndarray | None) -> ProblemPart:
    """Return the chosen categories of a problem, is_chosen bool [G], None for all; slices: of the problem."""
    is_category = np.ones(problem.category_count, np.bool_) if is_chosen is None else is_chosen
    is_product = np.repeat(is_category, np.diff(problem.products.category_start))
    if is_category.all():
        return ProblemPart(problem, slices, is_category, is_product)
    return ProblemPart(problem.of_categories(is_category), slices.of_products(is_product), is_category, is_product)


def _spread(values: np.ndarray, is_chosen: np.ndarray, others: float) -> np.ndarray:
    if is_chosen.all():
        return values
    spread = np.full((len(is_chosen), *values.shape[1:]), others)
    spread[is_chosen] = values
    return spread
