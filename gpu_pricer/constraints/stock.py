"""Shadow prices of limits per product: what a unit of scarce stock is worth, product by product at once."""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.tables.price_table import CENTS

CLOSE = 1e-4
"""Share of today's price below which two shadow prices are the same."""

NEARBY = 30
"""Steps to either side of a former shadow price within which the new one is first sought."""

LIFT = 3.0
"""How much further each lift goes than the one before."""

ENOUGH = 0.999
"""Share of a limit that, once sold, leaves nothing to gain from a lower shadow price."""


@dataclass(frozen=True)
class Stock:
    """limit [P]: the most units of a period, infinite where there is none; highest [P]: the shadow price from which on
    a unit more is worth nothing, even at the highest price allowed, in currency.

    What demand exceeds the limit by at that price is rationed: it is not sold, and earns nothing.
    """

    limit: np.ndarray
    highest: np.ndarray

    @property
    def is_any(self) -> bool:
        """Whether any product has a limit."""
        return bool(np.isfinite(self.limit).any())

    def rationed(self, units: np.ndarray, price: np.ndarray) -> np.ndarray:
        """Units asked for that cannot be sold, where the shadow price has reached the highest [P]."""
        return np.where(price >= self.highest, np.maximum(units - self.limit, 0.0), 0.0)

    def excess(self, units: np.ndarray, price: np.ndarray) -> np.ndarray:
        """Units above the limit that are not rationed [P]."""
        return np.maximum(units - self.limit, 0.0) - self.rationed(units, price)

    def category_value(self, price: np.ndarray) -> float:
        """Σ shadow price · limit, the limits' part of the Lagrangian."""
        is_limited = np.isfinite(self.limit)
        return float(price[is_limited] @ self.limit[is_limited])


def stock_of(problem: PricingProblem, objective: np.ndarray, limit: np.ndarray) -> Stock:
    """The limits [P] with the most that a unit of each product may earn, given the objective's weights [3]."""
    of_unit, of_revenue, of_cost = objective
    highest = of_unit + of_revenue * dearest_prices(problem) + of_cost * problem.products.cost
    return Stock(limit, np.maximum(highest, 0.0))


def dearest_prices(problem: PricingProblem) -> np.ndarray:
    """The highest price of each product that bounds, or overrides of single segments, allow, in currency [P]."""
    high, overrides = problem.limits.high.copy(), problem.overrides.of_cells()
    np.maximum.at(high, overrides.product, overrides.price)
    return high / CENTS


class StockSearch:
    """The lowest shadow price at which each product's units keep to its limit: a bracket per product, all in step.

    Units fall with the product's own shadow price in jumps, one for every segment and rung; and they rise with its
    neighbours', so that a bracket may turn out stale, and is widened.
    """

    def __init__(self, stock: Stock, today: np.ndarray) -> None:
        """today: prices in currency, [P]."""
        self.stock, self.step = stock, CLOSE * today
        self.price = np.zeros_like(today)
        self.low, self.high = np.zeros_like(today), stock.highest.copy()
        self.log_low, self.log_high = np.full_like(today, np.nan), np.full_like(today, np.nan)
        self.turns, self.lifts = 0, np.zeros(len(today))

    def start_at(self, price: np.ndarray) -> None:
        """Start from shadow prices [P] that were right for a market like this one."""
        self.price = np.minimum(price, self.stock.highest)
        self.low = np.maximum(self.price - NEARBY * self.step, 0.0)
        self.high = np.minimum(self.price + NEARBY * self.step, self.stock.highest)

    def advance(self, units: np.ndarray) -> bool:
        """Take the units that the present prices led to; move the prices, and return whether any moved."""
        stock, is_limited = self.stock, np.isfinite(self.stock.limit)
        log_ratio = np.log(
            np.maximum(units, 1e-12) / np.maximum(stock.limit, 1e-12), where=is_limited, out=np.zeros_like(units)
        )
        over = is_limited & (log_ratio > 0) & (self.price < stock.highest)
        under = is_limited & ~over & (self.price > 0)
        stale_up, stale_down = over & (self.price >= self.high), under & (self.price <= self.low)
        self.high[stale_up], self.log_high[stale_up] = stock.highest[stale_up], np.nan
        self.low[stale_down], self.log_low[stale_down] = 0.0, np.nan
        self.low[over], self.log_low[over] = self.price[over], log_ratio[over]
        self.high[under], self.log_high[under] = self.price[under], log_ratio[under]
        is_open = (over | under) & (self.high - self.low > self.step) & ~(under & (units >= ENOUGH * stock.limit))
        self.turns += 1
        following = np.where(is_open, self._between(), np.where(over, self.high, self.price))
        moved = following != self.price
        self.price = following
        return bool(moved.any())

    def lift(self, excess: np.ndarray) -> None:
        """Raise the prices of products whose units exceed their limit [P], further each time."""
        is_over = excess > 0
        self.lifts = np.where(is_over, self.lifts + 1, self.lifts)
        higher = np.minimum(self.price + self.step * LIFT**self.lifts, self.stock.highest)
        self.price = np.where(is_over, higher, self.price)

    def _between(self) -> np.ndarray:
        """A price inside each bracket: where the logarithm of the units, a line, meets the limit; or the middle."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share = self.log_low / (self.log_low - self.log_high)
        is_known = np.isfinite(share) & (self.turns % 3 > 0)
        # Without a second end the first guess follows an own-price elasticity of units of about -2.
        guess = np.clip(np.nan_to_num(self.log_low) / 2, 0.02, 0.5)
        share = np.where(is_known, np.clip(share, 0.05, 0.95), np.where(np.isnan(self.log_high), guess, 0.5))
        return self.low + share * (self.high - self.low)
