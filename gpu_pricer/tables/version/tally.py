"""Sums over a part of the price table: how prices move, and the units, revenue and profit that are expected."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Tally:
    """Sums over a part of the price table.

    products: all products; on_shelf: those on the shelf; moved_on_shelf, raised_on_shelf, held_on_shelf: as below, but
    of these alone; no_rung: those on the shelf without a rung in their bounds.
    rows: all prices; moved: those that differ from today's; beyond_moves: those on the shelf for which a rule that
    outranks the limits on moves from today's price, such as the margin over a given cost, overruled one; move,
    absolute_move: sums of relative moves.
    raised: prices above today's; held: those that a bound or the budget of changes keeps from the price
    that would be best without it.
    units_today, units_new: expected units of a period's visits at today's and at the new prices.
    revenue_new: expected revenue at the new prices; base_revenue_new: of the same units at today's prices, in currency,
    with VAT where prices include it. net_revenue_new: expected revenue at the new prices after VAT.
    Units, revenue and profit are those that the stock can serve, if the policy limits units to it.
    profit_today, profit_new: expected profit of a period's visits at today's and at the new prices, in currency, after
    VAT where prices include it.
    """

    products: int
    rows: int
    moved: int
    raised: int
    held: int
    beyond_moves: int
    move: float
    absolute_move: float
    on_shelf: int
    moved_on_shelf: int
    raised_on_shelf: int
    held_on_shelf: int
    no_rung: int
    units_today: float
    units_new: float
    revenue_new: float
    net_revenue_new: float
    base_revenue_new: float
    profit_today: float
    profit_new: float

    @property
    def price_index(self) -> float | None:
        """The revenue over what the same units bring at today's prices (Paasche); None without sales."""
        return self.revenue_new / self.base_revenue_new if self.base_revenue_new > 0 else None

    @classmethod
    def sum(cls, tallies: Iterable["Tally"]) -> "Tally":
        """Return the sum of every field; sums of floats are exactly rounded, so that the order does not matter."""
        columns = [astuple(tally) for tally in tallies] or [(0,) * len(fields(cls))]
        return cls(*(_sum(column) for column in zip(*columns, strict=True)))


class Moves(NamedTuple):
    """Prices of products on the shelf: shown: all of them; raised, lowered, kept: against today's; held: by a rule."""

    shown: int
    raised: int
    lowered: int
    kept: int
    held: int

    def share(self, count: int) -> float:
        """Return a count as a share of all prices shown, 0 where there are none."""
        return count / (self.shown or 1)


def _sum(values: Sequence[Any]) -> Any:
    return sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)
