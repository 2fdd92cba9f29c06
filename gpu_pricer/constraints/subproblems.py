"""The Lagrangian's subproblems, one per category and segment: sums per category at given prices, and an upper bound."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gpu_pricer.constraints.linear_constraints import SUMS
from gpu_pricer.policy.slices import Slices
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights, price_under_lagrangian
from gpu_pricer.pricing.tiling import joined_ranges, ranges_of, tiles_of
from gpu_pricer.tables.price_table import CENTS
from kernels import Totals, choice_totals, in_double, price_totals

CELLS_AT_ONCE = 2_000_000
"""Products × segments of one kernel call. It is fixed, so that no setting of the files changes a multiplier."""

CELLS_APART = 100_000
"""Cells between two ranges of categories up to which they are computed in one kernel call: a call for 20 products took
13 ms of cores, and one for 3.8 million cells 75 (cProfile on two busy cores of an AMD EPYC, November 2026)."""

PricesOf = Callable[[tuple[int, int]], np.ndarray]
"""The prices [n, S] in cents of the categories from the first to the one before the last."""


@dataclass(frozen=True)
class SalesSums:
    """Expected sales of a period in float64, money in currency.

    total [G, 5]: units, revenue, cost, base revenue (at today's prices) and VAT of every category, see SUMS.
    covered [G, K, 5]: the part of total that each constraint covers.
    units [P]: of every product.
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


class LagrangianSubproblems:
    """A pricing problem, to be evaluated under one Lagrangian after another.

    passes: the number of computations of all its cells so far.
    """

    def __init__(
        self, problem: PricingProblem, slices: Slices, backend: str, is_evaluated: np.ndarray | None = None
    ) -> None:
        """is_evaluated bool [G]: the categories to evaluate, None for all; the sums of the others are 0."""
        self.problem, self.slices, self.backend = problem, slices, backend
        self.passes = 0
        self._category_value: dict[tuple[int, int], np.ndarray] = {}
        products_at_once = CELLS_AT_ONCE // max(len(problem.segments.segment_id), 1)
        start = problem.products.category_start
        self.is_evaluated = np.ones(problem.category_count, np.bool_) if is_evaluated is None else is_evaluated
        apart = CELLS_APART // max(len(problem.segments.segment_id), 1)
        self._tiles = [
            (first + a, first + b)
            for first, end in joined_ranges(ranges_of(self.is_evaluated), start, apart)
            for a, b in tiles_of(start[first : end + 1], products_at_once)
        ]

    def evaluate_today(self) -> SalesSums:
        """Return the sums at today's prices, in float64; one pass."""
        sums = self._zero_sums()
        for block in self._blocks():
            price = self.problem.products.today[block.products, None]
            self._add(sums, block.class_number, block.categories, self._choose(block.members, block.categories, price))
        return self._of_evaluated(sums)

    def solve(self, lagrangian: LagrangianWeights) -> tuple[SalesSums, float]:
        """Return the sums at the Lagrangian's best prices and its value there in currency; one pass.

        The kernel works in its own float type. Every block starts from the category values R that the last call found.
        """
        sums, value, within = self._zero_sums(), 0.0, None
        for block in self._blocks():
            demand = self.problem.demand.tile(block.products.start, block.products.stop, block.members)
            if block.class_number == 0:
                within = lagrangian.ranges_within_ratio(self.problem, block.categories, self.backend)
            inputs = lagrangian.inputs(self.problem, block.class_number, block.categories, within)
            visits, key = self.problem.segments.visits[block.members], (block.class_number, block.categories[0])
            found = price_totals(demand, inputs, visits, self.backend, self._category_value.get(key))
            self._category_value[key] = found.category_value
            self._add(sums, block.class_number, block.categories, found.totals)
            value += float(found.bound.sum()) / CENTS
        return self._of_evaluated(sums), value

    def category_bounds(self, lagrangian: LagrangianWeights) -> np.ndarray:
        """Return an upper bound of each category's part of the Lagrangian over all prices, in currency [G]; one pass.

        The bound is Σ visits · max(R, F(R)) in float64, without bounds.max_segment_ratio, which only lowers the best.
        """
        bounds = np.zeros(self.problem.category_count)
        for block in self._blocks():
            demand = in_double(self.problem.demand.tile(block.products.start, block.products.stop, block.members))
            inputs = lagrangian.inputs(self.problem, block.class_number, block.categories, None, np.float64)
            known = self._category_value.get((block.class_number, block.categories[0]))
            start = None if known is None else known.astype(np.float64)
            found = price_totals(demand, inputs, self.problem.segments.visits[block.members], "cpu", start)
            bounds[slice(*block.categories)] += found.bound.sum(axis=1) / CENTS
        return bounds

    def evaluate(self, lagrangian: LagrangianWeights) -> SalesSums:
        """Return the sums in float64 at the very prices that scoring writes under the Lagrangian; two passes."""
        self.passes += 1
        return self.evaluate_at(lambda categories: self.best_prices(lagrangian, categories))

    def evaluate_at(self, prices: PricesOf) -> SalesSums:
        """Return the sums in float64 at any prices; one pass."""
        sums = self._zero_sums()
        self.passes += 1
        for categories in self._tiles:
            price = prices(categories)
            for class_number, members in self._classes():
                self._add(sums, class_number, categories, self._choose(members, categories, price[:, members]))
        return self._of_evaluated(sums)

    def compute_share_changed(self, lagrangian: LagrangianWeights) -> float:
        """Return the share of cells whose price under the Lagrangian is not today's; one pass."""
        self.passes += 1
        today, changed = self.problem.products.today, 0
        for categories in self._tiles:
            price = self.best_prices(lagrangian, categories)
            changed += int(np.count_nonzero(price != today[self.problem.product_slice(*categories), None]))
        return changed / (len(today) * len(self.problem.segments.segment_id))

    def _of_evaluated(self, sums: SalesSums) -> SalesSums:
        """Return the sums with 0 for categories that are computed only because they lie between evaluated ones."""
        if not self.is_evaluated.all():
            sums.total[~self.is_evaluated], sums.covered[~self.is_evaluated] = 0.0, 0.0
            sums.units[~np.repeat(self.is_evaluated, np.diff(self.problem.products.category_start))] = 0.0
        return sums

    def best_prices(self, lagrangian: LagrangianWeights, categories: tuple[int, int]) -> np.ndarray:
        """Return the prices [n, S] in cents that scoring writes for the categories under the Lagrangian."""
        within = lagrangian.ranges_within_ratio(self.problem, categories, self.backend)
        return price_under_lagrangian(self.problem, lagrangian, categories, within, self.backend).price

    def _choose(self, members: np.ndarray, categories: tuple[int, int], price: np.ndarray) -> Totals:
        """Return what the segments `members` choose of the categories at prices [n, 1] or [n, members], in cents."""
        products = self.problem.product_slice(*categories)
        demand = in_double(self.problem.demand.tile(products.start, products.stop, members))
        return choice_totals(demand, self.problem.shelf(*categories), price, self.problem.segments.visits[members])

    def _blocks(self) -> Iterator[CellBlock]:
        """Yield every class of segments of every tile; counts as one pass."""
        self.passes += 1
        for categories in self._tiles:
            for class_number, members in self._classes():
                yield CellBlock(class_number, members, categories, self.problem.product_slice(*categories))

    def _classes(self) -> list[tuple[int, np.ndarray]]:
        return [(number, self.slices.members(number)) for number in range(self.slices.class_count)]

    def _zero_sums(self) -> SalesSums:
        products, constraints = self.problem.products, self.slices.constraint_count
        categories = len(products.category_start) - 1
        return SalesSums(
            total=np.zeros((categories, len(SUMS))),
            covered=np.zeros((categories, constraints, len(SUMS))),
            units=np.zeros(len(products.cost)),
        )

    def _add(self, sums: SalesSums, class_number: int, categories: tuple[int, int], totals: Totals) -> None:
        """Add what one class of segments buys of some categories to the sums, in place."""
        problem, products, rows = self.problem, self.problem.product_slice(*categories), slice(*categories)
        per_choice = problem.products.units_per_choice[products]
        units, revenue = totals.chosen[:, 0] * per_choice, totals.revenue[:, 0] * per_choice / CENTS
        cost, base_price = problem.products.cost[products], problem.products.today[products] / CENTS
        vat = revenue * problem.products.vat_share(products)
        values = np.stack([units, revenue, units * cost, units * base_price, vat], axis=1)
        starts = problem.starts(*categories)[:-1]
        sums.units[products] += units
        sums.total[rows] += np.add.reduceat(values, starts)
        for k in range(self.slices.constraint_count):
            covered = self.slices.covers(class_number, k)[products]
            if covered.any():
                sums.covered[rows, k] += np.add.reduceat(values * covered[:, None], starts)
