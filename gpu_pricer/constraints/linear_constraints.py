"""Constraints as linear inequalities in the sums of their slices: units, cost, VAT, and revenue at several prices.

The revenue is what shoppers pay, and the VAT the part of it that the shop does not keep, 0 where prices include none.
The base revenue is what the units would bring at today's prices, the anchor revenue at those of bounds.anchor. Policies
mean revenue and profit after VAT.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import ANCHOR_PRICES, Constraint
from gpu_pricer.policy.objective import Objective

SUMS = ("units", "revenue", "cost", "base_revenue", "vat", "anchor_revenue")
"""The sums of a slice, in the order of all arrays of six."""

UNITS, REVENUE, COST, BASE_REVENUE, VAT, ANCHOR_REVENUE = np.eye(len(SUMS))
NET_REVENUE = REVENUE - VAT
PROFIT = NET_REVENUE - COST
COEFFICIENT = {"units": UNITS, "revenue": NET_REVENUE, "profit": PROFIT}
"""The weights of SUMS [6] of each measure that is a sum."""

RATIO = {"margin_rate": (PROFIT, NET_REVENUE), "price_index": (REVENUE, BASE_REVENUE)}
"""The same weights of the numerator and the denominator of each measure that is a ratio. The price index is that of
Paasche (1874): new over today's prices as shoppers see them, weighted with the new expected units."""

LEAST_SCALE, LEAST_RATE = 1e-6, 0.01
"""The smallest scale of a limit on a sum, and the smallest ratio that sets the scale of a limit on a ratio."""


def objective_weights(objective: Objective) -> np.ndarray:
    """Return the objective's weights of SUMS [6]: of a unit, and of a currency unit of each of the others."""
    return objective.profit * PROFIT + objective.revenue * NET_REVENUE


class Inequality(NamedTuple):
    """One constraint as coefficient · SUMS ≥ required; violations are shares of scale.

    coefficient float64 [6]; required in the unit of the left-hand side; scale above 0, in the same unit.
    """

    coefficient: np.ndarray
    required: float
    scale: float


@dataclass(frozen=True)
class LinearConstraints:
    """K inequalities coefficient_k · (SUMS of slice k) ≥ required_k, money in currency.

    names: of the constraints in the policy.
    coefficient float64 [K, 6].
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
        """Return each category's part of the left-hand sides, [G, K]; covered: see SalesSums, [G, K, 6]."""
        return np.einsum("gkm,km->gk", covered, self.coefficient)

    def eased(self, is_eased: np.ndarray, achieved: np.ndarray) -> "LinearConstraints":
        """Return the inequalities of which the eased ones, bool [K], require no more than is achieved [K]."""
        return replace(self, required=np.where(is_eased, np.minimum(self.required, achieved), self.required))

    def violation(self, achieved: np.ndarray) -> np.ndarray:
        """Return what the left-hand sides [K] lack, as shares of the scale [K]; negative values are slack."""
        return (self.required - achieved) / self.scale


def linear_constraints_of(constraints: dict[str, Constraint], base: np.ndarray) -> LinearConstraints:
    """Return the inequalities of K constraints, none of them per product.

    base [K, 6]: SUMS of each slice at the prices that its limit is relative to, today's for an absolute limit.
    InputError where a limit is relative to a measure that is not above 0, or a ratio is of a slice without sales.
    """
    rows = [
        _inequality(name, constraint, sums) for (name, constraint), sums in zip(constraints.items(), base, strict=True)
    ]
    return LinearConstraints(
        names=tuple(constraints),
        coefficient=np.array([row.coefficient for row in rows]).reshape(len(rows), len(SUMS)),
        required=np.array([row.required for row in rows]),
        scale=np.array([row.scale for row in rows]),
        priority=np.array([constraint.priority for constraint in constraints.values()], np.int64),
    )


def measure_value(constraint: Constraint, sums: np.ndarray) -> float:
    """Return the constraint's measure for the sums [6]; see measure_of."""
    return _measured(constraint.measure, ratio_of(constraint), sums)


def ratio_of(constraint: Constraint) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the weights [6] of the ratio that a constraint limits, see RATIO; None where its measure is a sum."""
    is_of_anchor = constraint.measure == "price_index" and constraint.relative_to == ANCHOR_PRICES
    return (REVENUE, ANCHOR_REVENUE) if is_of_anchor else RATIO.get(constraint.measure)


def measure_of(measure: str, sums: np.ndarray) -> float:
    """Return one of MEASURES for SUMS, sums [6]; without sales a ratio is 0."""
    return _measured(measure, RATIO.get(measure), sums)


def _measured(measure: str, ratio: tuple[np.ndarray, np.ndarray] | None, sums: np.ndarray) -> float:
    if ratio is None:
        return float(sums @ COEFFICIENT[measure])
    numerator, denominator = (float(sums @ weights) for weights in ratio)
    return numerator / denominator if denominator > 0 else 0.0


def absolute_limit(constraint: Constraint, base: np.ndarray) -> float:
    """Return the limit in the unit of its measure; base [6]: see linear_constraints_of, of its slice."""
    return constraint.limit * (1.0 if constraint.relative_to is None else measure_value(constraint, base))


def _inequality(name: str, constraint: Constraint, base: np.ndarray) -> Inequality:
    """Return the constraint as a floor; a ceiling becomes a floor of the negative.

    A ratio of at least m is numerator − m · denominator ≥ 0: a price index of at least m is revenue − m · base revenue.
    """
    before, ratio = measure_value(constraint, base), ratio_of(constraint)
    prices = "the anchor's" if constraint.relative_to == ANCHOR_PRICES else "today's"
    if constraint.relative_to is not None and before <= 0:
        raise InputError(
            f"constraints.{name} must be relative to something above 0, found {constraint.measure} {before:g} at "
            f"{prices} prices: set an absolute limit"
        )
    if ratio is not None and base @ REVENUE <= 0:
        raise InputError(
            f"constraints.{name} must be of a slice with sales, found no expected revenue at {prices} "
            "prices: mend its where, or the availability of its products"
        )
    limit = absolute_limit(constraint, base)
    sign = 1.0 if constraint.at_least is not None else -1.0
    if ratio is not None:
        numerator, denominator = ratio
        scale = max(float(base @ denominator), 1.0) * max(abs(limit), LEAST_RATE)
        return Inequality(sign * (numerator - limit * denominator), 0.0, scale)
    scale = max(abs(limit), abs(before), LEAST_SCALE)
    return Inequality(sign * COEFFICIENT[constraint.measure], sign * limit, scale)
