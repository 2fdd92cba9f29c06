"""What prices lead to: the sums that a steering reaches, category by category, and the bound that none exceeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpu_pricer.policy.slices import Slices
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import Steering, price_classes
from gpu_pricer.pricing.tiling import tiles_of
from gpu_pricer.tables.price_table import CENTS
from kernels import Totals, choice_totals, in_double, price_totals

CELLS_AT_ONCE = 2_000_000
"""Products × segments of one call. Fixed, so that no setting of the files changes a multiplier."""


@dataclass(frozen=True)
class Sums:
    """Of a period's visits, float64: total [G, 3], units, revenue and cost of whole categories; covered [G, K, 3], of
    the part of them that each constraint covers; units [P]. Money in currency.
    """

    total: np.ndarray
    covered: np.ndarray
    units: np.ndarray


class Market:
    """A pricing problem seen from outside: prices in, sums out. passes: how often every cell was computed."""

    def __init__(self, problem: PricingProblem, slices: Slices, backend: str) -> None:
        self.problem, self.slices, self.backend = problem, slices, backend
        self.passes = 0
        self._worth: dict[tuple[int, int], np.ndarray] = {}
        self._tiles = tiles_of(
            problem.products.category_start, CELLS_AT_ONCE // max(len(problem.segments.segment_id), 1)
        )

    def today(self) -> Sums:
        """The sums at today's prices, in float64."""
        sums = self._nothing()
        for of_class, members, categories, products in self._parts():
            price = self.problem.products.today[products, None]
            self._add(sums, of_class, categories, self._chosen(members, categories, price))
        return sums

    def respond(self, steering: Steering) -> tuple[Sums, float]:
        """The sums of the steered optimum and what it is worth, in currency, by the kernel in its own float type.

        Each call starts from where the last one of the same cells ended.
        """
        sums, category_value = self._nothing(), 0.0
        for of_class, members, categories, products in self._parts():
            demand = self.problem.demand.tile(products.start, products.stop, members)
            inputs, key = steering.inputs(self.problem, of_class, categories), (of_class, categories[0])
            visits = self.problem.segments.visits[members]
            found = price_totals(demand, inputs, visits, self.backend, self._worth.get(key))
            self._worth[key] = found.category_value
            self._add(sums, of_class, categories, found.totals)
            category_value += float(found.bound.sum()) / CENTS
        return sums, category_value

    def bound(self, steering: Steering) -> float:
        """What no prices exceed of the steered objective, in currency: Σ visits · max(R, F(R)) in float64."""
        category_value = 0.0
        for of_class, members, categories, products in self._parts():
            demand = in_double(self.problem.demand.tile(products.start, products.stop, members))
            inputs = steering.inputs(self.problem, of_class, categories, np.float64)
            warm = self._worth.get((of_class, categories[0]))
            start = None if warm is None else warm.astype(np.float64)
            category_value += (
                float(price_totals(demand, inputs, self.problem.segments.visits[members], "cpu", start).bound.sum())
                / CENTS
            )
        return category_value

    def realised(self, steering: Steering) -> Sums:
        """The sums in float64 at the very prices that scoring will write for the steering; two passes."""
        sums = self._nothing()
        self.passes += 2
        for categories in self._tiles:
            price = price_classes(self.problem, steering, categories, self.backend).price
            for of_class, members in self._classes():
                self._add(sums, of_class, categories, self._chosen(members, categories, price[:, members]))
        return sums

    def share_changed(self, steering: Steering) -> float:
        """The share of the prices that are not today's; one pass."""
        self.passes += 1
        changed = 0
        for categories in self._tiles:
            price = price_classes(self.problem, steering, categories, self.backend).price
            changed += int(
                np.count_nonzero(price != self.problem.products.today[self.problem.product_slice(*categories), None])
            )
        return changed / (len(self.problem.products.today) * len(self.problem.segments.segment_id))

    def _chosen(self, members: np.ndarray, categories: tuple[int, int], price: np.ndarray) -> Totals:
        """What some segments choose at prices [p, 1] or [p, s], in float64."""
        products = self.problem.product_slice(*categories)
        demand = in_double(self.problem.demand.tile(products.start, products.stop, members))
        return choice_totals(demand, self.problem.shelf(*categories), price, self.problem.segments.visits[members])

    def _parts(self) -> Iterator[tuple[int, np.ndarray, tuple[int, int], slice]]:
        """Every class of every tile: the class, its segments, the categories and their products; one pass."""
        self.passes += 1
        for categories in self._tiles:
            for of_class, members in self._classes():
                yield of_class, members, categories, self.problem.product_slice(*categories)

    def _classes(self) -> list[tuple[int, np.ndarray]]:
        return [(of_class, self.slices.members(of_class)) for of_class in range(self.slices.class_count)]

    def _nothing(self) -> Sums:
        categories, constraints = len(self.problem.products.category_start) - 1, self.slices.mask.shape[1]
        return Sums(
            np.zeros((categories, 3)), np.zeros((categories, constraints, 3)), np.zeros(len(self.problem.products.cost))
        )

    def _add(self, sums: Sums, of_class: int, categories: tuple[int, int], totals: Totals) -> None:
        """Add what one class of segments buys."""
        problem, products, rows = self.problem, self.problem.product_slice(*categories), slice(*categories)
        per_choice = problem.products.units_per_choice[products]
        units, revenue = totals.chosen[:, 0] * per_choice, totals.revenue[:, 0] * per_choice / CENTS
        values = np.stack([units, revenue, units * problem.products.cost[products]], axis=1)
        starts = problem.starts(*categories)[:-1]
        sums.units[products] += units
        sums.total[rows] += np.add.reduceat(values, starts)
        for k in range(self.slices.mask.shape[1]):
            covered = self.slices.covers(of_class, k)[products]
            if covered.any():
                sums.covered[rows, k] += np.add.reduceat(values * covered[:, None], starts)
