"""What the rules leave of the prices of each product, exactly, and which rule wins where they disagree.

Rules may contradict each other where the data are odd (a cost above today's price, a price outside everything
seen). Then the later rule of this list wins, and the product's price is the one the winner allows that is
nearest to the loser:

    within_support < competitor < move in % < move in money < min_margin_rate < list price < ceiling < floor
    < frozen < override

(`_steps` is that order; the last two fix a price, see `holds`.) A bound that does not fall on the ladder moves
inward to the next rung. Where no rung is left, today's price stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.rates import MILLION, millionths
from gpu_pricer.tables.price_table import BINDINGS
from kernels import PRICE_LIMIT

# Prices are whole cents; costs and seen prices may be finer and are exact in millionths of the currency.
MICROS_PER_CENT = 10**4
LEAST, LARGEST = 1, PRICE_LIMIT - 1
ABSENT = -1
"""What a product has instead of an amount where a rule's column says nothing of it."""


@dataclass(frozen=True)
class Facts:
    """What the rules know of P products, all int64 [P]: today's price in cents, the rest in millionths of the currency.

    list_price, competitor, lowest and highest (the floor and ceiling columns) may be ABSENT.
    """

    today: np.ndarray
    cost: np.ndarray
    lowest_seen: np.ndarray
    highest_seen: np.ndarray
    list_price: np.ndarray
    competitor: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


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


class Step(NamedTuple):
    """A rule, or two of one rank: floor and ceiling in cents [P], None where there is none, and their names."""

    floor: np.ndarray | None
    low_rule: str
    ceiling: np.ndarray | None
    high_rule: str


def price_range(bounds: Bounds, facts: Facts) -> PriceRange:
    """The prices that the rules leave to each product [P], before the ladder.

    Floors are rounded up to the cent and ceilings down, so no rule is broken by rounding.
    """
    prices = _unlimited(len(facts.today))
    for step in _steps(bounds, facts):
        prices = _narrow(prices, step)
    return prices


def _steps(bounds: Bounds, facts: Facts) -> Iterator[Step]:
    """The rules, from the one that yields to all others to the one that none overrules."""
    if bounds.within_support:
        floor, ceiling = _up(facts.lowest_seen), facts.highest_seen // MICROS_PER_CENT
        yield Step(floor, "within_support", ceiling, "within_support")
    if bounds.has_competitor:
        yield _competitor(bounds, facts.competitor)
    yield _move_rate(bounds, facts.today)
    yield _move_amount(bounds, facts.today)
    if bounds.min_margin_rate is not None:
        kept = (MILLION - millionths(bounds.min_margin_rate)) * MICROS_PER_CENT
        yield Step(-(-facts.cost * MILLION // kept), "min_margin_rate", None, "")
    if bounds.below_list_price:
        yield Step(None, "", _ceiling(facts.list_price), "list_price")
    if bounds.ceiling_column is not None:
        yield Step(None, "", _ceiling(facts.highest), "ceiling")
    if bounds.floor_column is not None:
        yield Step(_up(facts.lowest), "floor", None, "")


def _competitor(bounds: Bounds, price: np.ndarray) -> Step:
    floor = ceiling = None
    if bounds.max_below_competitor is not None:
        share = MILLION - millionths(bounds.max_below_competitor)
        floor = np.where(price == ABSENT, LEAST, -(-price * share // (MILLION * MICROS_PER_CENT)))
    if bounds.max_above_competitor is not None:
        share = MILLION + millionths(bounds.max_above_competitor)
        ceiling = np.where(price == ABSENT, LARGEST, price * share // (MILLION * MICROS_PER_CENT))
    return Step(floor, "max_below_competitor", ceiling, "max_above_competitor")


def _move_rate(bounds: Bounds, today: np.ndarray) -> Step:
    floor = ceiling = None
    if bounds.max_decrease is not None:
        floor = -(-today * (MILLION - millionths(bounds.max_decrease)) // MILLION)
    if bounds.max_increase is not None:
        ceiling = today * (MILLION + millionths(bounds.max_increase)) // MILLION
    return Step(floor, "max_decrease", ceiling, "max_increase")


def _move_amount(bounds: Bounds, today: np.ndarray) -> Step:
    down, up = bounds.max_decrease_amount, bounds.max_increase_amount
    floor = None if down is None else today - int(Fraction(str(down)) * 100)
    ceiling = None if up is None else today + int(Fraction(str(up)) * 100)
    return Step(floor, "max_decrease_amount", ceiling, "max_increase_amount")


def _up(micros: np.ndarray) -> np.ndarray:
    """Cents, rounded up; nothing where absent."""
    return np.where(micros == ABSENT, LEAST, -(-micros // MICROS_PER_CENT))


def _ceiling(micros: np.ndarray) -> np.ndarray:
    """Cents, rounded down; no limit where absent."""
    return np.where(micros == ABSENT, LARGEST, micros // MICROS_PER_CENT)


def _unlimited(products: int) -> PriceRange:
    low, high = np.full(products, LEAST, np.int64), np.full(products, LARGEST, np.int64)
    limit, none = np.full(products, BINDINGS.index("price_limit"), np.int8), np.zeros(products, np.int8)
    return PriceRange(low, high, limit, limit, broken=none, pull=none)


def _narrow(prices: PriceRange, step: Step) -> PriceRange:
    """The range inside a later rule's floor and ceiling; the later rule's alone where they disagree."""
    floor = np.full_like(prices.low, LEAST) if step.floor is None else np.maximum(step.floor, LEAST)
    ceiling = np.full_like(prices.high, LARGEST) if step.ceiling is None else np.clip(step.ceiling, LEAST, LARGEST)
    new_low, new_high = (np.int8(BINDINGS.index(rule or "price_limit")) for rule in (step.low_rule, step.high_rule))
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
