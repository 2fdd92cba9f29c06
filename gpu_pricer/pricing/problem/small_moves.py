"""The smallest move worth making: today's price stays unless a price at least so far away earns more."""

import numpy as np

from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.rates import MILLION, millionths
from gpu_pricer.pricing.problem.price_limits import RuleLimits
from gpu_pricer.tables.price_table import BINDINGS

SMALL_MOVE_RULE = "min_change"


def without_small_moves(
    limits: RuleLimits, ladders: list[Ladder], ladder: np.ndarray, min_change: float
) -> tuple[RuleLimits, np.ndarray]:
    """Return the limits, and the gap int32 [P, 3] around today's price in which no other price is allowed.

    ladder int [P]: the row of each product in `ladders`; min_change: a share of today's price. The columns of the gap
    are the nearest allowed price below today's, today's price, and the nearest one above; today's price stands in where
    there is none, and is then an end of the range, with the rule min_change. Products that may not keep today's price,
    or have no rung so near to it, have an empty gap: three times their lowest price.
    """
    low, high, today = (array.astype(np.int64) for array in (limits.low, limits.high, limits.today))
    share = millionths(min_change)
    below, above = today * (MILLION - share) // MILLION, -(-today * (MILLION + share) // MILLION)
    is_near = _has_other_price(limits, ladders, ladder, np.maximum(below + 1, low), np.minimum(above - 1, high))
    rows = limits.may_stay & is_near
    for number, steps in enumerate(ladders):
        mine = ladder == number
        below[mine], above[mine] = steps.at_or_below(below[mine]), steps.at_or_above(above[mine])
    has_below, has_above = below >= low, above <= high
    gap = np.stack([np.where(has_below, below, today), today, np.where(has_above, above, today)], axis=1)
    gap[~rows] = low[~rows, None]
    for end, is_lost, rule in (
        (limits.low, rows & ~has_below, limits.rules.at_low),
        (limits.high, rows & ~has_above, limits.rules.at_high),
    ):
        rule[is_lost & (end != today)] = BINDINGS.index(SMALL_MOVE_RULE)
        end[is_lost] = limits.today[is_lost]
    limits.rules.set_all(rows & (limits.low == limits.high), SMALL_MOVE_RULE)
    return limits, gap.astype(np.int32)


def _has_other_price(
    limits: RuleLimits, ladders: list[Ladder], ladder: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """Return whether a price other than today's may be set from first to last [P], in cents; bool [P]."""
    nearest, today = np.empty_like(first), limits.today
    for number, steps in enumerate(ladders):
        mine = ladder == number
        rung = steps.at_or_above(first[mine])
        nearest[mine] = np.where(rung == today[mine], steps.at_or_above(rung + 1), rung)
    is_fixed = limits.low == limits.high
    return np.where(is_fixed, (limits.low != today) & (first <= limits.low) & (limits.low <= last), nearest <= last)
