"""Constraints as linear inequalities in the sums of their slices: units, revenue, cost, base revenue and VAT.

The revenue is what shoppers pay, and the VAT the part of it that the shop does not keep, 0 where prices include none.
The base revenue is what the units would bring at today's prices. Policies mean revenue and profit after VAT.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.objective import Objective

SUMS = ("units", "revenue", "cost", "base_revenue", "vat")
"""The sums of a slice, in the order of all arrays of five."""

UNITS, REVENUE, COST, BASE_REVENUE, VAT = np.eye(len(SUMS))
NET_REVENUE = REVENUE - VAT
PROFIT = NET_REVENUE - COST
COEFFICIENT = {"units": UNITS, "revenue": NET_REVENUE, "profit": PROFIT}
"""The weights of SUMS [5] of each measure that is a sum."""

RATIO = {"margin_rate": (PROFIT, NET_REVENUE), "price_index": (REVENUE, BASE_REVENUE)}
"""The same weights of the numerator and the denominator of each measure that is a ratio. The price index is that of
Paasche (1874): new over today's prices as shoppers see them, weighted with the new expected units."""

LEAST_SCALE, LEAST_RATE = 1e-6, 0.01
"""The smallest scale of a limit on a sum, and the smallest ratio that sets the scale of a limit on a ratio."""


def objective_weights(objective: Objective) -> np.ndarray:
    """Return the objective's weights of SUMS [5]: of a unit, and of a currency unit of each of the others."""
    return objective.profit * PROFIT + objective.revenue * NET_REVENUE


class Inequality(NamedTuple):
    """One constraint as coefficient · SUMS ≥ required; violations are shares of scale.

    coefficient float64 [5]; required in the unit of the left-hand side; scale above 0, in the same unit.
    """

    coefficient: np.ndarray
    required: float
    scale: float


@dataclass(frozen=True)
class LinearConstraints:
    """K inequalities coefficient_k · (SUMS of slice k) ≥ required_k, money in currency.

    names: of the constraints in the policy.
    coefficient float64 [K, 5].
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
        """Return each category's part of the left-hand sides, [G, K]; covered: see SalesSums, [G, K, 5]."""
        return np.einsum("gkm,km->gk", covered, self.coefficient)

    def violation(self, achieved: np.ndarray) -> np.ndarray:
        """Return what the left-hand sides [K] lack, as shares of the scale [K]; negative values are slack."""
        return (self.required - achieved) / self.scale


def linear_constraints_of(constraints: dict[str, Constraint], today: np.ndarray) -> LinearConstraints:
    """Return the inequalities of K constraints, none of them per product.

    today [K, 5]: SUMS of each slice at today's prices. InputError where a limit is relative to a measure that is
    not above 0 today, or a ratio is of a slice without sales.
    """
    rows = [
        _inequality(name, constraint, sums) for (name, constraint), sums in zip(constraints.items(), today, strict=True)
    ]
    return LinearConstraints(
        names=tuple(constraints),
        coefficient=np.array([row.coefficient for row in rows]).reshape(len(rows), len(SUMS)),
        required=np.array([row.required for row in rows]),
        scale=np.array([row.scale for row in rows]),
        priority=np.array([constraint.priority for constraint in constraints.values()], np.int64),
    )


def measure_value(constraint: Constraint, sums: np.ndarray) -> float:
    """Return the constraint's measure for the sums [5]; see measure_of."""
    return measure_of(constraint.measure, sums)


def measure_of(measure: str, sums: np.ndarray) -> float:
    """Return one of MEASURES for SUMS, sums [5]; without sales a ratio is 0."""
    if measure not in RATIO:
        return float(sums @ COEFFICIENT[measure])
    numerator, denominator = (float(sums @ weights) for weights in RATIO[measure])
    return numerator / denominator if denominator > 0 else 0.0


def absolute_limit(constraint: Constraint, today: np.ndarray) -> float:
    """Return the limit in the unit of its measure; today [5]: the sums of its slice at today's prices."""
    return constraint.limit * (1.0 if constraint.relative_to is None else measure_value(constraint, today))


def _inequality(name: str, constraint: Constraint, today: np.ndarray) -> Inequality:
    """Return the constraint as a floor; a ceiling becomes a floor of the negative.

    A ratio of at least m is numerator − m · denominator ≥ 0: a price index of at least m is revenue − m · base revenue.
    """
    now = measure_value(constraint, today)
    if constraint.relative_to is not None and now <= 0:
        raise InputError(
            f"constraints.{name} must be relative to something above 0, found {constraint.measure} {now:g} at today's "
            "prices: set an absolute limit"
        )
    if constraint.measure in RATIO and today @ REVENUE <= 0:
        raise InputError(
            f"constraints.{name} must be of a slice with sales, found no expected revenue at today's prices: "
            "mend its where, or the availability of its products"
        )
    limit = absolute_limit(constraint, today)
    sign = 1.0 if constraint.at_least is not None else -1.0
    if constraint.measure in RATIO:
        numerator, denominator = RATIO[constraint.measure]
        scale = max(float(today @ denominator), 1.0) * max(abs(limit), LEAST_RATE)
        return Inequality(sign * (numerator - limit * denominator), 0.0, scale)
    scale = max(abs(limit), abs(now), LEAST_SCALE)
    return Inequality(sign * COEFFICIENT[constraint.measure], sign * limit, scale)
