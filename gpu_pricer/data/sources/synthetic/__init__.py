"""A market with known truth: types of users, a manager who sets prices, a log of what they bought."""

from gpu_pricer.data.sources.synthetic.history import History, Manager
from gpu_pricer.data.sources.synthetic.market import Assortment, Market, People, Tastes
from gpu_pricer.data.sources.synthetic.sales import Baskets
from gpu_pricer.data.sources.synthetic.source import DrawnMarket, Synthetic

__all__ = [
    "Assortment",
    "Baskets",
    "DrawnMarket",
    "History",
    "Manager",
    "Market",
    "People",
    "Synthetic",
    "Tastes",
]
