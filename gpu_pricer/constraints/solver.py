"""The best prices under constraints: find multipliers, recover prices that meet every limit, bound their loss."""

import logging
from dataclasses import replace

import numpy as np

from gpu_pricer.constraints.dual import MARGIN, Dual
from gpu_pricer.constraints.linear_constraints import LinearConstraints
from gpu_pricer.constraints.master import caps_of_constraints, caps_of_priorities, round_up, solve_master
from gpu_pricer.constraints.solution import EXACT, Solution, Valuation
from gpu_pricer.constraints.subproblems import SalesSums
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

ROUNDS = 4
"""Most alternations between the multipliers and the shadow prices of stock; each is sought with the other fixed."""

STOCK_PASSES, TRIES = 40, 12
"""Most passes of one search for shadow prices of stock; most attempts to recover prices, and to round a mixture."""

MOST_LOSS, REFINED = 2e-7, 4
"""Share of the objective that rounding a mixture may cost, and most attempts to get there once all limits are met."""

TIGHTENING = 1.5
"""The multiple of one rounded mixture's shortfall that the next mixture must make up."""


class Solver:
    """Solver of one problem with one objective; the dual's variables z are scaled as in master.py."""

    def __init__(self, valuation: Valuation, linear_constraints: LinearConstraints) -> None:
        self.valuation, self.subproblems, self.stock = valuation, valuation.subproblems, valuation.stock
        self.dual = Dual(valuation, linear_constraints)

    def solve(self, start: Start | None) -> Solution:
        """Return prices that meet the limits, after relaxing those limits that cannot be met together."""
        z = None
        if start is not None:
            z = self.dual.scaled(start.multiplier)
            self.dual.search.start_at(start.stock_price)
        self._find_multipliers(self._around(z))
        is_relaxed = np.zeros(len(self.dual.linear_constraints.names), np.bool_)
        while (unattainable := self._relax() & ~is_relaxed).any():
            is_relaxed |= unattainable
            self._find_multipliers(self._around(np.minimum(self.dual.best().z, 1.0)))
        return self._recover_prices(is_relaxed)

    def _find_multipliers(self, first: list[np.ndarray]) -> None:
        """Seek multipliers and shadow prices of stock in turns; first: the multipliers of the first passes."""
        for turn in range(ROUNDS if self.stock.has_limits else 1):
            has_moved = self._find_stock_prices(first[0])
            if turn and not has_moved:
                break
            if self.stock.has_limits:
                self.dual.iterates.clear()
            first = self._around(self._search_multipliers(first))
            if not len(first[0]):
                break

    def _around(self, z: np.ndarray | None) -> list[np.ndarray]:
        """Return the multipliers of the first passes: two, which lie around z [K] if it is known."""
        count = len(self.dual.linear_constraints.names)
        if not count:
            return [np.zeros(0)]
        if z is None or not z.any():
            return [np.zeros(count), np.full(count, FIRST_GUESS)]
        return [z * (1 - NEARBY), z * (1 + NEARBY)]

    def _find_stock_prices(self, z: np.ndarray) -> bool:
        """Seek the shadow prices of stock for fixed multipliers; return whether any moved."""
        has_moved = False
        for _ in range(STOCK_PASSES if self.stock.has_limits else 0):
            if not self.dual.search.advance(self.dual.evaluate(z).units):
                break
            has_moved = True
        return has_moved

    def _search_multipliers(self, first: list[np.ndarray]) -> np.ndarray:
        """Return the multipliers z [K] with the lowest dual value found, for the present shadow prices of stock."""
        shorts: list[float] = []
        for z in [] if self.dual.iterates else first:
            self.dual.evaluate(z)
        for _ in range(MOST_PASSES if len(first[0]) else 0):
            mixture = solve_master(
                self.dual.iterates, self.dual.required(), caps_of_priorities(self.dual.linear_constraints.priority)
            )
            lowest = self.dual.best().dual_value(self.dual.required())
            short = (lowest - mixture.value) / max(1.0, abs(lowest))
            shorts.append(short)
            log.info(
                "constraints: pass %d, at most %.2g %% from the best multipliers", self.subproblems.passes, 100 * short
            )
            has_stalled = len(shorts) > STALLED and short > PROGRESS * shorts[-1 - STALLED]
            if short <= CLOSE or has_stalled:
                break
            self.dual.evaluate(mixture.z)
        return self.dual.best().z

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
        """Return prices whose float64 sums meet the constraints; a warning is logged where no attempt does."""
        margin = np.full(len(is_relaxed), MARGIN)
        for _ in range(TRIES):
            lagrangian = self._mix(margin)
            sums = self.subproblems.evaluate(lagrangian)
            achieved = self.dual.linear_constraints.achieved(sums.covered).sum(axis=0)
            violation = np.maximum(self.dual.linear_constraints.violation(achieved) - EXACT, 0.0)
            excess = self.stock.excess(sums.units, self.dual.search.price)
            if not violation.any() and not excess.any():
                break
            margin += 2 * violation
            if excess.any():
                self.dual.search.lift(excess)
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
            return self.dual.lagrangian(np.zeros((1, 0)))
        required, extra, least = self.dual.required() + margin, np.zeros_like(margin), (np.inf, np.inf)
        for tries in range(TRIES):
            mixture = solve_master(
                self.dual.iterates, required + extra, caps_of_constraints(self.dual.linear_constraints.priority)
            )
            taken = round_up(self.dual.iterates, mixture)
            achieved = np.stack([at.achieved for at in self.dual.iterates])[taken, np.arange(len(taken))].sum(axis=0)
            missing = np.maximum(required - achieved - mixture.violation - EXACT, 0.0)
            found = missing.max(), float(mixture.z @ np.maximum(achieved - required, 0.0))
            if found < least:
                best, least = taken, found
            if least <= (0.0, MOST_LOSS) or (least[0] == 0 and tries >= REFINED):
                break
            extra += TIGHTENING * missing
            self.dual.evaluate(mixture.z)
        used, taken = np.unique(best, return_inverse=True)
        return self.dual.lagrangian(np.stack([self.dual.iterates[i].z for i in used]), taken.reshape(-1))

    def _evaluate_again(self, lagrangian: LagrangianWeights) -> None:
        """Search again from the Lagrangian's multipliers: the iterates are of outdated shadow prices of stock."""
        self.dual.iterates.clear()
        self._search_multipliers(list(self.dual.scaled(lagrangian.multiplier)))

    def _solution(self, lagrangian: LagrangianWeights, sums: SalesSums, is_relaxed: np.ndarray) -> Solution:
        """Return the prices of the Lagrangian with their objective and the lowest dual bound found, in float64."""
        dual = self.dual
        z = np.where(dual.is_movable(), dual.best().z, 0.0)
        start = Start(dual.multiplier(z), dual.search.price)
        category_bound = self.subproblems.category_bounds(dual.lagrangian(z[None]))
        return self.valuation.solution(lagrangian, dual.linear_constraints, is_relaxed, sums, start, category_bound)
