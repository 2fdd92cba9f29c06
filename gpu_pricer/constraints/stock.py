"""Limits of what each product can sell, and their shadow prices: what one more unit of a scarce product would earn.

Of product p the stock L_p serves min(D_p, L_p) of the D_p units that all segments together ask for, the same share of
each segment's. The Lagrangian charges every unit the shadow price μ_p and adds μ_p L_p. A unit is never charged more
than it is worth at the highest price allowed, because stock need not serve it (see LagrangianWeights); so the search
for μ_p ends there, and the units above the limit are rationed.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights

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

LEAST_UNITS = 1e-12
"""Units that replace 0 in a logarithm."""

STEADY = 1e-3
"""Change of log units at one effective cost from which on other prices have moved them, and a bracket is outdated."""

ELASTICITY = 2.0
"""Own-price elasticity of units that guesses the first step from a shadow price, and the steps towards no known end."""

FURTHER, SHARE = 2.0, (0.05, 0.95)
"""How many times further each step towards an end that is not known goes; how far into a bracket the next step goes."""

LEAST_WEIGHT = 0.1
"""Share of a price's weight in the objective that its weight in a Lagrangian counts as, where it is smaller."""


@dataclass(frozen=True)
class Stock:
    """Limits of the units that each product may sell in a period.

    limit [P]: in units, infinite for a product without a limit.
    """

    limit: np.ndarray

    @property
    def has_limits(self) -> bool:
        """Whether any product has a limit."""
        return bool(np.isfinite(self.limit).any())

    def rationed(self, units: np.ndarray) -> np.ndarray:
        """Return the units [P] that demand asks for and stock cannot serve."""
        return np.maximum(units - self.limit, 0.0)

    def served_share(self, units: np.ndarray) -> np.ndarray:
        """Return the share of the units [P] asked for that stock can serve."""
        return np.where(units > self.limit, self.limit / np.maximum(units, LEAST_UNITS), 1.0)

    def limit_value(self, shadow_price: np.ndarray) -> float:
        """Return Σ shadow price · limit in currency, the constant that the limits add to the Lagrangian."""
        is_limited = np.isfinite(self.limit)
        return float(shadow_price[is_limited] @ self.limit[is_limited])


class Worth(NamedTuple):
    """What a unit of each product adds to a Lagrangian before it pays for its stock, in currency, [P] each.

    at_highest, weight: at its highest price, and for each currency unit of the price, in the mean over the visits.
    most: the most that it adds at its highest price in any class of segments, at least 0: the highest shadow price.
    is_rising bool [P]: whether it adds clearly more the higher the price, as where shadow prices of stock move prices.
    """

    at_highest: np.ndarray
    weight: np.ndarray
    most: np.ndarray
    is_rising: np.ndarray


def worth_of(problem: PricingProblem, lagrangian: LagrangianWeights) -> Worth:
    """Return the worth of a unit of each product under a Lagrangian."""
    everything, visits = slice(0, len(problem.products.cost)), problem.segments.visits
    mean_worth, mean_weight = np.zeros((2, everything.stop))
    most = np.zeros(everything.stop)
    for number in range(lagrangian.slices.class_count):
        weight, worth = lagrangian.highest_unit_value(problem, number, everything)
        share = visits[lagrangian.slices.members(number)].sum() / visits.sum()
        mean_worth += share * worth
        mean_weight += share * weight
        most = np.maximum(most, worth)
    of_revenue, of_vat = lagrangian.objective[1], lagrangian.objective[4]
    least = LEAST_WEIGHT * np.abs(of_revenue + of_vat * problem.products.vat_share())
    return Worth(mean_worth, np.maximum(mean_weight, 0.0), most, mean_weight > np.maximum(least, LEAST_UNITS))


class StockSearch:
    """Search for the lowest shadow price at which each product sells no more than its limit.

    The search is in the effective cost of a product, counted from its highest price: (shadow price − worth at the
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

    def start_at(self, shadow_price: np.ndarray, worth: Worth) -> None:
        """Start from the shadow prices [P] in currency of an earlier problem, with small steps around them."""
        is_known = worth.is_rising & (shadow_price > 0)
        self.cost = np.where(is_known, _effective_cost(shadow_price, worth), -np.inf)
        self.reach = np.where(is_known, NEARBY * self.step, self.step)

    def shadow_price(self, worth: Worth, discount: float = 0.0) -> np.ndarray:
        """Return the present shadow prices [P] in currency under a Lagrangian.

        discount: by which share of today's price the effective costs are lower.
        """
        is_free = ~np.isfinite(self.stock.limit) | np.isinf(self.cost)
        price = worth.at_highest + worth.weight * np.where(is_free, 0.0, self.cost - discount * self.today)
        return np.where(is_free, 0.0, np.clip(price, 0.0, worth.most))

    def advance(self, units: np.ndarray, shadow_price: np.ndarray, worth: Worth) -> bool:
        """Move on, given the units [P] asked for at shadow prices [P] under a Lagrangian; return whether any moved."""
        is_limited, limit = np.isfinite(self.stock.limit) & worth.is_rising, self.stock.limit
        log_ratio = np.log(
            np.maximum(units, LEAST_UNITS) / np.maximum(limit, LEAST_UNITS), where=is_limited, out=np.zeros_like(units)
        )
        at = _effective_cost(shadow_price, worth)
        is_over = is_limited & (log_ratio > 0) & (shadow_price < worth.most)
        is_under = is_limited & (log_ratio <= 0) & (shadow_price > 0)
        self._update_brackets(at, is_over, is_under, log_ratio)
        is_wide = ~(self.high - self.low <= self.step)
        is_open = (is_over | is_under) & is_wide & ~(is_under & (units >= ENOUGH * limit))
        self.turns += 1
        least, most = _effective_cost(np.zeros_like(units), worth), _effective_cost(worth.most, worth)
        following = np.where(is_open, np.clip(self._next(at, is_over, log_ratio), least, most), at)
        following = np.where(is_over & ~is_open, self.high, following)
        is_sought = is_limited & ((log_ratio > 0) | (shadow_price > 0))
        self.cost = np.where(is_sought, following, self.cost)
        return bool((is_sought & (np.abs(following - at) > SAME * self.today)).any())

    def lift(self, units: np.ndarray, shadow_price: np.ndarray, worth: Worth) -> np.ndarray:
        """Return shadow prices [P] that are higher where units [P] exceed the limit, by more each time."""
        is_over = (units > self.stock.limit) & (shadow_price < worth.most)
        if not is_over.any():
            return shadow_price
        self.lifts = np.where(is_over, self.lifts + 1, self.lifts)
        ratio = np.log(units / np.maximum(self.stock.limit, LEAST_UNITS), where=is_over, out=np.zeros_like(units))
        further = np.maximum(self.step, ratio * self.today / ELASTICITY) * LIFT ** (self.lifts - 1) * worth.weight
        return np.where(is_over, np.minimum(shadow_price + further, worth.most), shadow_price)

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


def _effective_cost(shadow_price: np.ndarray, worth: Worth) -> np.ndarray:
    """Return effective costs [P] in currency, counted from the highest prices, at shadow prices [P]."""
    return (shadow_price - worth.at_highest) / np.where(worth.is_rising, worth.weight, 1.0)
