"""The best prices under constraints: find multipliers, recover prices that meet every limit, bound their loss."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from gpu_pricer.constraints.linear_constraints import LinearConstraints
from gpu_pricer.constraints.master import (
    DualIterate,
    blocks_of,
    caps_of_constraints,
    caps_of_priorities,
    round_up,
    solve_master,
)
from gpu_pricer.constraints.stock import Stock, StockSearch
from gpu_pricer.constraints.subproblems import LagrangianSubproblems, SalesSums
from gpu_pricer.constraints.warm_start import Start
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.tables.price_table import CENTS

log = logging.getLogger(__name__)

CLOSE = 2e-7
"""Share of the objective from which the search for multipliers goes on; the kernel's float32 sums are no more exact."""

FIRST_GUESS, NEARBY = 0.3, 0.02
"""Scaled multipliers of the second pass, after one without any; and by which share the first two passes lie on either
side of multipliers that are known."""

MOST_PASSES, STALLED = 40, 3
"""Most passes of one search for multipliers, 5 to 15 are usual; and after how many without progress it ends."""

MARGIN = 2e-7
"""Relative slack that the kernel's float32 sums must show, so that the float64 sums meet the limit."""

EASED = 1e-3
"""Share by which a relaxed limit is eased further, so that meeting it does not cost everything else."""

LEAST_VIOLATION, AT_CAP = 1e-6, 0.01
"""Share of its scale from which a limit counts as one that cannot be met; and the share of its cap that its multiplier
has then at least, while the multipliers of other limits are far smaller."""

PROGRESS = 0.9
"""The share of an earlier distance from the best multipliers, below which the distance has fallen."""

EXACT = 1e-12
"""Share of its scale by which rounding may move a float64 sum: a slice of fixed prices may lie exactly at its limit."""

ROUNDING = 1e-13
"""Relative error of float64 sums over all cells, by which the dual bound is raised so that it stays a bound."""

ROUNDS = 4
"""Most alternations between the multipliers and the shadow prices of stock; each is sought with the other fixed."""

STOCK_PASSES, TRIES = 40, 12
"""Most passes of one search for shadow prices of stock; most attempts to recover prices, and to round a mixture."""

MOST_LOSS, REFINED = 2e-7, 4
"""Share of the objective that rounding a mixture may cost, and most attempts to get there once all limits are met."""

TIGHTENING = 1.5
"""The multiple of one rounded mixture's shortfall that the next mixture must make up."""

LEAST_SCALE = 1e-9
"""The smallest scale of the dual, in currency, for an objective of 0 at today's prices."""


@dataclass(frozen=True)
class Solution:
    """Prices under constraints, given by their Lagrangian, with their sums, their objective and its upper bound.

    lagrangian: the Lagrangian whose best prices these are.
    linear_constraints: the inequalities to meet, relaxed ones with their eased right-hand sides.
    is_relaxed bool [K]: which inequalities were eased.
    sums: the sales at the prices, in float64. sales_today: at today's prices.
    rationed [P]: units that demand asks for and stock cannot serve even at the highest price.
    objective: in currency, without what the rationed units would earn.
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
        """How far the objective may be from the best one, as a share of the objective."""
        return (self.bound - self.objective) / abs(self.objective) if self.objective else float("inf")


class Solver:
    """Solver of one problem with one objective; the dual's variables z are scaled as in master.py."""

    def __init__(
        self,
        subproblems: LagrangianSubproblems,
        objective: np.ndarray,
        linear_constraints: LinearConstraints,
        stock: Stock,
        today: SalesSums,
    ) -> None:
        """objective [4]: weights of units, revenue, cost, base revenue; today: the sales at today's prices."""
        self.subproblems, self.objective, self.stock = subproblems, objective, stock
        self.linear_constraints, self.today = linear_constraints, today
        self.scale = max(abs(float(today.total.sum(axis=0) @ objective)), LEAST_SCALE)
        self.search = StockSearch(stock, subproblems.problem.products.today / CENTS)
        self.block = blocks_of((today.covered != 0).any(axis=2))
        self.iterates: list[DualIterate] = []

    def solve(self, start: Start | None) -> Solution:
        """Return prices that meet the limits, after relaxing those limits that cannot be met together."""
        z = None
        if start is not None:
            z = start.multiplier * self.linear_constraints.scale / self.scale
            self.search.start_at(start.stock_price)
        self._find_multipliers(self._around(z))
        is_relaxed = np.zeros(len(self.linear_constraints.names), np.bool_)
        while (unattainable := self._relax() & ~is_relaxed).any():
            is_relaxed |= unattainable
            self._find_multipliers(self._around(np.minimum(self._best().z, 1.0)))
        return self._recover_prices(is_relaxed)

    def _find_multipliers(self, first: list[np.ndarray]) -> None:
        """Seek multipliers and shadow prices of stock in turns; first: the multipliers of the first passes."""
        for turn in range(ROUNDS if self.stock.has_limits else 1):
            has_moved = self._find_stock_prices(first[0])
            if turn and not has_moved:
                break
            if self.stock.has_limits:
                self.iterates.clear()
            first = self._around(self._search_multipliers(first))
            if not len(first[0]):
                break

    def _around(self, z: np.ndarray | None) -> list[np.ndarray]:
        """Return the multipliers of the first passes: two, which lie around z [K] if it is known."""
        count = len(self.linear_constraints.names)
        if not count:
            return [np.zeros(0)]
        if z is None or not z.any():
            return [np.zeros(count), np.full(count, FIRST_GUESS)]
        return [z * (1 - NEARBY), z * (1 + NEARBY)]

    def _find_stock_prices(self, z: np.ndarray) -> bool:
        """Seek the shadow prices of stock for fixed multipliers; return whether any moved."""
        has_moved = False
        for _ in range(STOCK_PASSES if self.stock.has_limits else 0):
            if not self.search.advance(self._evaluate(z).units):
                break
            has_moved = True
        return has_moved

    def _search_multipliers(self, first: list[np.ndarray]) -> np.ndarray:
        """Return the multipliers z [K] with the lowest dual value found, for the present shadow prices of stock."""
        shorts: list[float] = []
        for z in [] if self.iterates else first:
            self._evaluate(z)
        for _ in range(MOST_PASSES if len(first[0]) else 0):
            mixture = solve_master(
                self.iterates, self._required(), caps_of_priorities(self.linear_constraints.priority)
            )
            lowest = self._best().dual_value(self._required())
            short = (lowest - mixture.value) / max(1.0, abs(lowest))
            shorts.append(short)
            log.info(
                "constraints: pass %d, at most %.2g %% from the best multipliers", self.subproblems.passes, 100 * short
            )
            has_stalled = len(shorts) > STALLED and short > PROGRESS * shorts[-1 - STALLED]
            if short <= CLOSE or has_stalled:
                break
            self._evaluate(mixture.z)
        return self._best().z

    def _best(self) -> DualIterate:
        """Return the iterate with the lowest dual value."""
        required = self._required()
        return min(self.iterates, key=lambda iterate: iterate.dual_value(required))

    def _required(self) -> np.ndarray:
        """Return what the left-hand sides must reach, as shares of their scales [K]."""
        return self.linear_constraints.required / self.linear_constraints.scale

    def _evaluate(self, z: np.ndarray) -> DualIterate:
        """Return the dual's iterate at z [K] and the present shadow prices of stock, and keep it; one pass."""
        sums, lagrangian_value = self.subproblems.solve(self._lagrangian(z[None]))
        achieved, starts = (
            self.linear_constraints.achieved(sums.covered),
            self.subproblems.problem.products.category_start,
        )
        charge = np.add.reduceat(self.search.price * sums.units, starts[:-1])
        iterate = DualIterate(
            z=z.copy(),
            lagrangian=lagrangian_value / self.scale,
            objective=self._by_block(sums.total @ self.objective - charge) / self.scale,
            achieved=self._by_block(achieved) / self.linear_constraints.scale,
            units=sums.units,
        )
        self.iterates.append(iterate)
        return iterate

    def _by_block(self, values: np.ndarray) -> np.ndarray:
        """Return values of categories [G] or [G, K] summed over blocks, [B] or [B, K]."""
        summed = np.zeros((int(self.block.max(initial=-1)) + 1, *values.shape[1:]))
        np.add.at(summed, self.block, values)
        return summed

    def _multiplier(self, z: np.ndarray) -> np.ndarray:
        """Return multipliers [..., K] in currency per unit of each left-hand side."""
        return z * self.scale / self.linear_constraints.scale

    def _lagrangian(self, z: np.ndarray, taken: np.ndarray | None = None) -> LagrangianWeights:
        """Return the Lagrangian in which every block takes one of the multipliers z [I, K], the first unless `taken`.

        taken int64 [B]: which of them a block takes.
        """
        problem = self.subproblems.problem
        iterate = np.zeros(len(problem.products.cost), np.int64)
        if taken is not None:
            iterate = np.repeat(taken[self.block], np.diff(problem.products.category_start))
        return LagrangianWeights(
            objective=self.objective,
            slices=self.subproblems.slices,
            coefficient=self.linear_constraints.coefficient,
            multiplier=self._multiplier(z),
            iterate=iterate,
            stock_price=self.search.price,
        )

    def _relax(self) -> np.ndarray:
        """Ease the limits that cannot be met, of one priority by the same share; return which they are, bool [K]."""
        constraints = self.linear_constraints
        is_relaxed = np.zeros(len(constraints.names), np.bool_)
        if not len(is_relaxed):
            return is_relaxed
        caps = caps_of_priorities(constraints.priority)
        mixture, required = solve_master(self.iterates, self._required(), caps), constraints.required.copy()
        for member, most, violation in zip(*caps, mixture.violation, strict=True):
            if violation > LEAST_VIOLATION:
                chosen = member & (mixture.z > AT_CAP * most)
                required[chosen] -= (violation * (1 + EASED) + EASED) * constraints.scale[chosen]
                is_relaxed |= chosen
        self.linear_constraints = replace(constraints, required=required)
        return is_relaxed

    def _recover_prices(self, is_relaxed: np.ndarray) -> Solution:
        """Return prices whose float64 sums meet the constraints; a warning is logged where no attempt does."""
        margin = np.full(len(is_relaxed), MARGIN)
        for _ in range(TRIES):
            lagrangian = self._mix(margin)
            sums = self.subproblems.evaluate(lagrangian)
            achieved = self.linear_constraints.achieved(sums.covered).sum(axis=0)
            violation = np.maximum(self.linear_constraints.violation(achieved) - EXACT, 0.0)
            excess = self.stock.excess(sums.units, self.search.price)
            if not violation.any() and not excess.any():
                break
            margin += 2 * violation
            if excess.any():
                self.search.lift(excess)
                self._evaluate_again(lagrangian)
        else:
            short = max(violation.max(initial=0.0), (excess / np.maximum(self.stock.limit, 1.0)).max(initial=0.0))
            log.warning("prices miss a limit by %.2g of it after %d tries", short, TRIES)
        return self._solution(lagrangian, sums, is_relaxed)

    def _mix(self, margin: np.ndarray) -> LagrangianWeights:
        """Return the Lagrangian of the best rounded mixture whose relative slack in the kernel's sums is `margin` [K].

        Where rounding misses more of a limit than the mixture, the next mixture must make up for it. A pass at the
        mixture's shadow prices then adds the columns that it lacks, as after a mixture whose rounding costs more than
        MOST_LOSS. Of all attempts the one comes back that misses least and, of these, costs least.
        """
        if not len(margin):
            return self._lagrangian(np.zeros((1, 0)))
        required, extra, least = self._required() + margin, np.zeros_like(margin), (np.inf, np.inf)
        for tries in range(TRIES):
            mixture = solve_master(
                self.iterates, required + extra, caps_of_constraints(self.linear_constraints.priority)
            )
            taken = round_up(self.iterates, mixture)
            achieved = np.stack([at.achieved for at in self.iterates])[taken, np.arange(len(taken))].sum(axis=0)
            missing = np.maximum(required - achieved - mixture.violation - EXACT, 0.0)
            found = missing.max(), float(mixture.z @ np.maximum(achieved - required, 0.0))
            if found < least:
                best, least = taken, found
            if least <= (0.0, MOST_LOSS) or (least[0] == 0 and tries >= REFINED):
                break
            extra += TIGHTENING * missing
            self._evaluate(mixture.z)
        used, taken = np.unique(best, return_inverse=True)
        return self._lagrangian(np.stack([self.iterates[i].z for i in used]), taken.reshape(-1))

    def _is_movable(self) -> np.ndarray:
        """Return which left-hand sides differ between the iterates, bool [K].

        The others are of fixed prices: what the kernel's rounding makes them lack, no multiplier can buy.
        """
        return np.ptp(np.stack([at.achieved.sum(axis=0) for at in self.iterates]), axis=0) > MARGIN

    def _evaluate_again(self, lagrangian: LagrangianWeights) -> None:
        """Search again from the Lagrangian's multipliers: the iterates are of outdated shadow prices of stock."""
        self.iterates.clear()
        self._search_multipliers(list(lagrangian.multiplier * self.linear_constraints.scale / self.scale))

    def _solution(self, lagrangian: LagrangianWeights, sums: SalesSums, is_relaxed: np.ndarray) -> Solution:
        """Return the prices of the Lagrangian with their objective and the lowest dual bound found, in float64."""
        constraints, stock_price = self.linear_constraints, self.search.price
        z = np.where(self._is_movable(), self._best().z, 0.0)
        multiplier, rationed = self._multiplier(z), self.stock.rationed(sums.units, stock_price)
        category_bound = self.subproblems.category_bounds(self._lagrangian(z[None]))
        start = Start(multiplier, stock_price)
        objective = objective_at(self.objective, sums, rationed, self.stock)
        return Solution(
            lagrangian=lagrangian,
            linear_constraints=constraints,
            is_relaxed=is_relaxed,
            sums=sums,
            sales_today=self.today,
            rationed=rationed,
            objective=objective,
            category_bound=category_bound,
            bound=dual_bound(category_bound, start, constraints, self.stock, objective),
            start=start,
            passes=self.subproblems.passes,
        )


def objective_at(objective: np.ndarray, sums: SalesSums, rationed: np.ndarray, stock: Stock) -> float:
    """Return the objective in currency, without what the rationed units [P] would earn.

    objective [4]: weights of units, revenue, cost and base revenue.
    """
    return float((sums.total @ objective).sum() - rationed @ stock.highest_price)


def dual_bound(
    category_bound: np.ndarray, start: Start, constraints: LinearConstraints, stock: Stock, objective: float
) -> float:
    """Return an objective in currency that no prices which meet the constraints exceed (weak duality).

    category_bound [G]: of the Lagrangian at the multipliers and shadow prices of `start`, see category_bounds.
    objective: in currency, by which rounding is allowed for.
    """
    most = float(category_bound.sum()) + stock.limit_value(start.stock_price)
    return most - float(start.multiplier @ constraints.required) + ROUNDING * abs(objective)
