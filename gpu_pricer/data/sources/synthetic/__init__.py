"""A synthetic market whose truth is known: types of users, a manager who sets prices, and a log of purchases.

The truth is saved as a demand artefact, so that estimates and prices can be compared with it.
"""

from gpu_pricer.data.sources.synthetic.history import Manager, MarketHistory
from gpu_pricer.data.sources.synthetic.market import Assortment, People, SyntheticMarket, Tastes
from gpu_pricer.data.sources.synthetic.price_groups import PriceGroups
from gpu_pricer.data.sources.synthetic.sales import Baskets
from gpu_pricer.data.sources.synthetic.source import DrawnMarket, Synthetic

__all__ = [
    "Assortment",
    "Baskets",
    "DrawnMarket",
    "Manager",
    "MarketHistory",
    "People",
    "PriceGroups",
    "Synthetic",
    "SyntheticMarket",
    "Tastes",
]
