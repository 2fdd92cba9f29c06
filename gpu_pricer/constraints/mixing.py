"""Prices that meet the limits, mixed from two dual iterates: each category takes its prices from one of them.

The prices of the best multipliers miss a limit by what the last jump of a price moved. The prices of a feasible iterate
meet every limit but give up more than needed. A linear programme over categories finds the mixture that loses least.
Its basic solution splits at most as many categories as there are limits (Dantzig & Wolfe 1960); a split category takes
the feasible iterate's prices.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

TRIES, TIGHTENING = 8, 1.5
"""The most linear programmes, and the multiple of one mixture's shortfall that the next one must make up."""

LEAST_SHARE, TINY = 1e-9, 1e-300
"""The share above which a category takes the feasible iterate's prices; and the least scale, above 0 for division."""


class CategoryTotals(NamedTuple):
    """The sums per category at the prices of one dual iterate.

    objective [G] in currency; achieved [G, K]: each category's part of the constraints' left-hand sides.
    """

    objective: np.ndarray
    achieved: np.ndarray


def mix(best: CategoryTotals, feasible: CategoryTotals, required: np.ndarray) -> np.ndarray:
    """Return which categories take the feasible iterate's prices, bool [G]; all of them where no mixture is feasible.

    required [K]: what the left-hand sides must reach over all categories.
    """
    gain = feasible.achieved - best.achieved
    missing = required - best.achieved.sum(axis=0)
    all_categories = np.ones(len(gain), np.bool_)
    scale = np.maximum(np.abs(gain).sum(axis=0), TINY)
    size = max(float(np.abs(feasible.objective).sum()), TINY)
    for _ in range(TRIES):
        found = linprog(
            (best.objective - feasible.objective) / size, A_ub=-(gain / scale).T, b_ub=-missing / scale, bounds=(0, 1)
        )
        if not found.success:
            return all_categories
        takes_feasible = found.x > LEAST_SHARE
        short = required - np.where(takes_feasible[:, None], feasible.achieved, best.achieved).sum(axis=0)
        if (short <= 0).all():
            return takes_feasible
        missing = missing + TIGHTENING * np.maximum(short, 0.0)
    return all_categories
