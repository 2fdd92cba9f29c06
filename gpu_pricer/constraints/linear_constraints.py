"""Constraints as linear inequalities in the units, the revenue and the cost of their slices."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.objective import Objective

UNITS, REVENUE, COST = np.eye(3)
COEFFICIENT = {"units": UNITS, "revenue": REVENUE, "profit": REVENUE - COST}


def weights_of(objective: Objective) -> np.ndarray:
    """What the objective adds per unit, per currency unit of revenue and of cost [3]."""
    return objective.profit * (REVENUE - COST) + objective.revenue * REVENUE


@dataclass(frozen=True)
class Goals:
    """K inequalities coefficient · (units, revenue, cost) ≥ required, money in currency.

    coefficient float64 [K, 3]; required float64 [K]; scale float64 [K], above 0: the size in which violations are
    measured; priority int64 [K].
    """

    names: tuple[str, ...]
    coefficient: np.ndarray
    required: np.ndarray
    scale: np.ndarray
    priority: np.ndarray

    def violation(self, achieved: np.ndarray) -> np.ndarray:
        """How much is missing, relative to the scale; negative where there is slack [K]."""
        return (self.required - achieved) / self.scale


def goals_of(constraints: dict[str, Constraint], today: np.ndarray) -> Goals:
    """The inequalities of constraints that are not per product; today [K, 3]: the slices' sums at today's prices.

    InputError where a limit is relative to a margin rate or profit of today that is not above 0.
    """
    rows = [_goal(name, constraint, sums) for (name, constraint), sums in zip(constraints.items(), today, strict=True)]
    return Goals(
        names=tuple(constraints),
        coefficient=_stack((row[0] for row in rows), 3),
        required=np.array([row[1] for row in rows]),
        scale=np.array([row[2] for row in rows]),
        priority=np.array([constraint.priority for constraint in constraints.values()], np.int64),
    )


def measured(constraint: Constraint, sums: np.ndarray) -> float:
    """The measure of units, revenue and cost [3]; a margin rate of no revenue is 0."""
    if constraint.measure == "margin_rate":
        revenue = float(sums @ REVENUE)
        return float(sums @ (REVENUE - COST)) / revenue if revenue > 0 else 0.0
    return float(sums @ COEFFICIENT[constraint.measure])


def asked_of(constraint: Constraint, today: np.ndarray) -> float:
    """The limit in the units of its measure, given the slice's sums of today [3]."""
    return constraint.limit * (1.0 if constraint.relative_to is None else measured(constraint, today))


def _goal(name: str, constraint: Constraint, today: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Coefficient, required and scale; a ceiling is a floor of the negative."""
    now = measured(constraint, today)
    if constraint.relative_to is not None and now <= 0:
        raise InputError(
            f"constraints.{name} must be relative to something above 0, found {constraint.measure} {now:g} at today's "
            "prices: set an absolute limit"
        )
    limit = asked_of(constraint, today)
    sign = 1.0 if constraint.at_least is not None else -1.0
    if constraint.measure == "margin_rate":
        coefficient = REVENUE * (1 - limit) - COST
        return sign * coefficient, 0.0, max(float(today @ REVENUE), 1.0) * max(abs(limit), 0.01)
    size = max(abs(limit), abs(now), 1e-6)
    return sign * COEFFICIENT[constraint.measure], sign * limit, size


def _stack(rows: Iterable[np.ndarray], width: int) -> np.ndarray:
    listed = list(rows)
    return np.array(listed) if listed else np.zeros((0, width))
