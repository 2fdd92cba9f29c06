"""The best prices under constraints on sums: multipliers first, then prices that keep to all limits, then the proof."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from gpu_pricer.constraints.dual import Point, caps_of, curvature, minimise_dual
from gpu_pricer.constraints.linear_constraints import Goals
from gpu_pricer.constraints.mixing import Ledger, mix
from gpu_pricer.constraints.stock import Stock, StockSearch
from gpu_pricer.constraints.subproblems import Market, Sums
from gpu_pricer.pricing.tiles.lagrangian import Steering
from gpu_pricer.tables.price_table import CENTS

log = logging.getLogger(__name__)

MARGIN = 2e-7
"""Relative slack that float32 sums must show, so that the float64 ones keep to the limit."""

SPARE = 2e-7
"""Share of the objective that slack may cost."""

EASED = 1e-3
"""Share by which a relaxed limit is eased further, so that keeping to it does not cost everything else."""

ROUNDING = 1e-13
"""Relative error of sums over all cells in float64, by which the bound is raised to stay one."""

AT_CAP = 0.999
ROUNDS = 4
"""Turns of multipliers and shadow prices of stock, each with the others held."""

STOCK_PASSES, KEEPING_PASSES, TRIES = 40, 6, 12
"""Most passes of one search for shadow prices of stock, and for an answer that keeps to the limits; most mixtures."""


@dataclass(frozen=True)
class Start:
    """Where the multipliers [K], currency per unit, and the shadow prices of stock [P], currency, are sought from.

    curvature [K, K], if known: how the multipliers move the relative slack.
    """

    multiplier: np.ndarray
    stock_price: np.ndarray
    curvature: np.ndarray | None


@dataclass(frozen=True)
class Solution:
    """steering: what the kernels are given. goals: the limits kept to; relaxed bool [K]: which of them were eased.

    sums: at the prices themselves, in float64. rationed [P]: units asked for that stock cannot serve even at the
    highest price. objective: less what those would earn. bound: no prices that keep to the goals reach more. start:
    the multipliers, and where to start the next time. passes: times that all cells were computed.
    """

    steering: Steering
    goals: Goals
    relaxed: np.ndarray
    sums: Sums
    rationed: np.ndarray
    objective: float
    bound: float
    start: Start
    passes: int

    @property
    def reached(self) -> np.ndarray:
        """What the goals come to, [K]."""
        return goals_reached(self.goals, self.sums).sum(axis=0)

    @property
    def gap(self) -> float:
        """How far the objective may be from the best, as a share of it."""
        return (self.bound - self.objective) / abs(self.objective) if self.objective else float("inf")


def goals_reached(goals: Goals, sums: Sums) -> np.ndarray:
    """What every category adds to the goals, [G, K]."""
    return np.einsum("gkm,km->gk", sums.covered, goals.coefficient)


@dataclass(frozen=True)
class Answer:
    """What the prices that answer multipliers come to."""

    point: Point
    ledger: Ledger
    units: np.ndarray


class Solver:
    """One market, its objective, its goals and its stock."""

    def __init__(self, market: Market, objective: np.ndarray, goals: Goals, stock: Stock, size: float) -> None:
        """objective: its weights [3]; size: what it comes to at today's prices, the unit of the dual."""
        self.market, self.objective, self.goals, self.stock = market, objective, goals, stock
        self.size = max(abs(size), 1e-9)
        self.search = StockSearch(stock, market.problem.products.today / CENTS)
        self.known: np.ndarray | None = None
        self.answers: list[Answer] = []

    def solve(self, start: Start | None) -> Solution:
        """Find the multipliers; relax what cannot be met; find prices that keep to the rest; prove them."""
        z = np.zeros(len(self.goals.names))
        if start is not None:
            z, self.known = start.multiplier * self.goals.scale / self.size, start.curvature
            self.search.start_at(start.stock_price)
        best = self._multipliers(z)
        relaxed = self._broken(best.point)
        if relaxed.any():
            self.goals, self.known = self._eased(best.point, relaxed), None
            best = self._multipliers(np.minimum(best.point.z, 1.0))
        return self._settled(best, relaxed)

    def _multipliers(self, z: np.ndarray) -> Answer:
        """Multipliers and shadow prices of stock in turn, each with the others held; the answer of the lowest dual."""
        for turn in range(ROUNDS):
            has_moved = self._settle_stock(z)
            if turn and not has_moved:
                break
            self.answers.clear()
            if not len(z):
                return self._answer(z)
            z = minimise_dual(lambda at: self._answer(at).point, z, self.goals.priority).z
            if not self.stock.is_any:
                break
        return min(self.answers, key=lambda answer: answer.point.value)

    def _settle_stock(self, z: np.ndarray) -> bool:
        """Search the shadow prices of stock for these multipliers; whether any moved."""
        has_moved = False
        for _ in range(STOCK_PASSES if self.stock.is_any else 0):
            if not self.search.advance(self._answer(z).units):
                break
            has_moved = True
        return has_moved

    def _answer(self, z: np.ndarray) -> Answer:
        """One pass: the best prices for the multipliers and shadow prices."""
        sums, category_value = self.market.respond(self._steering(z))
        ledger = self._ledger(sums)
        value = (category_value + self.stock.category_value(self.search.price)) / self.size - z @ (
            self.goals.required / self.goals.scale
        )
        point = Point(z.copy(), value, -self.goals.violation(ledger.goals.sum(axis=0)))
        self.answers.append(Answer(point, ledger, sums.units))
        if len(z):
            slack = np.array2string(point.slack, precision=2)
            log.info("constraints: pass %d, relative slack %s", self.market.passes, slack)
        return self.answers[-1]

    def _ledger(self, sums: Sums) -> Ledger:
        return Ledger(sums.total @ self.objective, goals_reached(self.goals, sums))

    def _multiplier(self, z: np.ndarray) -> np.ndarray:
        return z * self.size / self.goals.scale

    def _steering(
        self, best: np.ndarray, second: np.ndarray | None = None, taken: np.ndarray | None = None
    ) -> Steering:
        """The steering of z = best, with that of z = second for the categories taken, bool [G]."""
        problem = self.market.problem
        is_second = np.zeros(len(problem.products.cost), np.bool_)
        if taken is not None:
            is_second = np.repeat(taken, np.diff(problem.products.category_start))
        multipliers = np.stack([self._multiplier(z) for z in (best, best if second is None else second)])
        return Steering(
            self.objective, self.market.slices, self.goals.coefficient, multipliers, is_second, self.search.price
        )

    def _broken(self, point: Point) -> np.ndarray:
        """The violated goals of priorities whose multipliers have reached their cap, bool [K]."""
        member, caps = caps_of(self.goals.priority)
        is_capped = (member & (member @ point.z >= AT_CAP * caps)[:, None]).any(axis=0)
        return is_capped & (point.slack < 0) & (point.z > 0)

    def _eased(self, point: Point, broken: np.ndarray) -> Goals:
        """Goals whose broken limits are those that can be met, all of a priority by the same share."""
        required = self.goals.required.copy()
        for priority in np.unique(self.goals.priority[broken]):
            chosen = broken & (self.goals.priority == priority)
            share = -point.slack[chosen].min() * (1 + EASED) + EASED
            required[chosen] -= share * self.goals.scale[chosen]
        return replace(self.goals, required=required)

    def _settled(self, best: Answer, relaxed: np.ndarray) -> Solution:
        """Prices that keep to the goals in float64, with the bound."""
        margin = np.full(len(best.point.z), MARGIN)
        for _ in range(TRIES):
            keeping = self._keeping(best, margin)
            steering = self._mixture(best, keeping, margin)
            sums = self.market.realised(steering)
            violation = np.maximum(self.goals.violation(goals_reached(self.goals, sums).sum(axis=0)), 0.0)
            excess = self.stock.excess(sums.units, self.search.price)
            if not violation.any() and not excess.any():
                break
            margin += 2 * violation
            if excess.any():
                self.search.lift(excess)
                self.answers.clear()
                best = self._answer(best.point.z)
        else:
            short = max(violation.max(initial=0.0), (excess / np.maximum(self.stock.limit, 1.0)).max(initial=0.0))
            log.warning("prices miss a limit by %.2g of it after %d tries", short, TRIES)
        return self._solution(keeping.point, steering, sums, relaxed)

    def _mixture(self, best: Answer, keeping: Answer, margin: np.ndarray) -> Steering:
        """The steering under which the goals have a relative slack of margin [K], by the sums of the kernel."""
        if keeping is best:
            return self._steering(best.point.z)
        taken = mix(best.ledger, keeping.ledger, self.goals.required + margin * self.goals.scale)
        return self._steering(best.point.z, keeping.point.z, taken)

    def _keeping(self, best: Answer, margin: np.ndarray) -> Answer:
        """The answer near the best one that has that slack at the least cost: Newton's steps on the slack."""
        answer, kept, least = best, None, np.inf
        for tries in range(KEEPING_PASSES + 1):
            spare = answer.point.slack - margin
            cost = float(answer.point.z @ spare)
            if (spare >= 0).all() and cost < least:
                kept, least = answer, cost
            if least <= SPARE or tries == KEEPING_PASSES:
                break
            answer = self._answer(self._newton(answer.point, 1.5 * margin))
        return kept or answer

    def _newton(self, point: Point, slack: np.ndarray) -> np.ndarray:
        """The z at which the slack [K] is expected, where it counts."""
        active = (point.z > 0) | (point.slack < slack)
        step = np.zeros_like(slack)
        step[active] = np.linalg.solve(self._curvature(point)[np.ix_(active, active)], (slack - point.slack)[active])
        return np.maximum(point.z + step, 0.0)

    def _curvature(self, point: Point) -> np.ndarray:
        return curvature([answer.point for answer in self.answers], point.z, self.known)

    def _solution(self, point: Point, steering: Steering, sums: Sums, relaxed: np.ndarray) -> Solution:
        goals, price = self.goals, self.search.price
        multiplier, rationed = self._multiplier(point.z), self.stock.rationed(sums.units, price)
        bound = (
            self.market.bound(self._steering(point.z))
            + self.stock.category_value(price)
            - float(multiplier @ goals.required)
        )
        objective = float((sums.total @ self.objective).sum() - rationed @ self.stock.highest)
        bound += ROUNDING * abs(objective)
        start = Start(multiplier, price, self._curvature(point))
        return Solution(steering, goals, relaxed, sums, rationed, objective, bound, start, self.market.passes)
