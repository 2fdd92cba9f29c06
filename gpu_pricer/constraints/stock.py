"""Shadow prices of limits per product: what one more unit of a scarce product would earn."""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.tables.price_table import CENTS

CLOSE = 1e-4
"""Share of today's price below which two shadow prices are the same."""

NEARBY = 30
"""Steps to either side of a former shadow price within which the new one is sought first."""

LIFT = 3.0
"""How many times further each lift of a shadow price goes than the one before."""

ENOUGH = 0.999
"""Share of a limit that, once sold, leaves nothing to gain from a lower shadow price."""

LEAST_UNITS = 1e-12
"""Units that replace 0 in a logarithm."""

FIRST_SHARE, SHARE = (0.02, 0.5), (0.05, 0.95)
"""How far into a bracket the next shadow price lies: while the bracket's upper end was never tried, and afterwards."""


@dataclass(frozen=True)
class Stock:
    """Limits of the units that each product may sell in a period.

    limit [P]: in units, infinite for a product without a limit.
    highest_price [P]: the shadow price, in currency, from which on one more unit earns nothing even at the highest
    price allowed. Units above the limit at that shadow price are rationed: they are not sold and earn nothing.
    """

    limit: np.ndarray
    highest_price: np.ndarray

    @property
    def has_limits(self) -> bool:
        """Whether any product has a limit."""
        return bool(np.isfinite(self.limit).any())

    def rationed(self, units: np.ndarray, shadow_price: np.ndarray) -> np.ndarray:
        """Return the units [P] that demand asks for and stock cannot serve, at the highest shadow price."""
        return np.where(shadow_price >= self.highest_price, np.maximum(units - self.limit, 0.0), 0.0)

    def excess(self, units: np.ndarray, shadow_price: np.ndarray) -> np.ndarray:
        """Return the units [P] above the limit that are not rationed."""
        return np.maximum(units - self.limit, 0.0) - self.rationed(units, shadow_price)

    def limit_value(self, shadow_price: np.ndarray) -> float:
        """Return Σ shadow price · limit in currency, the constant that the limits add to the Lagrangian."""
        is_limited = np.isfinite(self.limit)
        return float(shadow_price[is_limited] @ self.limit[is_limited])


def stock_of(problem: PricingProblem, objective: np.ndarray, limit: np.ndarray) -> Stock:
    """Return the stock of limits [P] in units.

    objective [5]: weights of SUMS, which give the most that a unit can earn.
    """
    of_unit, of_revenue, of_cost, of_base, of_vat = objective
    price = highest_prices(problem)
    highest = of_unit + of_revenue * price + of_cost * problem.products.cost
    highest += of_base * problem.products.today / CENTS + of_vat * price * problem.products.vat_share()
    return Stock(limit, np.maximum(highest, 0.0))


def highest_prices(problem: PricingProblem) -> np.ndarray:
    """Return each product's highest price [P] in currency that bounds, or overrides of single segments, allow."""
    high, overrides = problem.limits.high.copy(), problem.overrides.of_cells()
    np.maximum.at(high, overrides.product, overrides.price)
    return high / CENTS


class StockSearch:
    """Search for the lowest shadow price at which each product sells no more than its limit.

    Every product has its own bracket [low, high], and all brackets move in the same pass over the cells. Units fall
    with the product's own shadow price in jumps, one for every segment and rung. Units also rise with the shadow prices
    of the product's neighbours, so a bracket can turn out to be wrong; the search then widens it.
    """

    def __init__(self, stock: Stock, today: np.ndarray) -> None:
        """today [P]: today's prices in currency; a bracket narrower than CLOSE times today's price is not searched."""
        self.stock, self.step = stock, CLOSE * today
        self.price = np.zeros_like(today)
        self.low, self.high = np.zeros_like(today), stock.highest_price.copy()
        self.log_low, self.log_high = np.full_like(today, np.nan), np.full_like(today, np.nan)
        self.turns, self.lifts = 0, np.zeros(len(today))

    def start_at(self, price: np.ndarray) -> None:
        """Start from the shadow prices [P], in currency, of an earlier problem, with narrow brackets around them."""
        self.price = np.minimum(price, self.stock.highest_price)
        self.low = np.maximum(self.price - NEARBY * self.step, 0.0)
        self.high = np.minimum(self.price + NEARBY * self.step, self.stock.highest_price)

    def advance(self, units: np.ndarray) -> bool:
        """Move the shadow prices, given the units [P] sold under the present ones; return whether any moved."""
        stock, is_limited = self.stock, np.isfinite(self.stock.limit)
        log_ratio = np.log(
            np.maximum(units, LEAST_UNITS) / np.maximum(stock.limit, LEAST_UNITS),
            where=is_limited,
            out=np.zeros_like(units),
        )
        is_over = is_limited & (log_ratio > 0) & (self.price < stock.highest_price)
        is_under = is_limited & ~is_over & (self.price > 0)
        self._update_brackets(is_over, is_under, log_ratio)
        is_wide = self.high - self.low > self.step
        is_open = (is_over | is_under) & is_wide & ~(is_under & (units >= ENOUGH * stock.limit))
        self.turns += 1
        following = np.where(is_open, self._between(), np.where(is_over, self.high, self.price))
        has_moved = following != self.price
        self.price = following
        return bool(has_moved.any())

    def lift(self, excess: np.ndarray) -> None:
        """Raise the shadow prices of products with excess units [P] above 0, further each time."""
        is_over = excess > 0
        self.lifts = np.where(is_over, self.lifts + 1, self.lifts)
        higher = np.minimum(self.price + self.step * LIFT**self.lifts, self.stock.highest_price)
        self.price = np.where(is_over, higher, self.price)

    def _update_brackets(self, is_over: np.ndarray, is_under: np.ndarray, log_ratio: np.ndarray) -> None:
        """Make the present prices ends of their brackets; first widen a bracket whose far end proved wrong.

        log_ratio [P]: the logarithm of units over limit.
        """
        is_high_wrong, is_low_wrong = is_over & (self.price >= self.high), is_under & (self.price <= self.low)
        self.high[is_high_wrong], self.log_high[is_high_wrong] = self.stock.highest_price[is_high_wrong], np.nan
        self.low[is_low_wrong], self.log_low[is_low_wrong] = 0.0, np.nan
        self.low[is_over], self.log_low[is_over] = self.price[is_over], log_ratio[is_over]
        self.high[is_under], self.log_high[is_under] = self.price[is_under], log_ratio[is_under]

    def _between(self) -> np.ndarray:
        """Return a price inside each bracket [P]: the secant of log units through both ends, or the middle.

        Every third turn takes the middle, so that a curved function does not stall the secant.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            share = self.log_low / (self.log_low - self.log_high)
        is_known = np.isfinite(share) & (self.turns % 3 > 0)
        # Without an upper end the first guess assumes an own-price elasticity of units of about -2.
        guess = np.clip(np.nan_to_num(self.log_low) / 2, *FIRST_SHARE)
        share = np.where(is_known, np.clip(share, *SHARE), np.where(np.isnan(self.log_high), guess, 0.5))
        return self.low + share * (self.high - self.low)
