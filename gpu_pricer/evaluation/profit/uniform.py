"""A search for the best prices that are equal for all types."""

import numpy as np

from gpu_pricer.evaluation.profit.rungs import Rungs
from gpu_pricer.evaluation.profit.value import TrueMarket
from gpu_pricer.pricing.tiles.selection import products_of

MOVES = np.array([0, -16, -4, -1, 1, 4, 16])  # in rungs
MOST_SWEEPS = 30


def best_uniform_price(market: TrueMarket, rungs: Rungs, starts: list[np.ndarray]) -> np.ndarray:
    """Return one price per product in cents [P], in every category the best found from several starts [P].

    A pattern search moves one product, or one price family, of every category at a time and takes substitution into
    account. The problem is not concave, so the optimum found may be local; it is never worse than the best legal start.
    """
    best = rungs.at(rungs.nearest(rungs.with_common_prices(starts[0])))
    value = market.category_profit(best[:, None])[:, 0]
    for start in starts:
        price = rungs.at(_climb(market, rungs, rungs.nearest(rungs.with_common_prices(start))))
        found = market.category_profit(price[:, None])[:, 0]
        best = np.where((found > value)[market.category], price, best)
        value = np.maximum(found, value)
    return best


def _climb(market: TrueMarket, rungs: Rungs, position: np.ndarray) -> np.ndarray:
    """Return positions [P] that no move of one product or family improves, or those after MOST_SWEEPS sweeps.

    Categories of about as many products climb together: a sweep has as many turns as the largest one has products.
    """
    start, position = market.shelf.category_start, position.copy()
    turns = np.maximum.reduceat(rungs.turns(start), start[:-1]) + 1
    band = np.ceil(np.log2(turns))
    for climbing in (np.flatnonzero(band == one) for one in np.unique(band)):
        for _ in range(MOST_SWEEPS):
            products, part = products_of(start, climbing), market.select_categories(climbing)
            before = position[products]
            position[products] = _swept(part, rungs.of(products), before)
            has_moved = np.logical_or.reduceat(position[products] != before, part.shelf.category_start[:-1])
            climbing = climbing[has_moved]
            if not len(climbing):
                break
    return position


def _swept(market: TrueMarket, rungs: Rungs, position: np.ndarray) -> np.ndarray:
    """Return the positions [P] after each product or family, in turn, has made its best move."""
    turn = rungs.turns(market.shelf.category_start)
    for rank in range(int(turn.max()) + 1):
        moves = np.where((turn == rank)[:, None], MOVES, 0)
        moved = np.clip(position[:, None] + moves, 0, np.diff(rungs.start)[:, None] - 1)
        profit = market.category_profit(np.column_stack([rungs.at(column) for column in moved.T]))
        position = moved[np.arange(len(position)), profit.argmax(axis=1)[market.category]]
    return position
