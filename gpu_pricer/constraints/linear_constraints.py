"""Constraints as linear inequalities in the units, the revenue and the cost of their slices."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.objective import Objective

UNITS, REVENUE, COST = np.eye(3)
COEFFICIENT = {"units": UNITS, "revenue": REVENUE, "profit": REVENUE - COST}
"""Each measure's weights of units, revenue and cost [3]; a margin rate is not a sum and has no entry."""

LEAST_SCALE, LEAST_RATE = 1e-6, 0.01
"""The smallest scale of a limit on a sum, and the smallest margin rate that sets the scale of a limit on a rate."""


def objective_weights(objective: Objective) -> np.ndarray:
    """Return the objective's weights of a unit, of a currency unit of revenue and of one of cost [3]."""
    return objective.profit * (REVENUE - COST) + objective.revenue * REVENUE


class Inequality(NamedTuple):
    """One constraint as coefficient · (units, revenue, cost) ≥ required; violations count as shares of scale.

    coefficient float64 [3]; required in the unit of the left-hand side; scale above 0, in the same unit.
    """

    coefficient: np.ndarray
    required: float
    scale: float


@dataclass(frozen=True)
class LinearConstraints:
    """K inequalities coefficient_k · (units, revenue, cost of slice k) ≥ required_k, money in currency.

    names: of the constraints in the policy.
    coefficient float64 [K, 3].
    required float64 [K].
    scale float64 [K]: above 0; violations and slack count as shares of it.
    priority int64 [K]: 1 is the most important.
    """

    names: tuple[str, ...]
    coefficient: np.ndarray
    required: np.ndarray
    scale: np.ndarray
    priority: np.ndarray

    def achieved(self, covered: np.ndarray) -> np.ndarray:
        """Return each category's part of the left-hand sides, [G, K]; covered: see SalesSums, [G, K, 3]."""
        return np.einsum("gkm,km->gk", covered, self.coefficient)

    def violation(self, achieved: np.ndarray) -> np.ndarray:
        """Return what the left-hand sides [K] lack, as shares of the scale [K]; negative values are slack."""
        return (self.required - achieved) / self.scale


def linear_constraints_of(constraints: dict[str, Constraint], today: np.ndarray) -> LinearConstraints:
    """Return the inequalities of K constraints, none of them per product.

    today [K, 3]: units, revenue and cost of each slice at today's prices. InputError where a limit is relative to a
    measure that is not above 0 today, or a margin rate is of a slice without sales.
    """
    rows = [
        _inequality(name, constraint, sums) for (name, constraint), sums in zip(constraints.items(), today, strict=True)
    ]
    return LinearConstraints(
        names=tuple(constraints),
        coefficient=np.array([row.coefficient for row in rows]).reshape(len(rows), 3),
        required=np.array([row.required for row in rows]),
        scale=np.array([row.scale for row in rows]),
        priority=np.array([constraint.priority for constraint in constraints.values()], np.int64),
    )


def measure_value(constraint: Constraint, sums: np.ndarray) -> float:
    """Return the constraint's measure for units, revenue and cost, sums [3]; without revenue a margin rate is 0."""
    if constraint.measure == "margin_rate":
        revenue = float(sums @ REVENUE)
        return float(sums @ (REVENUE - COST)) / revenue if revenue > 0 else 0.0
    return float(sums @ COEFFICIENT[constraint.measure])


def absolute_limit(constraint: Constraint, today: np.ndarray) -> float:
    """Return the limit in the unit of its measure; today [3]: the sums of its slice at today's prices."""
    return constraint.limit * (1.0 if constraint.relative_to is None else measure_value(constraint, today))


def _inequality(name: str, constraint: Constraint, today: np.ndarray) -> Inequality:
    """Return the constraint as a floor; a ceiling becomes a floor of the negative.

    A margin rate of at least m is revenue · (1 − m) − cost ≥ 0.
    """
    now = measure_value(constraint, today)
    if constraint.relative_to is not None and now <= 0:
        raise InputError(
            f"constraints.{name} must be relative to something above 0, found {constraint.measure} {now:g} at today's "
            "prices: set an absolute limit"
        )
    if constraint.measure == "margin_rate" and today @ REVENUE <= 0:
        raise InputError(
            f"constraints.{name} must be of a slice with sales, found no expected revenue at today's prices: "
            "mend its where, or the availability of its products"
        )
    limit = absolute_limit(constraint, today)
    sign = 1.0 if constraint.at_least is not None else -1.0
    if constraint.measure == "margin_rate":
        coefficient = sign * (REVENUE * (1 - limit) - COST)
        return Inequality(coefficient, 0.0, max(float(today @ REVENUE), 1.0) * max(abs(limit), LEAST_RATE))
    scale = max(abs(limit), abs(now), LEAST_SCALE)
    return Inequality(sign * COEFFICIENT[constraint.measure], sign * limit, scale)
