"""A market with known truth: types of users, a manager who sets prices, a log of what they bought."""

from gpu_pricer.data.sources.synthetic.history import Manager, MarketHistory
from gpu_pricer.data.sources.synthetic.market import Assortment, People, SyntheticMarket, Tastes
from gpu_pricer.data.sources.synthetic.sales import Baskets
from gpu_pricer.data.sources.synthetic.source import DrawnMarket, Synthetic

__all__ = [
    "Assortment",
    "Baskets",
    "DrawnMarket",
    "Manager",
    "MarketHistory",
    "People",
    "Synthetic",
    "SyntheticMarket",
    "Tastes",
]
