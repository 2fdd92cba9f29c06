"""A budget of price changes: which categories of which segments may move in a run, and which keep today's prices.

The change of a category for a segment is one decision, because the prices of a category depend on each other. The value
of a change is exact: it is the objective of a period's visits at the best prices, less the objective where every price
that may stay today's stays. The changes with the most value per cell that leaves today's price win. This is the greedy
rule of Dantzig (1957) for the knapsack problem; its loss is less than the value of the first change that does not fit.
A price that breaks a rule today moves in any case and counts against the budget first.
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
    """Return the places (see Changes.where) of the changes that the budget allows, int64, ascending.

    changes: batches, each with its number of forced cells, which move in any case; budget: how many cells may move.
    Memory grows with the budget and not with the number of changes, because changes beyond the budget are dropped after
    every batch.
    """
    kept, forced = Changes(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)), 0
    for batch, in_any_case in changes:
        forced += in_any_case
        joined = Changes(*(np.concatenate(pair) for pair in zip(kept, batch, strict=True)))
        kept = _affordable(joined, max(budget - forced, 0))
    return np.sort(kept.where)


def _affordable(changes: Changes, budget: int) -> Changes:
    """Return the changes with the most value per cell that fit the budget; among equal ones the first places win."""
    order = np.lexsort((changes.where, -changes.value / changes.cells))
    fits = np.cumsum(changes.cells[order]) <= budget
    return Changes(*(column[order[fits]] for column in changes))
