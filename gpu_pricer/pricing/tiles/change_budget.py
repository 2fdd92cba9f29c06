"""A budget of price changes: which categories of which segments may move in a run, and which keep today's prices.

The change of a category for a segment is one decision, because the prices of a category depend on each other. The value
of a change is exact: it is the objective of a period's visits at the best prices, less the objective where every price
that may stay today's stays. The changes with the most value per cell that leaves today's price win, and one that does
not fit into what is left of the budget is passed over. This is the greedy rule of Dantzig (1957) for the knapsack
problem; its loss is less than the value of the first change that does not fit. A price that breaks a rule today moves
in any case and counts against the budget first.
"""

import logging
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

log = logging.getLogger(__name__)


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
    Memory grows with the budget and not with the number of changes, because changes that cannot win are dropped after
    every batch. The log says where no change fits.
    """
    kept, forced, smallest = Changes(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)), 0, 0
    for batch, in_any_case in changes:
        forced += in_any_case
        if len(batch.cells):
            smallest = min(smallest or int(batch.cells.min()), int(batch.cells.min()))
        joined = Changes(*(np.concatenate(pair) for pair in zip(kept, batch, strict=True)))
        kept = _candidates(joined, max(budget - forced, 0))
    taken = _affordable(kept, max(budget - forced, 0))
    if smallest and not len(taken.where):
        log.warning(
            "bounds.max_changes=%d leaves every price that may stay at today's: all prices of a category change "
            "together for a segment, the smallest change moves %d prices, and %d move in any case",
            budget, smallest, forced,
        )  # fmt: skip
    return np.sort(taken.where)


def _by_value(changes: Changes) -> Changes:
    """Return the changes with the most value per cell first; of equal ones the first place comes first."""
    order = np.lexsort((changes.where, -changes.value / changes.cells))
    return Changes(*(column[order] for column in changes))


def _candidates(changes: Changes, budget: int) -> Changes:
    """Return the changes that can win: of those with k cells the best budget / k, because no more of them fit."""
    ordered = _by_value(changes)
    by_size = np.argsort(ordered.cells, kind="stable")
    cells = ordered.cells[by_size]
    rank = np.arange(len(cells)) - np.searchsorted(cells, cells)
    can_win = np.sort(by_size[rank < budget // cells])
    return Changes(*(column[can_win] for column in ordered))


def _affordable(changes: Changes, budget: int) -> Changes:
    """Return the changes that are taken one after the other, those by _by_value first, if they fit what is left."""
    ordered = _by_value(changes)
    left, is_taken, is_open = budget, np.zeros(len(ordered.cells), np.bool_), ordered.cells <= budget
    while is_open.any():
        fits = is_open & (np.cumsum(np.where(is_open, ordered.cells, 0)) <= left)
        is_taken |= fits
        left -= int(ordered.cells[fits].sum())
        is_open &= ~fits & (ordered.cells <= left)
    return Changes(*(column[is_taken] for column in ordered))
