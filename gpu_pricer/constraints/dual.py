"""The multipliers: the minimum of the Lagrangian dual, a convex function of few variables.

In units in which all is about 1: z_k = multiplier_k · scale_k / size, so that z_k is the share of the objective that a
limit moved by its own size would cost, and the gradient in z_k is the relative slack. Constraints that cannot be met
together would drive z beyond any number; each priority has a cap on Σ z instead, which is the price of violating all
limits of that priority by the same share (an exact penalty, Nocedal & Wright 2006, ch. 17.2).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import LinearConstraint, minimize

CAP, CAP_RATIO = 100.0, 30.0
"""The cap of the least important priority: a violation of 1 % costs as much as the whole objective; and of the next."""

CLOSE = 1e-5
"""The search ends where no limit is missed by more than this share, and slack costs no more than that of the objective;
the rest is for the prices to find."""

FLAT, MOST_STEPS = 1e-9, 40
"""Share of the objective below which a step of the search gains nothing, and the most steps."""


@dataclass(frozen=True)
class Point:
    """One evaluation: z [K], the dual value and its gradient [K], the relative slack (both divided by the size)."""

    z: np.ndarray
    value: float
    slack: np.ndarray

    @property
    def is_close(self) -> bool:
        """Whether the conditions of Karush, Kuhn and Tucker hold nearly."""
        return bool((self.slack >= -CLOSE).all() and self.z @ np.abs(self.slack) <= CLOSE)


class _Close(Exception):
    """The search has come close enough."""


def caps_of(priority: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Membership bool [Q, K] of the Q priorities, the least important first, and the caps [Q]."""
    ranks = np.unique(priority)[::-1]
    return priority == ranks[:, None], CAP * CAP_RATIO ** np.arange(len(ranks))


def minimise_dual(evaluate: Callable[[np.ndarray], Point], start: np.ndarray, priority: np.ndarray) -> Point:
    """Return the best point found by sequential least-squares quadratic programming (Kraft 1988), from z = start.

    evaluate is called once per point; nothing is assumed of it but convexity, up to rounding.
    """
    member, caps = caps_of(priority)
    seen: dict[bytes, Point] = {}

    def at(z: np.ndarray) -> Point:
        z = np.clip(z, 0.0, None)
        if z.tobytes() not in seen:
            seen[z.tobytes()] = evaluate(z)
            if seen[z.tobytes()].is_close:
                raise _Close
        return seen[z.tobytes()]

    with suppress(_Close):
        minimize(
            lambda z: at(z).value, start, jac=lambda z: at(z).slack, method="SLSQP", bounds=[(0.0, None)] * len(start),
            constraints=LinearConstraint(member.astype(float), -np.inf, caps),
            options={"ftol": FLAT, "maxiter": MOST_STEPS},
        )  # fmt: skip
    return min(seen.values(), key=lambda point: point.value)


def curvature(points: list[Point], around: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """Return how the slack grows with z near a point, [K, K], positive definite.

    BFGS over the points seen, far to near (Nocedal & Wright 2006, ch. 6.1), from what was known before, if anything.
    """
    ordered = sorted(points, key=lambda point: -float(np.linalg.norm(point.z - around)))
    pairs = [(b.z - a.z, b.slack - a.slack) for a, b in pairwise(ordered)]
    pairs = [(step, turn) for step, turn in pairs if step @ turn > 1e-12 * np.linalg.norm(step) * np.linalg.norm(turn)]
    estimate = np.eye(len(around)) if known is None else known
    if known is None and pairs:
        step, turn = pairs[0]
        estimate *= (turn @ turn) / (step @ turn)
    for step, turn in pairs:
        seen = estimate @ step
        estimate = estimate - np.outer(seen, seen) / (step @ seen) + np.outer(turn, turn) / (step @ turn)
    return estimate
