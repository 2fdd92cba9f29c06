"""What more of a measure costs: the best prices for the objective plus a growing multiple of the measure.

Every point is optimal for its own weights, so no prices reach more of one without less of the other: the supported
points of the Pareto frontier (weighted sums, Ehrgott 2005, ch. 3). The multiplier is the frontier's slope; where a
constraint of the policy holds the measure, the points of all multipliers up to its own are one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.constraints.constrained_problem import Plan, Planner
from gpu_pricer.constraints.linear_constraints import COST, REVENUE, goals_of, measured
from gpu_pricer.constraints.solver import Start
from gpu_pricer.constraints.stock import dearest_prices
from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import CURRENT_PRICES, MEASURES, Constraint

PARALLEL = 1e-9


@dataclass(frozen=True)
class Frontier:
    """measure: what the objective is traded for, one of MEASURES, null for none; points: how many, the first without
    a multiplier; largest: the last one's, as the share of today's objective that the measure of today is worth.
    """

    measure: str | None
    points: int
    largest: float

    def __post_init__(self) -> None:
        if self.measure not in (None, *MEASURES):
            raise ValueError(f"frontier.measure must be one of {', '.join(MEASURES)} or null, found {self.measure!r}")
        require_integer("frontier.points", self.points, 2)
        require_number("frontier.largest", self.largest, above=0.0)


def trace(
    planner: Planner, objective: np.ndarray, frontier: Frontier, start: Start | None = None
) -> Iterator[tuple[Plan, dict[str, object]]]:
    """Plans along the frontier from the policy's own on, each started from the last, and their rows of the table.

    objective [3]: the policy's weights. A row: multiplier, what one more of the measure costs (of a margin rate, 1.0
    of it) in the objective's currency; objective, profit, units, revenue, margin_rate of a period; share_changed, of
    the prices; gap, how far the weighted sum may be from the best, as a share of it. InputError where today's measure
    is not above 0, or is the objective.
    """
    coefficient, scale = _direction(planner.today, objective, frontier)
    largest = frontier.largest * abs(float(planner.today @ objective)) / scale
    for multiplier in np.linspace(0.0, largest, frontier.points):
        weights = objective + multiplier * coefficient
        found = planner.plan(weights, start)
        start, sums = found.solution.start, _sold(planner, found)
        is_rate = frontier.measure == "margin_rate"
        slope = _rate_multiplier(objective, weights, sums) if is_rate else float(multiplier)
        share = planner.market.share_changed(found.steering)
        yield found, _row(slope, objective, sums, share, found.solution.gap)


def today_row(planner: Planner, objective: np.ndarray) -> dict[str, object]:
    """The row of today's prices, which has neither a multiplier nor a gap."""
    return _row(None, objective, planner.today, 0.0, None)


def table_of(rows: list[dict[str, object]]) -> pl.DataFrame:
    """The rows, see trace, as a table."""
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.Float64))


def _direction(today: np.ndarray, objective: np.ndarray, frontier: Frontier) -> tuple[np.ndarray, float]:
    """What the measure counts, of units, revenue and cost [3], and its size at today's prices.

    A margin rate is no sum: more of it is more profit beyond what today's rate makes of the revenue.
    """
    measure = str(frontier.measure)
    constraint = Constraint(measure, at_least=1.0, relative_to=CURRENT_PRICES)
    if measured(constraint, today) <= 0:
        raise InputError(
            f"frontier={measure} needs a {measure} above 0 at today's prices, found {measured(constraint, today):g}: "
            "choose another measure or mend the costs"
        )
    goals = goals_of({measure: constraint}, today[None])
    coefficient = goals.coefficient[0]
    cross = np.linalg.norm(np.outer(coefficient, objective) - np.outer(objective, coefficient))
    if cross <= PARALLEL * np.linalg.norm(coefficient) * np.linalg.norm(objective):
        raise InputError(
            f"frontier must be another measure than the policy's objective, found {measure} for both: "
            "choose another measure or policy"
        )
    return coefficient, float(goals.scale[0])


def _rate_multiplier(objective: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> float:
    """The shadow price of a floor at the very margin rate that the weights [3] lead to, per 1.0 of the rate.

    That floor's weights, objective + multiplier · (REVENUE · (1 − rate) − COST), lead to the same prices where they are
    a multiple of these.
    """
    revenue, cost = float(sums @ REVENUE), float(sums @ COST)
    across = objective[2] * weights[1] - objective[1] * weights[2]
    return float(revenue * across / (weights[1] + weights[2] * cost / revenue))


def _sold(planner: Planner, found: Plan) -> np.ndarray:
    """Units, revenue and cost [3] without those that stock cannot serve."""
    rationed, problem = found.solution.rationed, planner.market.problem
    unserved = [rationed.sum(), rationed @ dearest_prices(problem), rationed @ problem.products.cost]
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
