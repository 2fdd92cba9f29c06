"""How far a price may go: the rules, and what they leave of the prices of one product.

Rules may contradict each other where the data are odd (a cost above today's price, a price outside everything
seen). Then the later rule of this list wins, and the product's price is the one the winner allows that is
nearest to the loser:

    within_support  <  max_decrease, max_increase  <  min_margin_rate

A bound that does not fall on the ladder moves inward to the next rung. Where no rung is left, today's price
stays.
"""

from dataclasses import dataclass

import numpy as np

from gpu_pricer.checks import require_flag
from gpu_pricer.policy.rates import MILLION, millionths, require_rate
from gpu_pricer.tables.price_table import BINDINGS
from kernels import PRICE_LIMIT

# Prices are whole cents; costs and seen prices may be finer and are exact in millionths of the currency.
MICROS_PER_CENT = 10**4
LEAST, LARGEST = 1, PRICE_LIMIT - 1


@dataclass(frozen=True)
class Bounds:
    """Rules relative to today's price, the cost and the prices seen in training; null switches a rule off.

    max_decrease, max_increase: shares of today's price (a negative one demands a move); min_margin_rate: the
    least (price − cost) / price; within_support: whether the price stays inside the artefact's min_price and
    max_price.
    """

    max_decrease: float | None
    max_increase: float | None
    min_margin_rate: float | None
    within_support: bool

    def __post_init__(self) -> None:
        if self.max_decrease is not None:
            require_rate("bounds.max_decrease", self.max_decrease, -100, 1)
        if self.max_increase is not None:
            require_rate("bounds.max_increase", self.max_increase, -1, 100)
        if self.min_margin_rate is not None:
            require_rate("bounds.min_margin_rate", self.min_margin_rate, -100, 0.99)
        require_flag("bounds.within_support", self.within_support)
        if None not in (self.max_decrease, self.max_increase) and -self.max_decrease > self.max_increase:  # type: ignore
            raise ValueError(
                "bounds.max_increase must not lie below -bounds.max_decrease, "
                f"found {self.max_increase!r} and {self.max_decrease!r}"
            )


@dataclass(frozen=True)
class PriceRange:
    """Whole cents int64 [P] and, as indices into BINDINGS, the rules that set them.

    broken: the rule that a later one overruled, else `none`; pull: -1 where only the lowest price is wanted,
    +1 where only the highest is, because the overruled rule lies beyond it, else 0.
    """

    low: np.ndarray
    high: np.ndarray
    low_rule: np.ndarray
    high_rule: np.ndarray
    broken: np.ndarray
    pull: np.ndarray


def price_range(
    bounds: Bounds, today: np.ndarray, cost: np.ndarray, lowest_seen: np.ndarray, highest_seen: np.ndarray
) -> PriceRange:
    """The prices that the rules leave to each product [P], before the ladder.

    today: whole cents; cost and the seen prices: whole millionths of the currency; all int64. Floors are
    rounded up to the cent and ceilings down, so no rule is broken by rounding.
    """
    prices = _unlimited(len(today))
    if bounds.within_support:
        floor, ceiling = -(-lowest_seen // MICROS_PER_CENT), highest_seen // MICROS_PER_CENT
        prices = _narrow(prices, floor, "within_support", ceiling, "within_support")
    floor, ceiling = np.full_like(today, LEAST), np.full_like(today, LARGEST)
    if bounds.max_decrease is not None:
        floor = -(-today * (MILLION - millionths(bounds.max_decrease)) // MILLION)
    if bounds.max_increase is not None:
        ceiling = today * (MILLION + millionths(bounds.max_increase)) // MILLION
    prices = _narrow(prices, floor, "max_decrease", ceiling, "max_increase")
    if bounds.min_margin_rate is not None:
        floor = -(-cost * MILLION // ((MILLION - millionths(bounds.min_margin_rate)) * MICROS_PER_CENT))
        prices = _narrow(prices, floor, "min_margin_rate", np.full_like(today, LARGEST), "price_limit")
    return prices


def _unlimited(products: int) -> PriceRange:
    low, high = np.full(products, LEAST, np.int64), np.full(products, LARGEST, np.int64)
    limit, none = np.full(products, BINDINGS.index("price_limit"), np.int8), np.zeros(products, np.int8)
    return PriceRange(low, high, limit, limit, broken=none, pull=none)


def _narrow(prices: PriceRange, floor: np.ndarray, low_rule: str, ceiling: np.ndarray, high_rule: str) -> PriceRange:
    """The range inside a later rule's floor and ceiling; the later rule's alone where they disagree."""
    floor, ceiling = np.maximum(floor, LEAST), np.minimum(ceiling, LARGEST)
    new_low, new_high = np.int8(BINDINGS.index(low_rule)), np.int8(BINDINGS.index(high_rule))
    too_low, too_high = prices.high < floor, prices.low > ceiling
    wins = too_low | too_high
    raises, lowers = wins | (floor > prices.low), wins | (ceiling < prices.high)
    loser = np.where(too_low, prices.high_rule, prices.low_rule)
    return PriceRange(
        low=np.where(raises, floor, prices.low),
        high=np.where(lowers, ceiling, prices.high),
        low_rule=np.where(raises, new_low, prices.low_rule),
        high_rule=np.where(lowers, new_high, prices.high_rule),
        broken=np.where(wins, loser, prices.broken),
        pull=np.where(too_low, np.int8(-1), np.where(too_high, np.int8(1), prices.pull)),
    )
