"""The expected profit of prices under a true demand, by the choice model of the kernels."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.tables.price_table import CENTS, PER_VISITS
from kernels import Demand, Shelf, choice_probabilities


@dataclass(frozen=True)
class TrueMarket:
    """The true demand of T types for P products sorted by category, in float64; money in cents.

    demand, shelf: as the kernels take them. unit_cost [P]: the price at which a unit earns nothing, VAT included where
    prices include it. weight [P]: what a choice of a product earns for each cent above it, the units per choice after
    VAT.
    visits [T]: the weights of the types. by_hand [P, T]: prices that replace those of every price list, NaN where a
    cell has none, None without any. Raises ValueError unless the demand is float64.
    """

    demand: Demand
    shelf: Shelf
    unit_cost: np.ndarray
    weight: np.ndarray
    visits: np.ndarray
    by_hand: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.demand.dtype != np.float64:
            raise ValueError(f"the true demand must be float64, found {self.demand.dtype}")

    @classmethod
    def of(cls, problem: PricingProblem, visits: np.ndarray | None = None) -> "TrueMarket":
        """Return the market in which a problem's demand is the truth, without prices set by hand.

        visits [T]: None for the problem's own.
        """
        return cls(
            demand=problem.demand_in_double(),
            shelf=problem.shelf(0, problem.category_count),
            unit_cost=CENTS * problem.products.cost_with_vat(),
            weight=problem.products.weight(),
            visits=problem.segments.visits if visits is None else visits,
        )

    @cached_property
    def category(self) -> np.ndarray:
        """Return the position of each product's category, [P]."""
        return np.repeat(np.arange(self.shelf.category_count), np.diff(self.shelf.category_start))

    def paid(self, price: np.ndarray) -> np.ndarray:
        """Return the prices that the types pay [P, T] for a list [P, 1] or [P, T]; without by_hand the list itself."""
        return price if self.by_hand is None else np.where(np.isnan(self.by_hand), price, self.by_hand)

    def cell_profit(self, price: np.ndarray) -> np.ndarray:
        """Return the expected profit [P, T] of one visit of each type at prices [P, 1] or [P, T], in cents."""
        price = self.paid(price)
        probability = choice_probabilities(self.demand, self.shelf, price)
        return (price - self.unit_cost[:, None]) * self.weight[:, None] * probability

    def category_profit(self, price: np.ndarray) -> np.ndarray:
        """Return the expected profit [G] of a visit, the mean over the types, at prices [P]."""
        cells = self.cell_profit(price[:, None])
        return np.add.reduceat(cells @ (self.visits / self.visits.sum()), self.shelf.category_start[:-1])

    def select_types(self, types: np.ndarray) -> "TrueMarket":
        """Return the market that has only the types at these positions, integers [n] among the T types."""
        arrays: dict[str, Any] = {name: getattr(self.demand, name)[types] for name in _by_type(self.demand)}
        by_hand = None if self.by_hand is None else self.by_hand[:, types]
        return replace(self, demand=replace(self.demand, **arrays), visits=self.visits[types], by_hand=by_hand)

    def profit(self, price: np.ndarray) -> float:
        """Return the expected profit per 1,000 visits, in currency, at prices [P, T] per type or [P, 1] for all."""
        cells = self.cell_profit(price) @ self.visits
        return float(PER_VISITS * cells.sum() / self.visits.sum() / CENTS)

    def profit_of_segments(self, price: np.ndarray, visits: np.ndarray) -> float:
        """Return the expected profit per 1,000 visits, in currency, of prices [P, S] for segments that mix the types.

        visits [S, T]: expected visits of the users in segment s who are of type t.
        """
        earned = [
            weight @ self.cell_profit(column[:, None]).sum(axis=0)
            for weight, column in zip(visits, price.T, strict=True)
        ]
        return float(PER_VISITS * sum(earned) / visits.sum() / CENTS)


def hand_set_prices(problem: PricingProblem) -> np.ndarray | None:
    """Return the prices in cents [P, S] set by hand for single segments, NaN elsewhere; None where there are none."""
    cells = problem.overrides.of_cells()
    if not len(cells):
        return None
    price = np.full((len(problem.products.product_id), len(problem.segments.segment_id)), np.nan)
    price[cells.product, cells.segment] = cells.price
    return price


def _by_type(demand: Demand) -> list[str]:
    """Return the names of the demand's arrays that have a row per type."""
    names = ("appeal", "sensitivity", "segment_appeal", "segment_sensitivity")
    return [field.name for field in fields(demand) if field.name in names]
