"""The best price of every product that is the same for all types, found by search."""

import numpy as np

from gpu_pricer.evaluation.rungs import Rungs
from gpu_pricer.evaluation.value import TrueMarket

WIDEST_STEP = 16  # rungs; a quarter of it after each pass, down to one
MOST_SWEEPS = 6


def best_uniform_price(market: TrueMarket, rungs: Rungs, starts: list[np.ndarray]) -> np.ndarray:
    """One price per product in cents [P], the best found from several starts [P] per category.

    Pattern search, one product of every category at a time, so that substitution is seen; the problem is not concave,
    and no claim is made that the optimum is global. Never worse than the best start, if that is legal.
    """
    best = rungs.at(rungs.nearest(starts[0]))
    value = market.category_profit(best)
    for start in starts:
        price = rungs.at(_climb(market, rungs, rungs.nearest(start)))
        found = market.category_profit(price)
        best = np.where((found > value)[market.category], price, best)
        value = np.maximum(found, value)
    return best


def _climb(market: TrueMarket, rungs: Rungs, position: np.ndarray) -> np.ndarray:
    """Positions [P] that no move of one product by one rung improves, or the best after MOST_SWEEPS."""
    value = market.category_profit(rungs.at(position))
    step = WIDEST_STEP
    while step:
        for _ in range(MOST_SWEEPS):
            before = value
            for rank in range(int(market.rank.max()) + 1):
                for move in (-step, step):
                    position, value = _try(market, rungs, position, value, move * (market.rank == rank))
            if np.array_equal(before, value):
                break
        step //= 4
    return position


def _try(
    market: TrueMarket, rungs: Rungs, position: np.ndarray, value: np.ndarray, move: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the move in those categories that it improves."""
    moved = np.clip(position + move, 0, np.diff(rungs.start) - 1)
    found = market.category_profit(rungs.at(moved))
    is_better = found > value
    return np.where(is_better[market.category], moved, position), np.where(is_better, found, value)
