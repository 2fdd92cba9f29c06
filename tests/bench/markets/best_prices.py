"""The best legal prices under a truth, for groups of users or one for all, by coordinate ascent over the rungs."""

import numpy as np

from gpu_pricer.evaluation.profit import Rungs
from tests.bench.markets.truth import Truth

NEAR = (-4, -1, 1, 4)
"""Moves in rungs that are tried before all rungs are."""
ROUNDING = 1e-12
"""Relative gain of profit below which a move is rounding error."""


def oracle(truth: Truth, rungs: Rungs, uniform: np.ndarray) -> np.ndarray:
    """Return the best prices in cents [P, T] found of each type, for the summed demand of its users.

    uniform [P, 1]: the prices to start from, so that the result is never worse.
    """
    condensed = truth.condensed()
    return _best(condensed, rungs, condensed.types, np.repeat(uniform, int(truth.types.max()) + 1, axis=1))


def best_uniform(truth: Truth, rungs: Rungs) -> np.ndarray:
    """Return the best prices in cents [P, 1] that are equal for all users, the best found from three starts."""
    condensed = truth.condensed()
    one = np.zeros(len(condensed.visits), np.int64)
    starts = (truth.today, truth.lowest, truth.highest)
    found = [_best(condensed, rungs, one, start[:, None]) for start in starts]
    profit = np.array([_by_group(condensed, price, one)[:, 0] for price in found])
    best = profit.argmax(axis=0)[truth.category]
    return np.stack(found)[best, np.arange(len(best))]


def _best(truth: Truth, rungs: Rungs, groups: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return prices [P, T] that no move of one product to another rung improves, for groups [U] of users.

    start [P, T]: prices to start from. All categories and groups move at once, since none knows of the others.
    """
    position = np.column_stack([rungs.nearest(column) for column in start.T])
    is_tried = False
    while not is_tried:
        before = position
        position = _swept(truth, rungs, groups, position, NEAR)
        if np.array_equal(position, before):
            position = _swept(truth, rungs, groups, position, None)
            is_tried = np.array_equal(position, before)
    return _price(rungs, position)


def _swept(
    truth: Truth, rungs: Rungs, groups: np.ndarray, position: np.ndarray, moves: tuple[int, ...] | None
) -> np.ndarray:
    """Return the positions [P, T] after every product in turn took its best of the moves, or of all rungs if None."""
    last = np.diff(rungs.start)[:, None] - 1
    best = _by_group(truth, _price(rungs, position), groups)
    for rank in range(int(truth.rank.max()) + 1):
        is_moved, kept = (truth.rank == rank)[:, None], position
        rungs_of_rank = range(int(last[truth.rank == rank].max()) + 1)
        for move in rungs_of_rank if moves is None else moves:
            moved = np.where(is_moved, np.clip(move if moves is None else kept + move, 0, last), kept)
            profit = _by_group(truth, _price(rungs, moved), groups)
            is_better = profit - best > ROUNDING * np.abs(best)
            position = np.where(is_better[truth.category] & is_moved, moved, position)
            best = np.where(is_better, profit, best)
    return position


def _price(rungs: Rungs, position: np.ndarray) -> np.ndarray:
    return rungs.price[rungs.start[:-1, None] + position]


def _by_group(truth: Truth, price: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the profit [G, T] of every category and group at prices [P, T]."""
    of_user = price if price.shape[1] == 1 else price[:, groups]
    return truth.user_profit(of_user) @ np.eye(price.shape[1])[groups]
