"""What a price of one product leads to, in its category and a period, by the demand's own sensitivities, in float64."""

from typing import NamedTuple

import numpy as np

from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.tables.version.stock_record import served_share
from kernels import in_double


class Sales(NamedTuple):
    """Expected sales of a period: units, and revenue and profit in currency, after VAT where prices include it."""

    units: float
    revenue: float
    profit: float


class Consequence(NamedTuple):
    """What prices lead to: for the product, and for its whole category, whose products replace each other."""

    product: Sales
    category: Sales


class CategoryMarket:
    """One category of a pricing problem, whose sales are computed at any prices by the kernels."""

    def __init__(self, problem: PricingProblem, row: int, limit: np.ndarray) -> None:
        """row: the position in the problem of a product of the category; limit [P]: units that the stock can serve."""
        self.problem = problem
        self.index = int(np.searchsorted(problem.products.category_start, row, side="right")) - 1
        self.products = problem.product_slice(self.index, self.index + 1)
        self.demand = in_double(problem.demand.tile(self.products.start, self.products.stop))
        self.limit = limit[self.products]

    def consequence(self, row: int, price: np.ndarray) -> Consequence:
        """Return the sales at prices [n, S] or [n, 1] in cents of the category's n products; row: of a product.

        Units that the stock cannot serve do not count.
        """
        totals = self.problem.totals(self.demand, self.index, self.index + 1, price.astype(np.float64))
        asked = self.problem.products.sales(totals, self.products)
        sold = asked.served(served_share(asked.units, self.limit))
        net_share = self.problem.products.net_share[self.products]
        units, revenue, profit = sold.units, sold.revenue * net_share, sold.profit(net_share)
        mine = row - self.products.start
        own = Sales(float(units[mine]), float(revenue[mine]), float(profit[mine]))
        return Consequence(own, Sales(float(units.sum()), float(revenue.sum()), float(profit.sum())))

    def with_price(self, price: np.ndarray, row: int, cents: float) -> np.ndarray:
        """Return prices [n, S] in which the product at `row` costs `cents` in every segment."""
        changed = price.copy()
        changed[row - self.products.start] = cents
        return changed
