"""The best price of every product that is the same for all types, found by search."""

import numpy as np

from gpu_pricer.evaluation.profit.rungs import Rungs
from gpu_pricer.evaluation.profit.value import TrueMarket

MOVES = np.array([0, -16, -4, -1, 1, 4, 16])  # rungs
MOST_SWEEPS = 30


def best_uniform_price(market: TrueMarket, rungs: Rungs, starts: list[np.ndarray]) -> np.ndarray:
    """One price per product in cents [P], the best found from several starts [P] per category.

    Pattern search, one product of every category at a time, so that substitution is seen; the problem is not
    concave, and no claim is made that the optimum is global. Never worse than the best start, if that is
    legal.
    """
    best = rungs.at(rungs.nearest(starts[0]))
    value = market.category_profit(best[:, None])[:, 0]
    for start in starts:
        price = rungs.at(_climb(market, rungs, rungs.nearest(start)))
        found = market.category_profit(price[:, None])[:, 0]
        best = np.where((found > value)[market.category], price, best)
        value = np.maximum(found, value)
    return best


def _climb(market: TrueMarket, rungs: Rungs, position: np.ndarray) -> np.ndarray:
    """Positions [P] that no move of one product improves, or the best after MOST_SWEEPS."""
    for _ in range(MOST_SWEEPS):
        before = position
        for rank in range(int(market.rank.max()) + 1):
            moves = np.where((market.rank == rank)[:, None], MOVES, 0)
            moved = np.clip(position[:, None] + moves, 0, np.diff(rungs.start)[:, None] - 1)
            profit = market.category_profit(np.column_stack([rungs.at(column) for column in moved.T]))
            position = moved[np.arange(len(position)), profit.argmax(axis=1)[market.category]]
        if np.array_equal(before, position):
            break
    return position
