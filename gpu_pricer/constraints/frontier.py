"""The frontier of the objective and a measure: the best prices for the objective plus multiples of the measure.

Every point is optimal for its own weights, so no prices reach more of the measure without less of the objective: the
points are the supported ones of the Pareto frontier (weighted sums, Ehrgott 2005, ch. 3). The multiplier is the
frontier's slope. Where a constraint of the policy limits the measure, all multipliers up to the constraint's own lead
to the same point. The price index is traced downwards, because a retailer gives up profit for lower prices.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.constraints.constrained_problem import ConstrainedPrices, ConstrainedProblem
from gpu_pricer.constraints.linear_constraints import (
    BASE_REVENUE,
    COST,
    NET_REVENUE,
    PROFIT,
    REVENUE,
    UNITS,
    linear_constraints_of,
    measure_of,
)
from gpu_pricer.constraints.warm_start import Start
from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import CURRENT_PRICES, MEASURES, Constraint

PARALLEL = 1e-9
"""Sine of the angle between two weightings of SUMS below which they are one."""

INDEX_TRIES, INDEX_CLOSE = 8, 1e-6
"""The most solutions of one point of a price index, and the loss from a wrong index, as a share of the objective, that
ends them."""


@dataclass(frozen=True)
class Frontier:
    """Which frontier to trace.

    measure: what the objective is traded for, one of MEASURES; null: no frontier.
    points: the number of points; the first one has a multiplier of 0.
    largest: the last point's multiplier, stated as a share: the multiplier times the measure at today's prices is this
        share of the objective at today's prices.
    """

    measure: str | None
    points: int
    largest: float

    def __post_init__(self) -> None:
        if self.measure not in (None, *MEASURES):
            raise ValueError(f"frontier.measure must be one of {', '.join(MEASURES)} or null, found {self.measure!r}")
        require_integer("frontier.points", self.points, 2)
        require_number("frontier.largest", self.largest, above=0.0)


def trace_points(
    constrained: ConstrainedProblem, objective: np.ndarray, frontier: Frontier, start: Start | None = None
) -> Iterator[tuple[ConstrainedPrices, dict[str, object]]]:
    """Yield prices along the frontier with their rows of its table, from the policy's own objective on.

    objective [6]: the policy's weights of SUMS. Every search starts from the point
    before. A row holds, for a period: multiplier, what one more unit of the measure (1.0 more of a margin rate, 1.0
    less of a price index) costs in the objective, in currency; objective, profit, units, revenue, margin_rate,
    price_index; share_changed, the share of prices that are not today's; gap, how far the weighted sum may be from its
    best value, as a share of the sum. InputError where the measure at today's prices is not above 0, or the measure is
    the objective.
    """
    coefficient, scale = _direction(constrained.today, objective, frontier)
    largest = frontier.largest * abs(float(constrained.today @ objective)) / scale
    index = 1.0
    for multiplier in np.linspace(0.0, largest, frontier.points):
        if frontier.measure == "price_index" and multiplier > 0:
            point, index = _solve_at_index(constrained, objective, float(multiplier), index, start)
        else:
            point = _solve_point(constrained, objective + multiplier * coefficient, start)
            index = measure_of("price_index", point.sums)
        start = point.found.solution.start
        slope = float(multiplier) * (float(point.sums @ BASE_REVENUE) if frontier.measure == "price_index" else 1.0)
        if frontier.measure == "margin_rate":
            slope = _rate_multiplier(objective, point.weights, point.sums)
        share_changed = constrained.subproblems.compute_share_changed(point.found.lagrangian)
        yield point.found, _row(slope, objective, point.sums, share_changed, point.gap)


class _Point(NamedTuple):
    """The best prices for weights [6], their sums [6] of what stock can serve, and their distance from the best."""

    found: ConstrainedPrices
    weights: np.ndarray
    sums: np.ndarray
    gap: float


def _solve_point(constrained: ConstrainedProblem, weights: np.ndarray, start: Start | None) -> _Point:
    found = constrained.solve(weights, start)
    return _Point(found, weights, found.solution.sums.total.sum(axis=0), found.solution.gap)


def _solve_at_index(
    constrained: ConstrainedProblem, objective: np.ndarray, multiplier: float, index: float, start: Start | None
) -> tuple[_Point, float]:
    """Return prices that are the best for the objective among all whose price index is no higher, and their guess.

    The best prices for objective + multiplier · (guess · base revenue − revenue) are that where the guess is their
    index. Where their index is lower, other prices with that index earn at most multiplier · (guess − index) · base
    revenue more, which the gap includes. index: the first guess. With the guess of a smaller multiplier the index is
    no higher than the guess, because a larger multiplier never lowers guess · base revenue − revenue.
    """
    best, best_guess, below = None, index, 0.0
    for _ in range(INDEX_TRIES):
        weights = objective + multiplier * (index * BASE_REVENUE - REVENUE)
        point = _solve_point(constrained, weights, start)
        start, reached = point.found.solution.start, measure_of("price_index", point.sums)
        loss = multiplier * abs(index - reached) * float(point.sums @ BASE_REVENUE)
        loss /= abs(float(point.sums @ weights)) or 1.0
        point = point._replace(gap=point.gap + loss)
        if best is None or (reached <= index and point.gap < best.gap):
            best, best_guess = point, index
        if reached > index:
            below = max(below, index)
        elif loss <= INDEX_CLOSE:
            break
        index = reached if below < reached < best_guess else (below + best_guess) / 2
    assert best is not None
    return best, best_guess


def row_at_today(constrained: ConstrainedProblem, objective: np.ndarray) -> dict[str, object]:
    """Return the row of today's prices, which has neither a multiplier nor a gap."""
    return _row(None, objective, constrained.today, 0.0, None)


def frontier_table(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return the rows (see trace_points) as a table."""
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.Float64))


def objective_name(table: pl.DataFrame) -> str:
    """Return which amount of a frontier's table its objective is: profit, revenue, or `objective` for a mixture."""
    return next(name for name in ("profit", "revenue", "objective") if table[name].equals(table["objective"]))


def _direction(today: np.ndarray, objective: np.ndarray, frontier: Frontier) -> tuple[np.ndarray, float]:
    """Return the weights [6] of more of the measure, or of less of a price index, and its size at today's prices.

    A margin rate is not a sum. More of it is more profit beyond what today's rate makes of the revenue.
    """
    measure = str(frontier.measure)
    way = "at_most" if measure == "price_index" else "at_least"
    constraint = Constraint(measure, relative_to=CURRENT_PRICES, **{way: 1.0})  # type: ignore[arg-type]
    amount = measure_of(measure, today)
    if amount <= 0:
        raise InputError(
            f"frontier={measure} needs a {measure} above 0 at today's prices, found {amount:g}: "
            "choose another measure or mend the costs"
        )
    floor = linear_constraints_of({measure: constraint}, today[None])
    coefficient = floor.coefficient[0]
    cross = np.linalg.norm(np.outer(coefficient, objective) - np.outer(objective, coefficient))
    if cross <= PARALLEL * np.linalg.norm(coefficient) * np.linalg.norm(objective):
        raise InputError(
            f"frontier must be another measure than the policy's objective, found {measure} for both: "
            "choose another measure or policy"
        )
    return coefficient, float(floor.scale[0])


def _rate_multiplier(objective: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> float:
    """Return the shadow price, per 1.0 of the rate, of a floor at the very margin rate that the weights [6] lead to.

    Under such a floor the weights are objective + multiplier · (NET_REVENUE · (1 − rate) − COST). These lead to the
    same prices where they are a multiple of the given weights.
    """
    revenue, cost = float(sums @ NET_REVENUE), float(sums @ COST)
    across = objective[2] * weights[1] - objective[1] * weights[2]
    return float(revenue * across / (weights[1] + weights[2] * cost / revenue))


def _row(
    multiplier: float | None, objective: np.ndarray, sums: np.ndarray, share_changed: float, gap: float | None
) -> dict[str, object]:
    return {
        "multiplier": multiplier,
        "objective": float(sums @ objective),
        "profit": float(sums @ PROFIT),
        "units": float(sums @ UNITS),
        "revenue": float(sums @ NET_REVENUE),
        "margin_rate": measure_of("margin_rate", sums),
        "price_index": measure_of("price_index", sums),
        "share_changed": share_changed,
        "gap": gap,
    }
