"""What each limit on sums over the assortment adds to the value of a product's unit, beside what the unit earns."""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.tables.price_table import CENTS


@dataclass(frozen=True)
class LimitEffect:
    """What a limit adds to a unit of a product at its price; money in currency.

    name, constraint: of the limit. multiplier: what the Lagrangian pays for one unit, or one currency unit, of the
    measure beyond a floor, or charges for one beyond a ceiling. per_unit: what a unit sold at the price counts,
    negative where it costs.
    """

    name: str
    constraint: Constraint
    multiplier: float
    per_unit: float


def limit_effects(
    lagrangian: LagrangianWeights,
    constraints: dict[str, Constraint],
    problem: PricingProblem,
    cell: tuple[int, int],
    price: float,
) -> list[LimitEffect]:
    """Return the effects, on a price in currency, of the limits that count the cell; those without effect are left out.

    constraints: the K of the Lagrangian; cell: the positions of product and segment in the problem.
    """
    product, segment = cell
    class_number = int(lagrangian.slices.segment_class[segment])
    products = problem.products
    base_price, vat = products.today[product] / CENTS, price * (1.0 - products.net_share[product])
    sums = np.array([1.0, price, products.cost[product], base_price, vat])
    multiplier = lagrangian.multiplier[lagrangian.iterate[product]]
    return [
        LimitEffect(name, constraint, float(multiplier[k]), float(multiplier[k] * (lagrangian.coefficient[k] @ sums)))
        for k, (name, constraint) in enumerate(constraints.items())
        if multiplier[k] > 0 and lagrangian.slices.covers(class_number, k)[product]
    ]
