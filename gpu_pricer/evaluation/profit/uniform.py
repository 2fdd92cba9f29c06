"""A search for the best prices that are equal for all types."""

import numpy as np

from gpu_pricer.evaluation.profit.rungs import Rungs
from gpu_pricer.evaluation.profit.value import TrueMarket
from kernels import uniform_tile


def best_uniform_price(market: TrueMarket, rungs: Rungs, starts: list[np.ndarray]) -> np.ndarray:
    """Return one price per product in cents [P], in every category the best found from several starts [P].

    A pattern search (see kernels/uniform_prices.py) moves one product, or one price family, of every category at a time
    and takes substitution into account. The problem is not concave, so the optimum found may be local; it is never
    worse than the best legal start.
    """
    earnings, ladders = (market.unit_cost, market.weight), (rungs.price, rungs.start, rungs.leader)
    tile = uniform_tile(market.demand, market.shelf, earnings, market.visits, market.by_hand, ladders)
    best = rungs.at(rungs.nearest(rungs.with_common_prices(starts[0])))
    value = market.category_profit(best)
    for start in starts:
        price = rungs.at(tile.climb(rungs.nearest(rungs.with_common_prices(start))))
        found = market.category_profit(price)
        best = np.where((found > value)[market.category], price, best)
        value = np.maximum(found, value)
    return best
