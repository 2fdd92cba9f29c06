"""The range of prices that the rules leave to each product, in exact cents, and which rule sets each end.

Rules contradict each other where the data are odd (a cost above today's price, today's price outside everything seen).
Then the later rule of this list wins, and of the prices that it allows the product gets the one nearest to the losing
rule:

    within_support < competitor < min_margin_rate of an assumed cost < anchor < pack_sizes < move in %
    < move in money < min_days_between_changes < min_margin_rate of a given cost < list price < ceiling < floor
    < frozen < override

A cost that nobody gave is a share of a price. So it must not move a price further than the policy allows in a run.
`_steps` yields the rules up to floor in this order. frozen and override fix a price; the pricing problem applies them,
and the ladder, afterwards: a bound that is not a rung moves inward to the next one, and where no rung lies inside the
bounds today's price stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.rates import MILLION, millionths
from gpu_pricer.tables.price_table import BINDINGS, CENTS
from kernels import PRICE_LIMIT

MICROS_PER_CENT = MILLION // CENTS
"""Prices are whole cents; costs and seen prices may be finer and are exact in millionths of the currency."""

LEAST, LARGEST = 1, PRICE_LIMIT - 1
"""The lowest and the highest price that exists, in cents."""

ABSENT = -1
"""The amount of a product for which a rule's column is null."""


@dataclass(frozen=True)
class Facts:
    """What the rules read of P products, int64 [P] each.

    today: today's price in cents. All others are in millionths of the currency:
    cost: the price at which one unit earns nothing, which contains VAT where prices do.
    lowest_seen, highest_seen: the support of the training prices.
    list_price, competitor, anchor: of the catalog; may be ABSENT.
    lowest, highest: of the floor and ceiling columns; pack_floor, pack_ceiling: see pack_sizes; may be ABSENT.
    is_cost_assumed, is_resting: bool [P], whether the cost is assumed and not given, and whether the price changed too
    recently to change again.
    """

    today: np.ndarray
    cost: np.ndarray
    lowest_seen: np.ndarray
    highest_seen: np.ndarray
    list_price: np.ndarray
    competitor: np.ndarray
    anchor: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    pack_floor: np.ndarray
    pack_ceiling: np.ndarray
    is_cost_assumed: np.ndarray
    is_resting: np.ndarray


@dataclass(frozen=True)
class PriceRange:
    """The prices that rules allow P products, and the rules that set the ends, as indices into BINDINGS.

    low, high int64 [P]: in whole cents.
    low_rule, high_rule [P]: the rules that set low and high.
    broken [P]: the rule that a later one overruled, else `none`.
    pull [P]: -1 where only the lowest price and +1 where only the highest price may be set, because it is the nearest
    to the overruled rule; else 0.
    """

    low: np.ndarray
    high: np.ndarray
    low_rule: np.ndarray
    high_rule: np.ndarray
    broken: np.ndarray
    pull: np.ndarray


UNBOUNDED = np.iinfo(np.int64).max


class Step(NamedTuple):
    """A rule, or two of one rank: its floor and its ceiling in cents [P], None for no such limit, and their names."""

    floor: np.ndarray | None
    low_rule: str
    ceiling: np.ndarray | None
    high_rule: str


def price_range(bounds: Bounds, facts: Facts) -> PriceRange:
    """Return the prices that the rules leave to each product [P], before the ladder.

    Floors are rounded up to the cent and ceilings down, so rounding breaks no rule.
    """
    prices = _unlimited(len(facts.today))
    for step in _steps(bounds, facts):
        prices = _narrow(prices, step)
    return prices


def move_range(bounds: Bounds, today: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest price [n] that the limits on moves leave around today's prices [n], in cents.

    Other rules do not enter, so that prices which these have moved further are found.
    """
    prices = _unlimited(len(today))
    for step in (_move_rate(bounds, today), _move_amount(bounds, today)):
        prices = _narrow(prices, step)
    return prices.low, prices.high


def _steps(bounds: Bounds, facts: Facts) -> Iterator[Step]:
    """Yield the rules in force, from the one that yields to all others to the one that no other overrules."""
    if bounds.within_support:
        floor, ceiling = _floor(facts.lowest_seen), facts.highest_seen // MICROS_PER_CENT
        yield Step(floor, "within_support", ceiling, "within_support")
    if bounds.has_competitor:
        yield _around(
            facts.competitor,
            (bounds.max_below_competitor, "max_below_competitor"),
            (bounds.max_above_competitor, "max_above_competitor"),
        )
    if bounds.min_margin_rate is not None:
        # An assumption forbids cuts but forces no rise.
        yield _margin(bounds.min_margin_rate, facts.cost, facts.is_cost_assumed, facts.today)
    anchor = bounds.price_anchor
    if anchor is not None:
        yield _around(
            facts.anchor, (anchor.max_decrease, "anchor_max_decrease"), (anchor.max_increase, "anchor_max_increase")
        )
    if bounds.packs is not None:
        yield Step(_floor(facts.pack_floor), "pack_sizes", _ceiling(facts.pack_ceiling), "pack_sizes")
    yield _move_rate(bounds, facts.today)
    yield _move_amount(bounds, facts.today)
    if bounds.min_days_between_changes is not None:
        floor, ceiling = (np.where(facts.is_resting, facts.today, end) for end in (LEAST, LARGEST))
        yield Step(floor, "min_days_between_changes", ceiling, "min_days_between_changes")
    if bounds.min_margin_rate is not None:
        yield _margin(bounds.min_margin_rate, facts.cost, ~facts.is_cost_assumed, UNBOUNDED)
    if bounds.below_list_price:
        yield Step(None, "", _ceiling(facts.list_price), "list_price")
    if bounds.ceiling_column is not None:
        yield Step(None, "", _ceiling(facts.highest), "ceiling")
    if bounds.floor_column is not None:
        yield Step(_floor(facts.lowest), "floor", None, "")


def _around(price: np.ndarray, below: tuple[float | None, str], above: tuple[float | None, str]) -> Step:
    """Return the prices near another price [P] in millionths; below, above: the largest distance, and its rule."""
    floor = ceiling = None
    if below[0] is not None:
        share = MILLION - millionths(below[0])
        floor = np.where(price == ABSENT, LEAST, -(-price * share // (MILLION * MICROS_PER_CENT)))
    if above[0] is not None:
        share = MILLION + millionths(above[0])
        is_beyond = price > LARGEST * MILLION * MICROS_PER_CENT // share  # and its product might not fit into an int64
        near = np.where(is_beyond | (price == ABSENT), 0, price) * share // (MILLION * MICROS_PER_CENT)
        ceiling = np.where(is_beyond | (price == ABSENT), LARGEST, near)
    return Step(floor, below[1], ceiling, above[1])


def _margin(rate: float, cost: np.ndarray, is_bound: np.ndarray, most: np.ndarray | int) -> Step:
    """Return the least margin rate as a floor of at most `most` cents, for the products bound by it, bool [P]."""
    cost_share = (MILLION - millionths(rate)) * MICROS_PER_CENT
    floor = np.minimum(-(-cost * MILLION // cost_share), most)
    return Step(np.where(is_bound, floor, LEAST), "min_margin_rate", None, "")


def _move_rate(bounds: Bounds, today: np.ndarray) -> Step:
    floor = ceiling = None
    if bounds.max_decrease is not None:
        floor = -(-today * (MILLION - millionths(bounds.max_decrease)) // MILLION)
    if bounds.max_increase is not None:
        ceiling = today * (MILLION + millionths(bounds.max_increase)) // MILLION
    return Step(floor, "max_decrease", ceiling, "max_increase")


def _move_amount(bounds: Bounds, today: np.ndarray) -> Step:
    down, up = bounds.max_decrease_amount, bounds.max_increase_amount
    floor = None if down is None else today - int(Fraction(str(down)) * CENTS)
    ceiling = None if up is None else today + int(Fraction(str(up)) * CENTS)
    return Step(floor, "max_decrease_amount", ceiling, "max_increase_amount")


def _floor(micros: np.ndarray) -> np.ndarray:
    """Return whole cents, rounded up; the lowest price there is where the amount is absent."""
    return np.where(micros == ABSENT, LEAST, -(-micros // MICROS_PER_CENT))


def _ceiling(micros: np.ndarray) -> np.ndarray:
    """Return whole cents, rounded down; the highest price there is where the amount is absent."""
    return np.where(micros == ABSENT, LARGEST, micros // MICROS_PER_CENT)


def _unlimited(products: int) -> PriceRange:
    """Return the range of every price that exists."""
    low, high = np.full(products, LEAST, np.int64), np.full(products, LARGEST, np.int64)
    limit, none = np.full(products, BINDINGS.index("price_limit"), np.int8), np.zeros(products, np.int8)
    return PriceRange(low, high, limit, limit, broken=none, pull=none)


def _narrow(prices: PriceRange, step: Step) -> PriceRange:
    """Return the range inside a later rule's floor and ceiling; the later rule's alone where the two do not meet."""
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
