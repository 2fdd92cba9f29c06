"""A budget of price changes: which categories of which segments may move in a run, and which keep today's prices.

The change of a category for a segment is one decision, because its prices depend on each other. Its value is exact:
what a period's visits earn at the best prices less what they earn where every price that may stay does, as measured by
the objective. Per cell that leaves today's price the most valuable changes win (the
greedy rule of Dantzig 1957 for the knapsack, short of its optimum by less than the first change that does not fit).
A price that today breaks a rule moves in any case and counts first.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Changes(NamedTuple):
    """n changes, each of one category for one segment.

    where int64 [n]: category * segments + segment; cells int64 [n]: how many cells leave today's price; value float64
    [n]: what the change adds to the objective of a period.
    """

    where: np.ndarray
    cells: np.ndarray
    value: np.ndarray


def most_valuable(changes: Iterable[tuple[Changes, int]], budget: int) -> np.ndarray:
    """Return the places, ascending, of the changes that a budget of cells allows.

    Each batch of changes comes with its number of forced cells, which move in any case. Memory grows with the budget
    and not with the number of changes, because the least valuable changes beyond the budget are dropped on the way.
    """
    kept, forced = Changes(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)), 0
    for batch, in_any_case in changes:
        forced += in_any_case
        joined = Changes(*(np.concatenate(pair) for pair in zip(kept, batch, strict=True)))
        kept = _affordable(joined, max(budget - forced, 0))
    return np.sort(kept.where)


def _affordable(changes: Changes, budget: int) -> Changes:
    """Return the changes of most value per cell that fit the budget; of equal ones those of the first places."""
    order = np.lexsort((changes.where, -changes.value / changes.cells))
    fits = np.cumsum(changes.cells[order]) <= budget
    return Changes(*(column[order[fits]] for column in changes))
