"""The best prices under constraints: find multipliers, recover prices that meet every limit, bound their loss."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from gpu_pricer.constraints.dual import DualPoint, estimate_curvature, minimise_dual, priority_caps
from gpu_pricer.constraints.linear_constraints import LinearConstraints
from gpu_pricer.constraints.mixing import CategoryTotals, mix
from gpu_pricer.constraints.stock import Stock, StockSearch
from gpu_pricer.constraints.subproblems import LagrangianSubproblems, SalesSums
from gpu_pricer.constraints.warm_start import Start
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.tables.price_table import CENTS

log = logging.getLogger(__name__)

MARGIN = 2e-7
"""Relative slack that the kernel's float32 sums must show, so that the float64 sums meet the limit."""

MOST_LOSS = 2e-7
"""Share of the objective that the slack of a feasible iterate may cost."""

EASED = 1e-3
"""Share by which a relaxed limit is eased further, so that meeting it does not cost everything else."""

ROUNDING = 1e-13
"""Relative error of float64 sums over all cells, by which the dual bound is raised so that it stays a bound."""

AT_CAP = 0.999
"""Share of a priority's cap from which its multipliers count as capped."""

ROUNDS = 4
"""Most alternations between the multipliers and the shadow prices of stock; each is sought with the other fixed."""

STOCK_PASSES, FEASIBLE_PASSES, TRIES = 40, 6, 12
"""Most passes of one search for shadow prices of stock, and for a feasible iterate; most attempts to recover prices."""

OVERSHOOT = 1.5
"""The multiple of the margin that a Newton step aims at, because prices move in jumps."""

LEAST_SCALE = 1e-9
"""The smallest scale of the dual, in currency, for an objective of 0 at today's prices."""


@dataclass(frozen=True)
class Solution:
    """Prices under constraints, given by their Lagrangian, with their sums, their objective and its upper bound.

    lagrangian: the Lagrangian whose best prices these are.
    linear_constraints: the inequalities to meet, relaxed ones with their eased right-hand sides.
    is_relaxed bool [K]: which inequalities were eased.
    sums: the sales at the prices, in float64.
    rationed [P]: units that demand asks for and stock cannot serve even at the highest price.
    objective: in currency, without what the rationed units would earn.
    bound: in currency; no prices that meet the constraints have a higher objective.
    start: the multipliers and shadow prices found, from which the next search can start.
    passes: how often all cells were computed.
    """

    lagrangian: LagrangianWeights
    linear_constraints: LinearConstraints
    is_relaxed: np.ndarray
    sums: SalesSums
    rationed: np.ndarray
    objective: float
    bound: float
    start: Start
    passes: int

    @property
    def achieved(self) -> np.ndarray:
        """The left-hand sides of the linear constraints [K]."""
        return self.linear_constraints.achieved(self.sums.covered).sum(axis=0)

    @property
    def gap(self) -> float:
        """How far the objective may be from the best one, as a share of the objective."""
        return (self.bound - self.objective) / abs(self.objective) if self.objective else float("inf")


@dataclass(frozen=True)
class DualIterate:
    """The dual at some multipliers and shadow prices, and the sums of the prices that are best for these.

    totals: objective and left-hand sides per category; units [P]: the units sold of every product.
    """

    point: DualPoint
    totals: CategoryTotals
    units: np.ndarray


class Solver:
    """Solver of one problem with one objective; the dual's variables z are scaled as in dual.py."""

    def __init__(
        self,
        subproblems: LagrangianSubproblems,
        objective: np.ndarray,
        linear_constraints: LinearConstraints,
        stock: Stock,
        objective_today: float,
    ) -> None:
        """objective [4]: weights of units, revenue, cost, base revenue; objective_today: at today's prices."""
        self.subproblems, self.objective, self.stock = subproblems, objective, stock
        self.linear_constraints = linear_constraints
        self.scale = max(abs(objective_today), LEAST_SCALE)
        self.search = StockSearch(stock, subproblems.problem.products.today / CENTS)
        self.known_curvature: np.ndarray | None = None
        self.iterates: list[DualIterate] = []

    def solve(self, start: Start | None) -> Solution:
        """Return prices that meet the limits, after relaxing those limits that cannot be met together."""
        z = np.zeros(len(self.linear_constraints.names))
        if start is not None:
            z = start.multiplier * self.linear_constraints.scale / self.scale
            self.known_curvature = start.curvature
            self.search.start_at(start.stock_price)
        best = self._find_multipliers(z)
        is_relaxed = self._is_unattainable(best.point)
        if is_relaxed.any():
            self.linear_constraints, self.known_curvature = self._relax(best.point, is_relaxed), None
            best = self._find_multipliers(np.minimum(best.point.z, 1.0))
        return self._recover_prices(best, is_relaxed)

    def _find_multipliers(self, z: np.ndarray) -> DualIterate:
        """Seek multipliers and shadow prices of stock in turns; return the iterate with the lowest dual value."""
        for turn in range(ROUNDS):
            has_moved = self._find_stock_prices(z)
            if turn and not has_moved:
                break
            self.iterates.clear()
            if not len(z):
                return self._evaluate(z)
            z = minimise_dual(lambda at: self._evaluate(at).point, z, self.linear_constraints.priority).z
            if not self.stock.has_limits:
                break
        return min(self.iterates, key=lambda iterate: iterate.point.value)

    def _find_stock_prices(self, z: np.ndarray) -> bool:
        """Seek the shadow prices of stock for fixed multipliers; return whether any moved."""
        has_moved = False
        for _ in range(STOCK_PASSES if self.stock.has_limits else 0):
            if not self.search.advance(self._evaluate(z).units):
                break
            has_moved = True
        return has_moved

    def _evaluate(self, z: np.ndarray) -> DualIterate:
        """Return the dual's iterate at z [K] and the present shadow prices of stock, and keep it; one pass."""
        required = self.linear_constraints.required / self.linear_constraints.scale
        sums, lagrangian_value = self.subproblems.solve(self._lagrangian(z))
        totals = CategoryTotals(sums.total @ self.objective, self.linear_constraints.achieved(sums.covered))
        value = (lagrangian_value + self.stock.limit_value(self.search.price)) / self.scale - z @ required
        slack = -self.linear_constraints.violation(totals.achieved.sum(axis=0))
        self.iterates.append(DualIterate(DualPoint(z.copy(), value, slack), totals, sums.units))
        if len(z):
            shown = np.array2string(slack, precision=2)
            log.info("constraints: pass %d, relative slack %s", self.subproblems.passes, shown)
        return self.iterates[-1]

    def _multiplier(self, z: np.ndarray) -> np.ndarray:
        """Return the multipliers [K] in currency per unit of each left-hand side."""
        return z * self.scale / self.linear_constraints.scale

    def _lagrangian(
        self, z: np.ndarray, second: np.ndarray | None = None, takes_second: np.ndarray | None = None
    ) -> LagrangianWeights:
        """Return the Lagrangian at z, and at z = second for the categories of takes_second, bool [G]."""
        problem = self.subproblems.problem
        products_take_second = np.zeros(len(problem.products.cost), np.bool_)
        if takes_second is not None:
            products_take_second = np.repeat(takes_second, np.diff(problem.products.category_start))
        return LagrangianWeights(
            objective=self.objective,
            slices=self.subproblems.slices,
            coefficient=self.linear_constraints.coefficient,
            multiplier=np.stack([self._multiplier(at) for at in (z, z if second is None else second)]),
            takes_second=products_take_second,
            stock_price=self.search.price,
        )

    def _is_unattainable(self, point: DualPoint) -> np.ndarray:
        """Return which limits are missed although the multipliers of their priority have reached the cap, bool [K]."""
        member, caps = priority_caps(self.linear_constraints.priority)
        is_capped = (member & (member @ point.z >= AT_CAP * caps)[:, None]).any(axis=0)
        return is_capped & (point.slack < 0) & (point.z > 0)

    def _relax(self, point: DualPoint, is_relaxed: np.ndarray) -> LinearConstraints:
        """Return the constraints with relaxed limits that can be met, all of one priority eased by the same share."""
        constraints = self.linear_constraints
        required = constraints.required.copy()
        for priority in np.unique(constraints.priority[is_relaxed]):
            chosen = is_relaxed & (constraints.priority == priority)
            share = -point.slack[chosen].min() * (1 + EASED) + EASED
            required[chosen] -= share * constraints.scale[chosen]
        return replace(constraints, required=required)

    def _recover_prices(self, best: DualIterate, is_relaxed: np.ndarray) -> Solution:
        """Return prices whose float64 sums meet the constraints; a warning is logged where no attempt does."""
        margin = np.full(len(best.point.z), MARGIN)
        for _ in range(TRIES):
            feasible = self._feasible_iterate(best, margin)
            lagrangian = self._mix(best, feasible, margin)
            sums = self.subproblems.evaluate(lagrangian)
            achieved = self.linear_constraints.achieved(sums.covered).sum(axis=0)
            violation = np.maximum(self.linear_constraints.violation(achieved), 0.0)
            excess = self.stock.excess(sums.units, self.search.price)
            if not violation.any() and not excess.any():
                break
            margin += 2 * violation
            if excess.any():
                self.search.lift(excess)
                self.iterates.clear()
                best = self._evaluate(best.point.z)
        else:
            short = max(violation.max(initial=0.0), (excess / np.maximum(self.stock.limit, 1.0)).max(initial=0.0))
            log.warning("prices miss a limit by %.2g of it after %d tries", short, TRIES)
        return self._solution(feasible.point, lagrangian, sums, is_relaxed)

    def _mix(self, best: DualIterate, feasible: DualIterate, margin: np.ndarray) -> LagrangianWeights:
        """Return the Lagrangian of the cheapest mixture whose relative slack in the kernel's sums is `margin` [K]."""
        if feasible is best:
            return self._lagrangian(best.point.z)
        required = self.linear_constraints.required + margin * self.linear_constraints.scale
        takes_feasible = mix(best.totals, feasible.totals, required)
        return self._lagrangian(best.point.z, feasible.point.z, takes_feasible)

    def _feasible_iterate(self, best: DualIterate, margin: np.ndarray) -> DualIterate:
        """Return the cheapest iterate near `best` whose relative slack is at least `margin` [K], by Newton steps.

        Where no iterate has that slack, the last one comes back.
        """
        iterate, feasible, least = best, None, np.inf
        for tries in range(FEASIBLE_PASSES + 1):
            spare = iterate.point.slack - margin
            cost = float(iterate.point.z @ spare)
            if (spare >= 0).all() and cost < least:
                feasible, least = iterate, cost
            if least <= MOST_LOSS or tries == FEASIBLE_PASSES:
                break
            iterate = self._evaluate(self._newton_step(iterate.point, OVERSHOOT * margin))
        return feasible or iterate

    def _newton_step(self, point: DualPoint, slack: np.ndarray) -> np.ndarray:
        """Return the z [K] that should lead to the slack [K] for every limit that binds or falls short of it."""
        is_active = (point.z > 0) | (point.slack < slack)
        step = np.zeros_like(slack)
        curvature = self._curvature(point)[np.ix_(is_active, is_active)]
        step[is_active] = np.linalg.solve(curvature, (slack - point.slack)[is_active])
        return np.maximum(point.z + step, 0.0)

    def _curvature(self, point: DualPoint) -> np.ndarray:
        return estimate_curvature([iterate.point for iterate in self.iterates], point.z, self.known_curvature)

    def _solution(
        self, point: DualPoint, lagrangian: LagrangianWeights, sums: SalesSums, is_relaxed: np.ndarray
    ) -> Solution:
        """Return the prices of the Lagrangian with their objective and the dual bound of the point, in float64."""
        constraints, stock_price = self.linear_constraints, self.search.price
        multiplier, rationed = self._multiplier(point.z), self.stock.rationed(sums.units, stock_price)
        bound = (
            self.subproblems.compute_bound(self._lagrangian(point.z))
            + self.stock.limit_value(stock_price)
            - float(multiplier @ constraints.required)
        )
        objective = float((sums.total @ self.objective).sum() - rationed @ self.stock.highest_price)
        bound += ROUNDING * abs(objective)
        start = Start(multiplier, stock_price, self._curvature(point))
        passes = self.subproblems.passes
        return Solution(lagrangian, constraints, is_relaxed, sums, rationed, objective, bound, start, passes)
