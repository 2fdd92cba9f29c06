"""What a manager decides on first: prices up, down and kept, the money moved, units, price index and profit."""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from gpu_pricer.report.words import money, number, percent
from gpu_pricer.tables.version.price_version import PriceVersion

NO_INTERVAL = "no interval: the demand has no draws, stock cannot serve all of it, or the table is too large"
AGAINST = ", against today's prices, in a period"


class Intervals(NamedTuple):
    """The 90 % intervals by what the log leaves open of the price response; None where there are no draws.

    units: relative change. price_index: as a ratio. profit: the gain over today's prices in currency.
    """

    units: tuple[float, float] | None
    price_index: tuple[float, float] | None
    profit: tuple[float, float] | None


UNKNOWN = Intervals(None, None, None)


class Figure(NamedTuple):
    """One number of the page's head: its title, its value, what stands below, and whether the model estimates it."""

    title: str
    value: str
    detail: str
    is_estimate: bool


def head_figures(version: PriceVersion, rows: pl.DataFrame, intervals: Intervals) -> list[Figure]:
    """Return the figures of the page's head; rows: from product_figures, with the share `served` by the stock."""
    tally, currency = version.tally, version.currency
    up, down = (float((rows[name] * rows["served"]).sum()) for name in ("money_up", "money_down"))
    return [
        *_counts(version),
        Figure("Paid more", money(up, currency), f"for units whose price rises{AGAINST}", True),
        Figure("Paid less", money(down, currency), f"for units whose price falls{AGAINST}", True),
        Figure(
            "Units",
            percent(_change(tally.units_new, tally.units_today)),
            f"{number(tally.units_new)} in a period, {number(tally.units_today)} at today's prices"
            + _between(intervals.units, percent),
            True,
        ),
        Figure(
            "Price index",
            "–" if tally.price_index is None else percent(tally.price_index - 1),
            "what shoppers pay for what they buy, against today's prices" + _between(
                None if intervals.price_index is None else (intervals.price_index[0] - 1, intervals.price_index[1] - 1),
                percent,
            ),
            True,
        ),
        Figure(
            f"Profit{version.after_vat}",
            percent(_change(tally.profit_new, tally.profit_today)),
            f"{money(tally.profit_new, currency)} in a period, {money(tally.profit_today, currency)} at today's prices"
            + _between(_relative(intervals.profit, tally.profit_today), percent),
            True,
        ),
    ]  # fmt: skip


def _counts(version: PriceVersion) -> list[Figure]:
    moves = version.moves
    told = f" of {number(moves.shown)} prices on the shelf"
    return [
        Figure(name, percent(moves.share(count), 0, signed=False), f"{number(count)}{told}", False)
        for name, count in (("Prices up", moves.raised), ("Prices down", moves.lowered), ("As today", moves.kept))
    ]


def _change(new: float, today: float) -> float | None:
    return new / today - 1 if today > 0 else None


def _relative(ends: tuple[float, float] | None, today: float) -> tuple[float, float] | None:
    return None if ends is None or today <= 0 else (ends[0] / today, ends[1] / today)


def _between(ends: tuple[float, float] | None, words: Callable[[float], str]) -> str:
    if ends is None:
        return f"; {NO_INTERVAL}"
    return f"; 90 % interval {words(ends[0])} to {words(ends[1])}"
