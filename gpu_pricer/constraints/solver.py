"""The best prices under constraints: find multipliers, recover prices that meet every limit, bound their loss."""

import logging
from dataclasses import replace

import numpy as np

from gpu_pricer.constraints.dual import MARGIN, Dual
from gpu_pricer.constraints.linear_constraints import LinearConstraints
from gpu_pricer.constraints.master import (
    Mixture,
    caps_of_constraints,
    caps_of_priorities,
    round_best,
    round_up,
    solve_master,
)
from gpu_pricer.constraints.solution import EXACT, Solution, Valuation
from gpu_pricer.constraints.subproblems import SalesSums
from gpu_pricer.constraints.unit_value import unit_value_of
from gpu_pricer.constraints.warm_start import Start
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights

log = logging.getLogger(__name__)

CLOSE = 2e-7
"""Share of the objective from which the search for multipliers goes on; the kernel's float32 sums are no more exact."""

FIRST_GUESS, NEARBY = 0.3, 0.02
"""Scaled multipliers of the second pass, after one without any; and by which share the first two passes lie on either
side of multipliers that are known."""

MOST_PASSES, STALLED = 40, 3
"""Most passes of one search for multipliers, 5 to 15 are usual; and after how many without progress it ends."""

EASED = 1e-3
"""Share by which a relaxed limit is eased further, so that meeting it does not cost everything else."""

LEAST_VIOLATION, AT_CAP = 1e-6, 0.01
"""Share of its scale from which a limit counts as one that cannot be met; and the share of its cap that its multiplier
has then at least, while the multipliers of other limits are far smaller."""

PROGRESS = 0.9
"""The share of an earlier distance from the best multipliers, below which the distance has fallen."""

STOCK_PASSES, TRIES = 40, 12
"""Most passes of a search for shadow prices of stock alone; most attempts to recover prices, and to round a mixture."""

DISCOUNTS = (0.01, 0.02, 0.03, 0.05, 0.08)
"""Shares of today's price by which scarce products are priced below what clears their stock, in a pass each."""

COARSE, STOCK_STALLED = 1e-3, 6
"""Share of the objective by which the best mixture is further from the dual's value only where limits of stock make
columns unlike each other; and after how many passes without progress a search ends there."""

LIFTS = 3
"""Most attempts to bring demand below the stock that it exceeds by a jump between rungs, beside other limits."""

MOST_LOSS, REFINED = 2e-7, 4
"""Share of the objective that rounding a mixture may cost, and most attempts to get there once all limits are met."""

DISTANT = 1e-3
"""Gap above which prices are sought, too, that lie exactly at their limits; with many prices under each limit gaps are
far smaller, and a rung more or less of one price does not matter."""

TIGHTENING = 1.5
"""The multiple of one rounded mixture's shortfall that the next mixture must make up."""


class Solver:
    """Solver of one problem with one objective; the dual's variables z are scaled as in master.py."""

    def __init__(self, valuation: Valuation, linear_constraints: LinearConstraints) -> None:
        self.valuation, self.subproblems = valuation, valuation.subproblems
        self.stock, self.dual = valuation.subproblems.stock, Dual(valuation, linear_constraints)

    def solve(self, start: Start | None) -> Solution:
        """Return prices that meet the limits, after relaxing those limits that cannot be met together."""
        z = None
        if start is not None:
            z = self.dual.scaled(start.multiplier)
            if self.stock.has_limits:
                self.dual.search.start_at(start.stock_price, self.dual.unit_value(z))
        self._search_multipliers(self._around(z))
        is_relaxed = np.zeros(len(self.dual.linear_constraints.names), np.bool_)
        while (unattainable := self._relax() & ~is_relaxed).any():
            is_relaxed |= unattainable
            self._search_multipliers(self._around(np.minimum(self.dual.best().z, 1.0)))
        return self._recover_prices(is_relaxed)

    def _discount_scarce(self) -> None:
        """Add columns in which scarce products cost less than would clear their stock, and still sell out.

        Where a ceiling of the price index binds beside floors of units, what a scarce product adds to the Lagrangian
        hardly depends on its price, and the search finds the highest and the lowest prices alone.
        """
        z = self.dual.best().z * (1 - NEARBY)
        for discount in DISCOUNTS:
            self.dual.evaluate(z, discount)

    def _mixture(self, required: np.ndarray) -> Mixture:
        """Return the best mixture that reaches the left-hand sides [K], as shares of their scales."""
        caps = caps_of_constraints(self.dual.linear_constraints.priority)
        return solve_master(self.dual.iterates, required, caps)

    def _around(self, z: np.ndarray | None) -> list[np.ndarray]:
        """Return the multipliers of the first passes: two, which lie around z [K] if it is known."""
        count = len(self.dual.linear_constraints.names)
        if not count:
            return [np.zeros(0)]
        if z is None or not z.any():
            return [np.zeros(count), np.full(count, FIRST_GUESS)]
        return [z * (1 - NEARBY), z * (1 + NEARBY)]

    def _search_multipliers(self, first: list[np.ndarray]) -> None:
        """Seek the multipliers with the lowest dual value, and in the same passes the shadow prices of stock.

        first: the multipliers z [K] of the first passes.
        """
        if not len(first[0]):
            return self._search_stock_prices(first[0])
        shorts: list[float] = []
        for z in [] if self.dual.iterates else first:
            self.dual.evaluate(z)
            self.dual.advance_stock()
        for _ in range(MOST_PASSES):
            mixture = solve_master(
                self.dual.iterates, self.dual.required(), caps_of_priorities(self.dual.linear_constraints.priority)
            )
            lowest = self.dual.best().dual_value(self.dual.required())
            short = (lowest - mixture.value) / max(1.0, abs(lowest))
            shorts.append(short)
            log.info(
                "constraints: pass %d, at most %.2g %% from the best multipliers", self.subproblems.passes, 100 * short
            )
            is_coarse = self.stock.has_limits and short > COARSE
            stalled = STOCK_STALLED if is_coarse else STALLED
            has_stalled = len(shorts) > stalled and short > PROGRESS * shorts[-1 - stalled]
            if short <= CLOSE or has_stalled:
                break
            self.dual.evaluate(mixture.z)
            self.dual.advance_stock()
        if is_coarse:
            self._discount_scarce()
        return None

    def _search_stock_prices(self, z: np.ndarray) -> None:
        """Seek the shadow prices of stock for multipliers z [K]."""
        self.dual.evaluate(z)
        for _ in range(STOCK_PASSES):
            if not self.dual.advance_stock():
                break
            self.dual.evaluate(z)

    def _relax(self) -> np.ndarray:
        """Ease the limits that cannot be met, of one priority by the same share; return which they are, bool [K]."""
        constraints = self.dual.linear_constraints
        is_relaxed = np.zeros(len(constraints.names), np.bool_)
        if not len(is_relaxed):
            return is_relaxed
        caps = caps_of_priorities(constraints.priority)
        mixture, required = solve_master(self.dual.iterates, self.dual.required(), caps), constraints.required.copy()
        for member, most, violation in zip(*caps, mixture.violation, strict=True):
            if violation > LEAST_VIOLATION:
                chosen = member & (mixture.z > AT_CAP * most)
                required[chosen] -= (violation * (1 + EASED) + EASED) * constraints.scale[chosen]
                is_relaxed |= chosen
        self.dual.linear_constraints = replace(constraints, required=required)
        return is_relaxed

    def _recover_prices(self, is_relaxed: np.ndarray) -> Solution:
        """Return prices whose float64 sums meet the constraints; a warning is logged where no attempt does.

        Where demand exceeds a stock that higher prices could keep, the shadow price of the stock is raised as long as
        the other limits hold.
        """
        margin, lagrangian = np.full(len(is_relaxed), MARGIN), None
        best: tuple[LagrangianWeights, SalesSums, float] | None = None
        for tries in range(TRIES):
            lagrangian = self._mix(margin) if lagrangian is None else lagrangian
            sums = self.subproblems.evaluate(lagrangian)
            achieved = self.dual.linear_constraints.achieved(sums.covered).sum(axis=0)
            violation = np.maximum(self.dual.linear_constraints.violation(achieved) - EXACT, 0.0)
            if violation.any() and best is not None and best[2] == 0:
                break
            best = lagrangian, sums, float(violation.max(initial=0.0))
            if violation.any():
                margin, lagrangian = margin + 2 * violation, None
                continue
            lifted = self._lifted(lagrangian, sums)
            if lifted is None or (len(is_relaxed) and tries >= LIFTS):
                break
            lagrangian = lifted
        assert best is not None
        lagrangian, sums, short = best
        if 0 < short <= EASED and self.stock.has_limits:
            is_relaxed = is_relaxed | self._ease(sums)
        elif short > 0:
            log.warning("prices miss a limit by %.2g of it after %d tries", short, TRIES)
        found = self._solution(lagrangian, sums, is_relaxed)
        at_limit = self._at_limits(found) if len(is_relaxed) and found.gap > DISTANT and short == 0 else None
        return found if at_limit is None else self._solution(*at_limit, is_relaxed)

    def _at_limits(self, found: Solution) -> tuple[LagrangianWeights, SalesSums] | None:
        """Return prices that meet the limits without any slack and earn more than those found; None without such.

        Today's prices lie exactly at limits that are relative to them. Under a limit of few prices, a slack against the
        rounding of the kernel's sums costs a whole rung, so these prices are tried, and judged by their float64 sums.
        """
        lagrangian = self._mix(np.full(len(found.is_relaxed), -MARGIN))
        sums = self.subproblems.evaluate(lagrangian)
        achieved = self.dual.linear_constraints.achieved(sums.covered).sum(axis=0)
        is_met = (self.dual.linear_constraints.violation(achieved) <= EXACT).all()
        is_better = float((sums.total @ self.valuation.objective).sum()) > found.objective
        return (lagrangian, sums) if is_met and is_better else None

    def _ease(self, sums: SalesSums) -> np.ndarray:
        """Ease the limits to what the sums reach, and return which those are, bool [K].

        Where every unit in stock must sell, no margin is left for the rounding of the kernel's sums.
        """
        constraints = self.dual.linear_constraints
        achieved = constraints.achieved(sums.covered).sum(axis=0)
        is_missed = constraints.violation(achieved) > EXACT
        required = np.where(is_missed, achieved, constraints.required)
        self.dual.linear_constraints = replace(constraints, required=required)
        return is_missed

    def _lifted(self, lagrangian: LagrangianWeights, sums: SalesSums) -> LagrangianWeights | None:
        """Return the Lagrangian with higher shadow prices where demand exceeds stock, None where that is nowhere."""
        if not self.stock.has_limits:
            return None
        unit_value = unit_value_of(self.subproblems.problem, lagrangian)
        price = self.dual.search.lift(sums.units, lagrangian.stock_price, unit_value)
        return None if price is lagrangian.stock_price else replace(lagrangian, stock_price=price)

    def _mix(self, margin: np.ndarray) -> LagrangianWeights:
        """Return the Lagrangian of the best rounded mixture whose relative slack in the kernel's sums is `margin` [K].

        Where rounding misses more of a limit than the mixture, the next mixture must make up for it. A pass at the
        mixture's shadow prices then adds the columns that it lacks, as after a mixture whose rounding costs more than
        MOST_LOSS. Of all attempts the one comes back that misses least and, of these, costs least.
        """
        if not len(margin):
            return self.dual.mixed(np.full(int(self.dual.block.max(initial=-1)) + 1, len(self.dual.iterates) - 1))
        required, extra, least = self.dual.required() + margin, np.zeros_like(margin), (np.inf, np.inf)
        for tries in range(TRIES):
            mixture = self._mixture(required + extra)
            taken = self._round(required, mixture)
            achieved = np.stack([at.achieved for at in self.dual.iterates])[taken, np.arange(len(taken))].sum(axis=0)
            missing = np.maximum(required - achieved - mixture.violation - EXACT, 0.0)
            found = missing.max(), float(mixture.z @ np.maximum(achieved - required, 0.0))
            if found < least:
                best, least = taken, found
            refined = 0 if self.stock.has_limits else REFINED
            if least <= (0.0, MOST_LOSS) or (least[0] == 0 and tries >= refined):
                break
            extra += TIGHTENING * missing
            self.dual.evaluate(mixture.z)
        return self.dual.mixed(best)

    def _round(self, required: np.ndarray, mixture: Mixture) -> np.ndarray:
        """Return which iterate each block takes, int64 [B]; beside limits of stock columns are unlike."""
        found = round_best(self.dual.iterates, required, mixture) if self.stock.has_limits else None
        return round_up(self.dual.iterates, mixture) if found is None else found

    def _solution(self, lagrangian: LagrangianWeights, sums: SalesSums, is_relaxed: np.ndarray) -> Solution:
        """Return the prices of the Lagrangian with their objective and the lowest dual bound found, in float64."""
        dual = self.dual
        z = np.where(dual.is_movable(), dual.best().z, 0.0)
        price = dual.best().stock_price
        if self.stock.has_limits:
            price = np.minimum(price, dual.unit_value(z).most)
        start = Start(dual.multiplier(z), price)
        category_bound = self.subproblems.category_bounds(dual.lagrangian(z[None], price))
        return self.valuation.solution(lagrangian, dual.linear_constraints, is_relaxed, sums, start, category_bound)
