"""Prices under constraints with what they earn, how far they may be from the best ones, and how both are computed."""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.constraints.linear_constraints import LinearConstraints
from gpu_pricer.constraints.stock import Stock
from gpu_pricer.constraints.subproblems import LagrangianSubproblems, SalesSums
from gpu_pricer.constraints.warm_start import Start
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights

EXACT = 1e-12
"""Share of its scale by which rounding may move a float64 sum: a slice of fixed prices may lie exactly at its limit."""

ROUNDING = 1e-13
"""Relative error of float64 sums over all cells, by which the dual bound is raised so that it stays a bound."""


@dataclass(frozen=True)
class Solution:
    """Prices under constraints, given by their Lagrangian, with their sums, their objective and its upper bound.

    lagrangian: the Lagrangian whose best prices these are.
    linear_constraints: the inequalities to meet, relaxed ones with their eased right-hand sides.
    is_relaxed bool [K]: which inequalities were eased.
    sums: the sales at the prices, in float64. sales_today: at today's prices.
    rationed [P]: units that demand asks for and stock cannot serve.
    objective: in currency, of what stock can serve.
    category_bound [G]: in currency; the most that each category can add to the Lagrangian at `start`.
    bound: in currency; no prices that meet the constraints have a higher objective.
    start: the multipliers and shadow prices found, from which the next search can start.
    passes: how often all cells were computed.
    """

    lagrangian: LagrangianWeights
    linear_constraints: LinearConstraints
    is_relaxed: np.ndarray
    sums: SalesSums
    sales_today: SalesSums
    rationed: np.ndarray
    objective: float
    category_bound: np.ndarray
    bound: float
    start: Start
    passes: int

    @property
    def achieved(self) -> np.ndarray:
        """The left-hand sides of the linear constraints [K]."""
        return self.linear_constraints.achieved(self.sums.covered).sum(axis=0)

    @property
    def gap(self) -> float:
        """How far the objective may be from the best one, as a share of the objective; infinite for one of 0."""
        return (self.bound - self.objective) / abs(self.objective) if self.objective else float("inf")


@dataclass(frozen=True)
class Valuation:
    """What all prices of one problem are valued by for one objective.

    objective [6]: weights of SUMS.
    sales_today: the sales at today's prices, in float64.
    """

    subproblems: LagrangianSubproblems
    objective: np.ndarray
    sales_today: SalesSums

    def solution(
        self,
        lagrangian: LagrangianWeights,
        linear_constraints: LinearConstraints,
        is_relaxed: np.ndarray,
        sums: SalesSums,
        start: Start,
        category_bound: np.ndarray,
        bounded: LinearConstraints | None = None,
    ) -> Solution:
        """Return the prices of the Lagrangian, whose sums are known, with their objective and its bound, in float64.

        category_bound [G]: see Solution, at the multipliers of `start`. bounded: the constraints for which the bound
        holds; linear_constraints unless given.
        """
        stock, objective = self.subproblems.stock, float((sums.total @ self.objective).sum())
        bounded = linear_constraints if bounded is None else bounded
        return Solution(
            lagrangian=lagrangian,
            linear_constraints=linear_constraints,
            is_relaxed=is_relaxed,
            sums=sums,
            sales_today=self.sales_today,
            rationed=stock.rationed(sums.units),
            objective=objective,
            category_bound=category_bound,
            bound=_dual_bound(category_bound, start, bounded, stock, objective),
            start=start,
            passes=self.subproblems.passes,
        )


def _dual_bound(
    category_bound: np.ndarray, start: Start, constraints: LinearConstraints, stock: Stock, objective: float
) -> float:
    """Return an objective in currency that no prices which meet the constraints exceed (weak duality).

    category_bound [G]: of the Lagrangian at the multipliers and shadow prices of `start`, see category_bounds.
    objective: in currency, by which rounding is allowed for.
    """
    most = float(category_bound.sum()) + stock.limit_value(start.stock_price)
    return most - float(start.multiplier @ constraints.required) + ROUNDING * abs(objective)
