"""Multipliers as what the kernels know: another weight and another unit cost of every product.

Lagrangian relaxation: a constraint's multiplier (its shadow price) turns into a subsidy or a charge on every unit and
every currency unit of revenue that counts for it, and the kernel prices as before.
"""

from dataclasses import dataclass, replace

import numpy as np

from gpu_pricer.policy.overrides import Overrides
from gpu_pricer.policy.slices import Slices
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.fixed_cells import inputs_at
from gpu_pricer.tables.price_table import CENTS
from kernels import BindingSide, PricedCells, PricingInputs, Totals, price_cells

LEAST_WEIGHT = 1e-9
"""Of a unit: a weight of 0 has no effective cost, and this one changes the Lagrangian by a billionth of the revenue."""


@dataclass(frozen=True)
class Steering:
    """What the prices maximise: objective + Σ multiplier · (coefficient · sums of the slice) − Σ stock_price · units.

    objective [3], coefficient [K, 3]: of units, revenue and cost; multiplier [2, K]: of the two answers that categories
    choose from, per unit of each limit; is_second bool [P]: which products, whole categories, take the second one;
    stock_price [P] in currency per unit.
    """

    objective: np.ndarray
    slices: Slices
    coefficient: np.ndarray
    multiplier: np.ndarray
    is_second: np.ndarray
    stock_price: np.ndarray

    def weigh(self, problem: PricingProblem, of_class: int, products: slice) -> tuple[np.ndarray, np.ndarray]:
        """Weight ω of a choice and effective unit cost c_eff in cents, float64, of some products for a class."""
        cost, is_second = problem.products.cost[products], self.is_second[products].astype(np.int64)
        of_unit, of_revenue, of_cost = self.objective
        weight = np.full(len(cost), of_revenue)
        charge = self.stock_price[products] - of_unit - of_cost * cost
        for k, (of_unit, of_revenue, of_cost) in enumerate(self.coefficient):
            multiplier = self.multiplier[is_second, k] * self.slices.covers(of_class, k)[products]
            weight += multiplier * of_revenue
            charge -= multiplier * (of_unit + of_cost * cost)
        weight = np.where(np.abs(weight) < LEAST_WEIGHT, LEAST_WEIGHT, weight)
        return weight * problem.products.units_per_choice[products], CENTS * charge / weight

    def inputs(
        self, problem: PricingProblem, of_class: int, categories: tuple[int, int], real: type[np.floating] = np.float32
    ) -> PricingInputs:
        """What the kernels price for a class of segments, its costs and weights of the type `real`."""
        weight, unit_cost = self.weigh(problem, of_class, problem.product_slice(*categories))
        fixed = self.overrides(problem, of_class, categories)
        inputs = inputs_at(problem.pricing_inputs(*categories), fixed.product, fixed.price)
        return replace(inputs, weight=weight.astype(real), unit_cost=unit_cost.astype(real))

    def overrides(self, problem: PricingProblem, of_class: int, categories: tuple[int, int]) -> Overrides:
        """The prices set by hand for each segment of the class, products counted from the first of the categories."""
        products = problem.product_slice(*categories)
        found = problem.overrides.of_cells(products.start, products.stop)
        found = found.of_segment(int(self.slices.members(of_class)[0]))
        return replace(found, product=found.product - products.start)


def price_classes(
    problem: PricingProblem, steering: Steering, categories: tuple[int, int], backend: str
) -> PricedCells:
    """Price whole categories for all segments, class by class, with totals for the problem's visits."""
    products, slices = problem.product_slice(*categories), steering.slices
    parts = []
    for of_class in range(slices.class_count):
        members = slices.members(of_class)
        demand = problem.demand.tile(products.start, products.stop, members)
        inputs = steering.inputs(problem, of_class, categories)
        cells = price_cells(demand, inputs, backend, problem.segments.visits[members])
        cells.binding_side[steering.overrides(problem, of_class, categories).product] = BindingSide.OVERRIDE
        parts.append((members, cells))
    return parts[0][1] if len(parts) == 1 else _joined(parts, len(problem.segments.segment_id))


def _joined(parts: list[tuple[np.ndarray, PricedCells]], segments: int) -> PricedCells:
    """The cells of all classes, segments in their own order."""

    def side_by_side(name: str) -> np.ndarray:
        first = getattr(parts[0][1], name)
        joined = np.empty((len(first), segments), first.dtype)
        for members, cells in parts:
            joined[:, members] = getattr(cells, name)
        return joined

    totals = [cells.totals for _, cells in parts if cells.totals is not None]
    return PricedCells(
        **{name: side_by_side(name) for name in ("price", "probability", "binding_side", "category_value")},
        totals=Totals(sum(t.chosen for t in totals), sum(t.revenue for t in totals)),  # type: ignore[arg-type]
        steps=max(cells.steps for _, cells in parts),
    )
