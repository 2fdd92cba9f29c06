"""The Lagrangian's subproblems, one per category and segment: sums per category at given prices, and an upper bound."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gpu_pricer.constraints.linear_constraints import SUMS
from gpu_pricer.constraints.problem_part import part_of
from gpu_pricer.constraints.stock import Stock
from gpu_pricer.policy.slices import Slices
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights, price_under_lagrangian
from gpu_pricer.pricing.tiling import tiles_of
from gpu_pricer.tables.price_table import CENTS
from kernels import PricingInputs, Totals, choice_totals, in_double, price_totals

CELLS_AT_ONCE = 2_000_000
"""Products × segments of one kernel call. It is fixed, so that no setting of the files changes a multiplier."""

PricesOf = Callable[[tuple[int, int]], np.ndarray]
"""The prices [n, S] in cents of the categories from the first to the one before the last, of those evaluated."""


@dataclass(frozen=True)
class SalesSums:
    """Expected sales of a period in float64, money in currency.

    total [G, 6]: SUMS of every category, of what the stock can serve.
    covered [G, K, 6]: the part of total that each constraint covers.
    units [P]: what is asked for of every product, whatever its stock.
    """

    total: np.ndarray
    covered: np.ndarray
    units: np.ndarray

    def __add__(self, other: "SalesSums") -> "SalesSums":
        """Return the sums of two parts of the assortment that have no category in common."""
        return SalesSums(self.total + other.total, self.covered + other.covered, self.units + other.units)


class CellBlock(NamedTuple):
    """The cells of one kernel call: a class of segments (its number and members) × the products of some categories.

    categories: the first one and the one after the last.
    """

    class_number: int
    members: np.ndarray
    categories: tuple[int, int]
    products: slice


class ClassTotals(NamedTuple):
    """What one class of segments (its number) chooses of some categories."""

    class_number: int
    totals: Totals


class LagrangianSubproblems:
    """A pricing problem, to be evaluated under one Lagrangian after another.

    passes: the number of computations of all its cells so far. stock: the limits of the products that may run out.
    """

    def __init__(
        self,
        problem: PricingProblem,
        slices: Slices,
        backend: str,
        is_evaluated: np.ndarray | None = None,
        unit_limit: np.ndarray | None = None,
    ) -> None:
        """is_evaluated bool [G]: the categories to evaluate, None for all; the sums of the others are 0.

        unit_limit [P]: the most units that can be served of each product, infinite where there is no limit; None for no
        limits.
        """
        self.problem, self.slices, self.backend = problem, slices, backend
        self.passes = 0
        self._category_value: dict[tuple[int, int], np.ndarray] = {}
        self._part = part_of(problem, slices, is_evaluated)
        products_at_once = CELLS_AT_ONCE // max(len(problem.segments.segment_id), 1)
        self._tiles = tiles_of(self._part.problem.products.category_start, products_at_once)
        limit = np.full(len(problem.products.cost), np.inf) if unit_limit is None else unit_limit
        self.stock = Stock(limit)
        if self.stock.has_limits:
            most = self._part.among_products(self._most_units(), np.inf)
            self.stock = Stock(np.where(most > limit, limit, np.inf))
        self._stock_of_part = Stock(self.stock.limit[self._part.is_product])

    def evaluate_today(self) -> SalesSums:
        """Return the sums at today's prices, in float64; one pass."""
        return self._evaluate_one_price(self._part.problem.products.today)

    def evaluate_anchor(self) -> SalesSums:
        """Return the sums at the anchor's prices, in float64; one pass."""
        return self._evaluate_one_price(self._part.problem.products.anchor)

    def _evaluate_one_price(self, price: np.ndarray) -> SalesSums:
        """Return the sums at a price in cents for all segments, price [P] of the evaluated products."""
        return self.evaluate_at(lambda categories: price[self._products(categories), None])

    def _most_units(self) -> np.ndarray:
        """Return more units [P] than any allowed prices sell of a product, infinite if not evaluated; one pass.

        They are those of the product alone in its category at its lowest price: no rival's price makes them more, in a
        nest neither.
        """
        problem = self._part.problem
        products, low = problem.products, problem.limits.low.astype(np.float64)
        units, fixed = np.full(len(low), np.inf), problem.overrides.of_cells()
        np.minimum.at(low, fixed.product, fixed.price)
        self.passes += 1
        for categories in self._tiles:
            rows, shelf = self._products(categories), problem.shelf(*categories)
            assert shelf.dissimilarity is not None
            nest = np.repeat(shelf.dissimilarity, np.diff(shelf.category_start))
            shelf = replace(shelf, category_start=np.arange(len(shelf.on_shelf) + 1), dissimilarity=nest)
            demand = in_double(problem.demand.tile(rows.start, rows.stop))
            totals = choice_totals(demand, shelf, low[rows, None], problem.segments.visits)
            units[rows] = products.sales(totals, rows).units
        return units

    def solve(self, lagrangian: LagrangianWeights) -> tuple[SalesSums, float]:
        """Return the sums at the Lagrangian's best prices and its value there in currency; one pass.

        The value is without the constant of the stock. The kernel works in its own float type. Every block starts from
        the category values R that the last call found.
        """
        problem, lagrangian = self._part.problem, self._part.lagrangian(lagrangian)
        sums, value, within = self._zero_sums(), 0.0, None
        self.passes += 1
        for categories in self._tiles:
            found_here = []
            for block in self._blocks(categories):
                demand = problem.demand.tile(block.products.start, block.products.stop, block.members)
                if block.class_number == 0:
                    within = lagrangian.ranges_within_ratio(problem, block.categories, self.backend)
                inputs = lagrangian.inputs(problem, block.class_number, block.categories, within)
                visits, key = problem.segments.visits[block.members], (block.class_number, block.categories[0])
                found = price_totals(demand, inputs, visits, self.backend, self._category_value.get(key))
                self._category_value[key] = found.category_value
                found_here.append(ClassTotals(block.class_number, found.totals))
                value += float(found.bound.sum()) / CENTS
            self._add(sums, categories, found_here)
        return self._among_all(sums), value

    def category_bounds(self, lagrangian: LagrangianWeights) -> np.ndarray:
        """Return an upper bound of each category's part of the Lagrangian over all prices, in currency [G]; one pass.

        The bound is Σ visits · max(R, F(R)) in float64, without bounds.max_segment_ratio, which only lowers the best.
        Units that stock cannot serve count as 0, see `served_inputs`.
        """
        problem, lagrangian = self._part.problem, self._part.lagrangian(lagrangian)
        bounds, is_limited = np.zeros(problem.category_count), np.isfinite(self._stock_of_part.limit)
        self.passes += 1
        for categories in self._tiles:
            has_limit = np.logical_or.reduceat(is_limited[self._products(categories)], self._starts(categories))
            for block in self._blocks(categories):
                demand = in_double(problem.demand.tile(block.products.start, block.products.stop, block.members))
                inputs = lagrangian.inputs(problem, block.class_number, block.categories, None, np.float64)
                inputs = served_inputs(inputs, is_limited[block.products])
                known = self._category_value.get((block.class_number, block.categories[0]))
                start = None if known is None else known.astype(np.float64)
                visits = problem.segments.visits[block.members]
                found = price_totals(demand, inputs, visits, "cpu", start)
                below = np.where(has_limit, np.maximum(-found.category_value, 0.0) @ visits, 0.0)
                bounds[slice(*block.categories)] += (found.bound.sum(axis=1) + below) / CENTS
        return self._part.among_categories(bounds)

    def evaluate(self, lagrangian: LagrangianWeights) -> SalesSums:
        """Return the sums in float64 at the very prices that scoring writes under the Lagrangian; two passes."""
        self.passes += 1
        of_part = self._part.lagrangian(lagrangian)
        return self.evaluate_at(lambda categories: self._best_prices(of_part, categories))

    def evaluate_at(self, prices: PricesOf) -> SalesSums:
        """Return the sums in float64 at any prices; one pass."""
        sums = self._zero_sums()
        self.passes += 1
        for categories in self._tiles:
            price = prices(categories)
            found = [
                ClassTotals(
                    block.class_number,
                    self._choose(block.members, categories, price if price.shape[1] == 1 else price[:, block.members]),
                )
                for block in self._blocks(categories)
            ]
            self._add(sums, categories, found)
        return self._among_all(sums)

    def compute_share_changed(self, lagrangian: LagrangianWeights) -> float:
        """Return the share of cells whose price under the Lagrangian is not today's; one pass."""
        self.passes += 1
        problem, changed = self._part.problem, 0
        today, lagrangian = problem.products.today, self._part.lagrangian(lagrangian)
        for categories in self._tiles:
            price = self._best_prices(lagrangian, categories)
            changed += int(np.count_nonzero(price != today[problem.product_slice(*categories), None]))
        return changed / (len(today) * len(problem.segments.segment_id))

    def best_prices(self, lagrangian: LagrangianWeights, categories: tuple[int, int]) -> np.ndarray:
        """Return the prices [n, S] in cents that scoring writes for the categories under the Lagrangian."""
        return self._best_prices(self._part.lagrangian(lagrangian), categories)

    def _best_prices(self, lagrangian: LagrangianWeights, categories: tuple[int, int]) -> np.ndarray:
        within = lagrangian.ranges_within_ratio(self._part.problem, categories, self.backend)
        return price_under_lagrangian(self._part.problem, lagrangian, categories, within, self.backend).price

    def _choose(self, members: np.ndarray, categories: tuple[int, int], price: np.ndarray) -> Totals:
        """Return what the segments `members` choose of the categories at prices [n, 1] or [n, members], in cents."""
        products = self._part.problem.product_slice(*categories)
        demand = in_double(self._part.problem.demand.tile(products.start, products.stop, members))
        return choice_totals(
            demand, self._part.problem.shelf(*categories), price, self._part.problem.segments.visits[members]
        )

    def _blocks(self, categories: tuple[int, int]) -> Iterator[CellBlock]:
        """Yield every class of segments of the categories from the first to the one before the last."""
        for number in range(self._part.slices.class_count):
            yield CellBlock(number, self._part.slices.members(number), categories, self._products(categories))

    def _products(self, categories: tuple[int, int]) -> slice:
        return self._part.problem.product_slice(*categories)

    def _starts(self, categories: tuple[int, int]) -> np.ndarray:
        """Return the first product of each of the categories, counted from the first of them all."""
        return self._part.problem.starts(*categories)[:-1]

    def _among_all(self, sums: SalesSums) -> SalesSums:
        """Return the sums of the evaluated categories as those of all, 0 for the others."""
        part = self._part
        return SalesSums(
            part.among_categories(sums.total), part.among_categories(sums.covered), part.among_products(sums.units, 0.0)
        )

    def _zero_sums(self) -> SalesSums:
        products, constraints = self._part.problem.products, self._part.slices.constraint_count
        categories = len(products.category_start) - 1
        return SalesSums(
            total=np.zeros((categories, len(SUMS))),
            covered=np.zeros((categories, constraints, len(SUMS))),
            units=np.zeros(len(products.cost)),
        )

    def _add(self, sums: SalesSums, categories: tuple[int, int], found: list[ClassTotals]) -> None:
        """Add what the classes of segments buy of some categories to the sums, in place."""
        products, rows, starts = self._products(categories), slice(*categories), self._starts(categories)
        parts = [(class_number, self._product_sums(totals, products)) for class_number, totals in found]
        for _, values in parts:
            sums.units[products] += values[:, 0]
        limited = self._stock_of_part
        share = limited.served_share(sums.units)[products] if limited.has_limits else None
        for class_number, values in parts:
            served = values if share is None else values * share[:, None]
            sums.total[rows] += np.add.reduceat(served, starts)
            for k in range(self._part.slices.constraint_count):
                covered = self._part.slices.covers(class_number, k)[products]
                if covered.any():
                    sums.covered[rows, k] += np.add.reduceat(served * covered[:, None], starts)

    def _product_sums(self, totals: Totals, products: slice) -> np.ndarray:
        """Return SUMS of what is asked for of every product [n, 6]."""
        of_problem = self._part.problem.products
        units, revenue, cost = of_problem.sales(totals, products)
        base_price, anchor = of_problem.today[products] / CENTS, of_problem.anchor[products] / CENTS
        vat = revenue * of_problem.vat_share(products)
        return np.stack([units, revenue, cost, units * base_price, vat, units * anchor], axis=1)


def served_inputs(inputs: PricingInputs, is_limited: np.ndarray) -> PricingInputs:
    """Return inputs whose best value no prices exceed where of a product with limited stock not every unit is served.

    is_limited bool [n]. A unit that is not served adds 0 to the Lagrangian, so a served one must add at least 0 for the
    kernel's value to be a bound: at the highest price where it adds the more the higher the price, at every price where
    it adds less. A family binds its members to one price, which need not be the highest one of a member; a member that
    its lowest price leaves below 0 gets a price of its own, which bounds the family's value from above.
    """
    if not is_limited.any():
        return inputs
    is_rising, cost = inputs.weight > 0, inputs.unit_cost
    limited = np.where(is_rising, np.minimum(cost, inputs.high), np.maximum(cost, inputs.high))
    inputs = replace(inputs, unit_cost=np.where(is_limited, limited, cost))
    if inputs.family is None:
        return inputs
    is_apart = is_limited & is_rising & (inputs.unit_cost > inputs.low)
    return replace(inputs, family=np.where(is_apart, -1, inputs.family).astype(inputs.family.dtype))
