"""Prices that keep to the limits, out of two answers to nearly the same multipliers: each category takes one of them.

The best answer to the best multipliers misses a limit by what its last jump moved, and one that keeps to it moved too
far. The linear programme over categories loses least; a basic solution splits no more categories than there are
limits (Dantzig & Wolfe 1960), and those go to the answer that keeps to them.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog


class Ledger(NamedTuple):
    """What prices come to, category by category: objective [G] in currency; goals [G, K] in units of their limits."""

    objective: np.ndarray
    goals: np.ndarray


def mix(best: Ledger, keeping: Ledger, required: np.ndarray) -> np.ndarray:
    """Which categories take the answer that keeps to the limits, bool [G]; all of them where no mixture does.

    required [K]: what the goals must come to together.
    """
    gain = keeping.goals - best.goals
    missing = required - best.goals.sum(axis=0)
    everything = np.ones(len(gain), np.bool_)
    scale = np.maximum(np.abs(gain).sum(axis=0), 1e-300)
    size = max(float(np.abs(keeping.objective).sum()), 1e-300)
    for _ in range(8):
        found = linprog(
            (best.objective - keeping.objective) / size, A_ub=-(gain / scale).T, b_ub=-missing / scale, bounds=(0, 1)
        )
        if not found.success:
            return everything
        taken = found.x > 1e-9
        short = required - np.where(taken[:, None], keeping.goals, best.goals).sum(axis=0)
        if (short <= 0).all():
            return taken
        missing = missing + 1.5 * np.maximum(short, 0.0)
    return everything
