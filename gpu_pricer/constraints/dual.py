"""The multipliers: the minimum of the Lagrangian dual, a convex function of as many variables as constraints.

The variables are scaled: z_k = multiplier_k · scale_k / |objective at today's prices|. z_k is the share of the
objective that moving limit k by its own scale would cost, and the dual's gradient in z_k is the relative slack of
limit k. Constraints that cannot be met together would drive z to infinity. So Σ z over the constraints of one priority
has a cap: the price of violating all of them by the same share (an exact penalty, Nocedal & Wright 2006, ch. 17.2).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import LinearConstraint, minimize

CAP, CAP_RATIO = 100.0, 30.0
"""The cap of the least important priority, at which a violation of 1 % costs as much as the whole objective; and how
many times larger each more important priority's cap is than the one before."""

CLOSE = 1e-5
"""The search ends where every relative slack is at least −CLOSE and slack costs at most this share of the objective.
The recovery of prices closes the rest."""

FLAT, MOST_STEPS = 1e-9, 40
"""Share of the objective below which a step of the search gains nothing, and the most steps."""

LEAST_TURN = 1e-12
"""Smallest cosine between a step and its change of slack with which the pair updates the curvature."""


@dataclass(frozen=True)
class DualPoint:
    """One evaluation of the dual.

    z [K]: the scaled multipliers; value: the dual as a share of the objective; slack [K]: its gradient, the relative
    slack of each limit.
    """

    z: np.ndarray
    value: float
    slack: np.ndarray

    @property
    def is_close(self) -> bool:
        """Whether the conditions of Karush, Kuhn and Tucker hold up to CLOSE."""
        return bool((self.slack >= -CLOSE).all() and self.z @ np.abs(self.slack) <= CLOSE)


class _CloseEnough(Exception):
    """Ends SciPy's search from inside the function that it minimises."""


def priority_caps(priority: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which constraints have each of Q priorities, bool [Q, K], least important first; and caps of Σ z [Q]."""
    ranks = np.unique(priority)[::-1]
    return priority == ranks[:, None], CAP * CAP_RATIO ** np.arange(len(ranks))


def minimise_dual(evaluate: Callable[[np.ndarray], DualPoint], start: np.ndarray, priority: np.ndarray) -> DualPoint:
    """Return the best point found from z = start by sequential least-squares quadratic programming (Kraft 1988).

    evaluate: the dual at z [K], convex up to rounding; called once per point. priority int64 [K].
    """
    member, caps = priority_caps(priority)
    seen: dict[bytes, DualPoint] = {}

    def evaluate_once(z: np.ndarray) -> DualPoint:
        z = np.clip(z, 0.0, None)
        if z.tobytes() not in seen:
            seen[z.tobytes()] = evaluate(z)
            if seen[z.tobytes()].is_close:
                raise _CloseEnough
        return seen[z.tobytes()]

    with suppress(_CloseEnough):
        minimize(
            lambda z: evaluate_once(z).value,
            start,
            jac=lambda z: evaluate_once(z).slack,
            method="SLSQP",
            bounds=[(0.0, None)] * len(start),
            constraints=LinearConstraint(member.astype(float), -np.inf, caps),
            options={"ftol": FLAT, "maxiter": MOST_STEPS},
        )
    return min(seen.values(), key=lambda point: point.value)


def estimate_curvature(points: list[DualPoint], around: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """Return the derivative of slack by z near z = around [K], positive definite [K, K].

    The estimate comes from BFGS updates over the points, the farthest from `around` first (Nocedal & Wright 2006, ch.
    6.1). known [K, K]: the estimate to update; if None, the first pair of points scales the identity.
    """
    ordered = sorted(points, key=lambda point: -float(np.linalg.norm(point.z - around)))
    pairs = [(b.z - a.z, b.slack - a.slack) for a, b in pairwise(ordered)]
    pairs = [
        (step, turn) for step, turn in pairs if step @ turn > LEAST_TURN * np.linalg.norm(step) * np.linalg.norm(turn)
    ]
    estimate = np.eye(len(around)) if known is None else known
    if known is None and pairs:
        step, turn = pairs[0]
        estimate *= (turn @ turn) / (step @ turn)
    for step, turn in pairs:
        image = estimate @ step
        estimate = estimate - np.outer(image, image) / (step @ image) + np.outer(turn, turn) / (step @ turn)
    return estimate
