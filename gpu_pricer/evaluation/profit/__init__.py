"""The profit of prices under a demand, and a search for the best uniform prices.

`rungs` lists the legal prices, `uniform` searches among them, `value` computes what prices earn.
"""

from gpu_pricer.evaluation.profit.rungs import Rungs, legal_rungs
from gpu_pricer.evaluation.profit.uniform import best_uniform_price
from gpu_pricer.evaluation.profit.value import TrueMarket, hand_set_prices

__all__ = ["Rungs", "TrueMarket", "best_uniform_price", "hand_set_prices", "legal_rungs"]
