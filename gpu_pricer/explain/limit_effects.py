"""What each limit on sums over the assortment adds to the value of a product's unit, and to the cost it counts with."""

from dataclasses import dataclass
from typing import NamedTuple

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
    sums, multiplier = _sums_of_unit(problem, cell[0], price), _multipliers(lagrangian, cell)
    return [
        LimitEffect(name, constraint, float(multiplier[k]), float(multiplier[k] * (lagrangian.coefficient[k] @ sums)))
        for k, (name, constraint) in enumerate(constraints.items())
        if multiplier[k] > 0
    ]


class AddedCosts(NamedTuple):
    """What makes a unit count as if it had another cost, in currency after VAT: the cost and all of these add up to it.

    cost: of a unit. objective: by the policy's weight of revenue. limits: by the name of the limit, those of
    limit_effects. stock: by the product's scarcity. stock_price: the shadow price of a unit of stock; a unit sold pays
    stock_charge of it, at most what it earns at the highest price. weight: what the objective and the limits make one
    currency unit of the price count.
    """

    cost: float
    objective: float
    limits: dict[str, float]
    stock: float
    stock_price: float
    stock_charge: float
    weight: float


def added_costs(
    lagrangian: LagrangianWeights, names: list[str], problem: PricingProblem, cell: tuple[int, int]
) -> AddedCosts:
    """Return what the parts of the Lagrangian add to a cell's effective cost.

    The Lagrangian values a unit at the price x by w x − charge, and the effective cost after VAT is charge / w times
    the net share. A unit sold at the price at which it earns nothing has the value v = Σ v_k of the parts, so that the
    effective cost is the cost − Σ v_k · net share / w. names: of the K constraints; cell: as in limit_effects.
    """
    product, segment = cell
    share = problem.products.net_share[product]
    at_cost = _sums_of_unit(problem, product, problem.products.cost_with_vat()[product])
    of_price = np.array([0.0, 1.0, 0.0, 0.0, 1.0 - share, 0.0])
    multiplier = _multipliers(lagrangian, cell)
    weight = float((lagrangian.objective + multiplier @ lagrangian.coefficient) @ of_price)
    scale = share / weight
    class_number = int(lagrangian.slices.segment_class[segment])
    charge = float(lagrangian.stock_charge(problem, class_number, slice(product, product + 1))[0])
    limits = -scale * multiplier * (lagrangian.coefficient @ at_cost)
    return AddedCosts(
        cost=float(problem.products.cost[product]),
        objective=float(-scale * (lagrangian.objective @ at_cost)),
        limits={name: float(limits[k]) for k, name in enumerate(names) if multiplier[k] > 0},
        stock=scale * charge,
        stock_price=float(lagrangian.stock_price[product]),
        stock_charge=charge,
        weight=weight / share,
    )


def _multipliers(lagrangian: LagrangianWeights, cell: tuple[int, int]) -> np.ndarray:
    """Return the multipliers [K] that price a cell, 0 for the constraints that do not count it."""
    product, segment = cell
    class_number = int(lagrangian.slices.segment_class[segment])
    covers = [lagrangian.slices.covers(class_number, k)[product] for k in range(len(lagrangian.coefficient))]
    return lagrangian.multiplier[lagrangian.iterate[product]] * np.array(covers, dtype=float)


def _sums_of_unit(problem: PricingProblem, product: int, price: float) -> np.ndarray:
    """Return what a unit sold at a price in currency adds to each of the sums of the Lagrangian, [6]."""
    products = problem.products
    base_price, anchor = products.today[product] / CENTS, products.anchor[product] / CENTS
    vat = price * (1.0 - products.net_share[product])
    return np.array([1.0, price, products.cost[product], base_price, vat, anchor])
