"""The search for the shadow prices of stock: the lowest ones at which no product sells more than its limit."""

import numpy as np

from gpu_pricer.constraints.stock import Stock
from gpu_pricer.constraints.unit_value import UnitValue

CLOSE = 1e-4
"""Share of today's price below which two effective costs are the same."""

SAME = 1e-6
"""Share of today's price by which rounding may move an effective cost."""

NEARBY = 30
"""Steps to either side of a former effective cost within which the new one is sought first."""

LIFT = 3.0
"""How many times further each lift of a shadow price goes than the one before."""

ENOUGH = 0.999
"""Share of a limit that, once sold, leaves nothing to gain from a lower shadow price."""

STEADY = 1e-3
"""Change of log units at one effective cost from which on other prices have moved them, and a bracket is outdated."""

ELASTICITY = 2.0
"""Own-price elasticity of units that guesses the first step from a shadow price, and the steps towards no known end."""

FURTHER, SHARE = 2.0, (0.05, 0.95)
"""How many times further each step towards an end that is not known goes; how far into a bracket the next step goes."""

LEAST_UNITS = 1e-12
"""Units that replace 0 in a logarithm."""


class StockSearch:
    """Search for the lowest shadow price at which each product sells no more than its limit.

    The search is in the effective cost of a product, counted from its highest price: (shadow price − value at the
    highest price) / weight. At the same effective cost a product keeps its price whatever the multipliers of the other
    limits are, so that both can be sought in the same passes. Every product has its own bracket [low, high], and all
    brackets move in the same pass. Units fall with the effective cost in jumps, one for every segment and rung. They
    also rise with the prices of the product's neighbours, so an end can turn out to be wrong; it is then forgotten.
    """

    def __init__(self, stock: Stock, today: np.ndarray) -> None:
        """today [P]: today's prices in currency; a bracket narrower than CLOSE times today's price is not searched."""
        self.stock, self.today, self.step = stock, today, CLOSE * today
        self.cost = np.full_like(today, -np.inf)
        self.low, self.high = np.full_like(today, np.nan), np.full_like(today, np.nan)
        self.log_low, self.log_high = np.full_like(today, np.nan), np.full_like(today, np.nan)
        self.reach, self.turns, self.lifts = self.step.copy(), 0, np.zeros(len(today))

    def start_at(self, shadow_price: np.ndarray, unit_value: UnitValue) -> None:
        """Start from the shadow prices [P] in currency of an earlier problem, with small steps around them."""
        is_known = unit_value.is_rising & (shadow_price > 0)
        self.cost = np.where(is_known, unit_value.effective_cost(shadow_price), -np.inf)
        self.reach = np.where(is_known, NEARBY * self.step, self.step)

    def shadow_price(self, unit_value: UnitValue, discount: float = 0.0) -> np.ndarray:
        """Return the present shadow prices [P] in currency under a Lagrangian.

        discount: by which share of today's price the effective costs are lower.
        """
        is_free = ~np.isfinite(self.stock.limit) | np.isinf(self.cost)
        price = unit_value.at_highest + unit_value.weight * np.where(is_free, 0.0, self.cost - discount * self.today)
        return np.where(is_free, 0.0, np.clip(price, 0.0, unit_value.most))

    def advance(self, units: np.ndarray, shadow_price: np.ndarray, unit_value: UnitValue) -> bool:
        """Move on, given the units [P] asked for at shadow prices [P] under a Lagrangian; return whether any moved."""
        is_limited, limit = np.isfinite(self.stock.limit) & unit_value.is_rising, self.stock.limit
        log_ratio = np.log(
            np.maximum(units, LEAST_UNITS) / np.maximum(limit, LEAST_UNITS), where=is_limited, out=np.zeros_like(units)
        )
        at = unit_value.effective_cost(shadow_price)
        is_over = is_limited & (log_ratio > 0) & (shadow_price < unit_value.most)
        is_under = is_limited & (log_ratio <= 0) & (shadow_price > 0)
        self._update_brackets(at, is_over, is_under, log_ratio)
        is_wide = ~(self.high - self.low <= self.step)
        is_open = (is_over | is_under) & is_wide & ~(is_under & (units >= ENOUGH * limit))
        self.turns += 1
        least, most = unit_value.effective_cost(np.zeros_like(units)), unit_value.effective_cost(unit_value.most)
        following = np.where(is_open, np.clip(self._next(at, is_over, log_ratio), least, most), at)
        following = np.where(is_over & ~is_open, self.high, following)
        is_sought = is_limited & ((log_ratio > 0) | (shadow_price > 0))
        self.cost = np.where(is_sought, following, self.cost)
        return bool((is_sought & (np.abs(following - at) > SAME * self.today)).any())

    def lift(self, units: np.ndarray, shadow_price: np.ndarray, unit_value: UnitValue) -> np.ndarray:
        """Return shadow prices [P] that are higher where units [P] exceed the limit, by more each time."""
        is_over = (units > self.stock.limit) & (shadow_price < unit_value.most)
        if not is_over.any():
            return shadow_price
        self.lifts = np.where(is_over, self.lifts + 1, self.lifts)
        ratio = np.log(units / np.maximum(self.stock.limit, LEAST_UNITS), where=is_over, out=np.zeros_like(units))
        further = np.maximum(self.step, ratio * self.today / ELASTICITY) * LIFT ** (self.lifts - 1) * unit_value.weight
        return np.where(is_over, np.minimum(shadow_price + further, unit_value.most), shadow_price)

    def _update_brackets(
        self, at: np.ndarray, is_over: np.ndarray, is_under: np.ndarray, log_ratio: np.ndarray
    ) -> None:
        """Make the effective costs [P] ends of their brackets; an end that proves wrong is forgotten.

        log_ratio [P]: the logarithm of units over limit.
        """
        is_closed = is_under & (self.high - self.low <= self.step)
        is_other = is_closed & (np.abs(log_ratio - self.log_high) > STEADY)
        is_high_wrong, is_low_wrong = is_over & (at >= self.high), (is_under & (at <= self.low)) | is_other
        self.high[is_high_wrong], self.log_high[is_high_wrong] = np.nan, np.nan
        self.low[is_low_wrong], self.log_low[is_low_wrong] = np.nan, np.nan
        self.low[is_over], self.log_low[is_over] = at[is_over], log_ratio[is_over]
        self.high[is_under], self.log_high[is_under] = at[is_under], log_ratio[is_under]

    def _next(self, at: np.ndarray, is_over: np.ndarray, log_ratio: np.ndarray) -> np.ndarray:
        """Return where to look next [P]: inside each bracket by the secant of log units, or beyond a known end.

        Every third turn takes the middle, so that a curved function does not stall the secant.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            share = self.log_low / (self.log_low - self.log_high)
        is_known = np.isfinite(share) & (self.turns % 3 > 0)
        inside = self.low + np.where(is_known, np.clip(share, *SHARE), 0.5) * (self.high - self.low)
        guess = np.maximum(np.abs(log_ratio) * self.today / ELASTICITY, self.reach)
        is_closed = ~np.isnan(self.low) & ~np.isnan(self.high)
        self.reach = np.where(is_closed, self.step, FURTHER * guess)
        return np.where(is_closed, inside, np.where(is_over, at + guess, at - guess))
