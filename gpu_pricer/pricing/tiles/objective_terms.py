"""The costs and weights that prices maximise: the policy's objective, or its Lagrangian under constraints."""

import numpy as np

from gpu_pricer.pricing.decomposition import ObjectiveTerms
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights


def objective_terms(problem: PricingProblem, products: slice, lagrangian: LagrangianWeights | None) -> ObjectiveTerms:
    """Return the terms of the products; lagrangian: None without constraints on the assortment."""
    if lagrangian is not None:
        classes = range(lagrangian.slices.class_count)
        weight, cost = zip(*(lagrangian.product_weights(problem, c, products) for c in classes), strict=True)
        return ObjectiveTerms(np.stack(cost, axis=1), np.stack(weight, axis=1), lagrangian.slices.segment_class)
    cost, weight = problem.products.effective_cost[products, None], problem.products.weight(products)[:, None]
    return ObjectiveTerms(cost, weight, np.zeros(len(problem.segments.segment_id), np.int64))
