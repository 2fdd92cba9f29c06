"""What more of a measure costs: the best prices for the objective plus a growing multiple of the measure.

Every point is optimal for its own weights, so no prices reach more of the measure without less of the objective: the
points are the supported ones of the Pareto frontier (weighted sums, Ehrgott 2005, ch. 3). The multiplier is the
frontier's slope. Where a constraint of the policy limits the measure, all multipliers up to the constraint's own lead
to the same point.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.constraints.constrained_problem import ConstrainedPrices, ConstrainedProblem
from gpu_pricer.constraints.linear_constraints import COST, REVENUE, linear_constraints_of, measure_value
from gpu_pricer.constraints.stock import highest_prices
from gpu_pricer.constraints.warm_start import Start
from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import CURRENT_PRICES, MEASURES, Constraint

PARALLEL = 1e-9
"""Sine of the angle between two weightings of units, revenue and cost below which they are one."""


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

    objective [3]: the policy's weights of units, revenue and cost. Every search starts from the point before.
    A row holds, for a period: multiplier, what one more unit of the measure (1.0 of a margin rate) costs in the
    objective, in currency; objective, profit, units, revenue, margin_rate; share_changed, the share of prices that are
    not today's; gap, how far the weighted sum may be from its best value, as a share of the sum. InputError where the
    measure at today's prices is not above 0, or the measure is the objective.
    """
    coefficient, scale = _direction(constrained.today, objective, frontier)
    largest = frontier.largest * abs(float(constrained.today @ objective)) / scale
    for multiplier in np.linspace(0.0, largest, frontier.points):
        weights = objective + multiplier * coefficient
        found = constrained.solve(weights, start)
        start, sums = found.solution.start, _served_sums(constrained, found)
        is_rate = frontier.measure == "margin_rate"
        slope = _rate_multiplier(objective, weights, sums) if is_rate else float(multiplier)
        share_changed = constrained.subproblems.compute_share_changed(found.lagrangian)
        yield found, _row(slope, objective, sums, share_changed, found.solution.gap)


def row_at_today(constrained: ConstrainedProblem, objective: np.ndarray) -> dict[str, object]:
    """Return the row of today's prices, which has neither a multiplier nor a gap."""
    return _row(None, objective, constrained.today, 0.0, None)


def frontier_table(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return the rows (see trace_points) as a table."""
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.Float64))


def _direction(today: np.ndarray, objective: np.ndarray, frontier: Frontier) -> tuple[np.ndarray, float]:
    """Return the measure's weights of units, revenue and cost [3], and its size at today's prices.

    A margin rate is not a sum. More of it is more profit beyond what today's rate makes of the revenue.
    """
    measure = str(frontier.measure)
    constraint = Constraint(measure, at_least=1.0, relative_to=CURRENT_PRICES)
    amount = measure_value(constraint, today)
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
    """Return the shadow price, per 1.0 of the rate, of a floor at the very margin rate that the weights [3] lead to.

    Under such a floor the weights are objective + multiplier · (REVENUE · (1 − rate) − COST). These lead to the same
    prices where they are a multiple of the given weights.
    """
    revenue, cost = float(sums @ REVENUE), float(sums @ COST)
    across = objective[2] * weights[1] - objective[1] * weights[2]
    return float(revenue * across / (weights[1] + weights[2] * cost / revenue))


def _served_sums(constrained: ConstrainedProblem, found: ConstrainedPrices) -> np.ndarray:
    """Return units, revenue and cost [3] without the units that stock cannot serve."""
    rationed, problem = found.solution.rationed, constrained.subproblems.problem
    unserved = [rationed.sum(), rationed @ highest_prices(problem), rationed @ problem.products.cost]
    return found.solution.sums.total.sum(axis=0) - np.array(unserved)


def _row(
    multiplier: float | None, objective: np.ndarray, sums: np.ndarray, share_changed: float, gap: float | None
) -> dict[str, object]:
    units, revenue, cost = sums.tolist()
    return {
        "multiplier": multiplier,
        "objective": float(sums @ objective),
        "profit": revenue - cost,
        "units": units,
        "revenue": revenue,
        "margin_rate": (revenue - cost) / revenue if revenue > 0 else 0.0,
        "share_changed": share_changed,
        "gap": gap,
    }
