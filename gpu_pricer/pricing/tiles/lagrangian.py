"""Lagrangian relaxation of the constraints: the weight and the effective unit cost that each product gets from them.

Every multiplier (a constraint's shadow price) subsidises or charges each unit and each currency unit of revenue that
its constraint counts. Weights and effective costs carry these amounts into the kernels, whose formulas stay the same.
"""

from dataclasses import dataclass, replace

import numpy as np

from gpu_pricer.policy.overrides import Overrides
from gpu_pricer.policy.slices import Slices
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.fixed_cells import inputs_at
from gpu_pricer.pricing.tiles.segment_ratio import within_ratio
from gpu_pricer.tables.price_table import CENTS
from kernels import BindingSide, PricedCells, PricingInputs, Totals, price_cells

LEAST_WEIGHT = 1e-9
"""Weight per unit that replaces 0, because a weight of 0 has no effective cost; the replacement changes the Lagrangian
by 1e-9 of the revenue."""


@dataclass(frozen=True)
class LagrangianWeights:
    """The Lagrangian: objective + Σ_k multiplier_k · (coefficient_k · sums of slice k) − Σ_p stock_price_p · units_p.

    A unit never pays more for its stock than it is worth at the highest price that its product may have, because units
    that stock cannot serve earn nothing and cost nothing.

    objective [6]: weights of units, revenue, cost, base revenue, which counts the units at today's prices, VAT, and
        anchor revenue, which counts them at the anchor's.
    slices: the cells that each of the K constraints counts.
    coefficient [K, 6]: each constraint's weights of the same.
    multiplier [I, K]: the multipliers of I dual iterates, in currency per unit of each left-hand side.
    iterate int64 [P]: the iterate with whose multipliers a product is priced; equal within a category.
    stock_price [P]: shadow price of a unit of stock, in currency.
    unit_limit [P]: the most units that stock can serve in a period, infinite where there is no limit.
    """

    objective: np.ndarray
    slices: Slices
    coefficient: np.ndarray
    multiplier: np.ndarray
    iterate: np.ndarray
    stock_price: np.ndarray
    unit_limit: np.ndarray

    def of_products(self, is_chosen: np.ndarray) -> "LagrangianWeights":
        """Return the Lagrangian for the chosen products alone, is_chosen bool [P]."""
        return replace(
            self,
            slices=self.slices.of_products(is_chosen),
            iterate=self.iterate[is_chosen],
            stock_price=self.stock_price[is_chosen],
            unit_limit=self.unit_limit[is_chosen],
        )

    def product_weights(
        self, problem: PricingProblem, class_number: int, products: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight ω of a choice and the effective unit cost c_eff in cents, float64 [n] each.

        class_number: the class of segments (see Slices) for which the products are priced.
        """
        weight, charge = self._unit_terms(problem, class_number, products)
        charge += self.stock_charge(problem, class_number, products)
        weight = np.where(np.abs(weight) < LEAST_WEIGHT, LEAST_WEIGHT, weight)
        return weight * problem.products.units_per_choice[products], CENTS * charge / weight

    def stock_charge(self, problem: PricingProblem, class_number: int, products: slice) -> np.ndarray:
        """Return what a unit pays for its stock, in currency [n]: the stock price, at most the unit's highest value."""
        stock_price = self.stock_price[products]
        if not stock_price.any():
            return stock_price
        _, highest = self.highest_unit_value(problem, class_number, products)
        return np.minimum(stock_price, np.maximum(highest, 0.0))

    def highest_unit_value(
        self, problem: PricingProblem, class_number: int, products: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what a currency unit of the price adds to the Lagrangian per unit sold, and what a unit adds [n].

        A unit: in currency, at the highest price that the product may have for the class of segments, before it pays
        for its stock.
        """
        weight, charge = self._unit_terms(problem, class_number, products)
        return weight, weight * self._highest_price(problem, class_number, products) - charge

    def _highest_price(self, problem: PricingProblem, class_number: int, products: slice) -> np.ndarray:
        """Return the highest prices [n] in currency that bounds, or prices set by hand, allow the class of segments."""
        high = problem.limits.high[products].astype(np.float64)
        fixed = problem.overrides.of_cells(products.start, products.stop)
        fixed = fixed.of_segment(int(self.slices.members(class_number)[0]))
        high[fixed.product - products.start] = fixed.price
        return high / CENTS

    def _unit_terms(self, problem: PricingProblem, class_number: int, products: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight of a unit's price and what a unit costs in currency [n] each, without the stock."""
        cost, iterate = problem.products.cost[products], self.iterate[products]
        base_price, anchor = problem.products.today[products] / CENTS, problem.products.anchor[products] / CENTS
        vat = problem.products.vat_share(products)
        of_unit, of_revenue, of_cost, of_base, of_vat, of_anchor = self.objective
        weight = of_revenue + of_vat * vat
        charge = -of_unit - of_cost * cost - of_base * base_price - of_anchor * anchor
        for k, (of_unit, of_revenue, of_cost, of_base, of_vat, of_anchor) in enumerate(self.coefficient):
            multiplier = self.multiplier[iterate, k] * self.slices.covers(class_number, k)[products]
            weight += multiplier * (of_revenue + of_vat * vat)
            charge -= multiplier * (of_unit + of_cost * cost + of_base * base_price + of_anchor * anchor)
        return weight, charge

    def inputs(
        self,
        problem: PricingProblem,
        class_number: int,
        categories: tuple[int, int],
        within: PricingInputs | None,
        dtype: type[np.floating] = np.float32,
    ) -> PricingInputs:
        """Return the kernels' inputs for a class of segments, with weights and unit costs of the given dtype.

        categories: the first one and the one after the last; within: what ranges_within_ratio returns for them, or None
        for the bounds without a limit on the segment ratio.
        """
        inputs, fixed = problem.pricing_inputs(*categories), self.overrides(problem, class_number, categories)
        if within is not None:
            inputs = replace(inputs, low=within.low, high=within.high)
        return self._weighed(inputs_at(inputs, fixed.product, fixed.price), problem, class_number, categories, dtype)

    def ranges_within_ratio(
        self, problem: PricingProblem, categories: tuple[int, int], backend: str
    ) -> PricingInputs | None:
        """Return inputs whose bounds keep bounds.max_segment_ratio at the Lagrangian's best prices; None without one.

        Every constraint must cover all segments alike, see Slices.covers_segments_alike.
        """
        if problem.bounds.max_segment_ratio is None:
            return None
        products = problem.product_slice(*categories)
        inputs = self._weighed(problem.pricing_inputs(*categories), problem, 0, categories, np.float32)
        return within_ratio(problem, problem.demand.tile(products.start, products.stop), inputs, categories, backend)

    def _weighed(
        self,
        inputs: PricingInputs,
        problem: PricingProblem,
        class_number: int,
        categories: tuple[int, int],
        dtype: type[np.floating],
    ) -> PricingInputs:
        weight, unit_cost = self.product_weights(problem, class_number, problem.product_slice(*categories))
        return replace(inputs, weight=weight.astype(dtype), unit_cost=unit_cost.astype(dtype))

    def overrides(self, problem: PricingProblem, class_number: int, categories: tuple[int, int]) -> Overrides:
        """Return the prices set by hand for single segments that every segment of the class has.

        categories: the first one and the one after the last; products are numbered from the first of these categories.
        """
        products = problem.product_slice(*categories)
        found = problem.overrides.of_cells(products.start, products.stop)
        found = found.of_segment(int(self.slices.members(class_number)[0]))
        return replace(found, product=found.product - products.start)


def price_under_lagrangian(
    problem: PricingProblem,
    lagrangian: LagrangianWeights,
    categories: tuple[int, int],
    within: PricingInputs | None,
    backend: str,
) -> PricedCells:
    """Return the best prices for the Lagrangian of whole categories, for all segments, with totals over the visits.

    categories: the first one and the one after the last; within: what ranges_within_ratio returns for them. One kernel
    call per class of segments.
    """
    products, slices = problem.product_slice(*categories), lagrangian.slices
    parts = []
    for class_number in range(slices.class_count):
        members = slices.members(class_number)
        demand = problem.demand.tile(products.start, products.stop, members)
        inputs = lagrangian.inputs(problem, class_number, categories, within)
        cells = price_cells(demand, inputs, backend, problem.segments.visits[members])
        cells.binding_side[lagrangian.overrides(problem, class_number, categories).product] = BindingSide.OVERRIDE
        parts.append((members, cells))
    return parts[0][1] if len(parts) == 1 else _join_classes(parts, len(problem.segments.segment_id))


def _join_classes(parts: list[tuple[np.ndarray, PricedCells]], segments: int) -> PricedCells:
    """Return the cells of all classes with the segments in the problem's order; parts: members and cells per class."""

    def join(name: str) -> np.ndarray:
        first = getattr(parts[0][1], name)
        joined = np.empty((len(first), segments), first.dtype)
        for members, cells in parts:
            joined[:, members] = getattr(cells, name)
        return joined

    totals = [cells.totals for _, cells in parts if cells.totals is not None]
    return PricedCells(
        **{name: join(name) for name in ("price", "probability", "binding_side", "category_value")},
        totals=Totals(sum(t.chosen for t in totals), sum(t.revenue for t in totals)),  # type: ignore[arg-type]
        steps=max(cells.steps for _, cells in parts),
    )
