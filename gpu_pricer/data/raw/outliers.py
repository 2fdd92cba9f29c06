"""Outliers: configurable rules that every plausible sales line keeps; other lines are treated as invalid."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import polars as pl

from gpu_pricer.checks import require_number


class OutlierRule(Protocol):
    """A rule that says of every line whether it is plausible."""

    def holds(self) -> pl.Expr:
        """Return an expression over the lines that is true where the line is plausible."""
        ...


@dataclass(frozen=True)
class QuantityAtMost:
    """A line has at most `limit` units: a larger quantity is a weight, a volume or a mistake."""

    limit: float

    def __post_init__(self) -> None:
        require_number("limit", self.limit, above=0)

    def holds(self) -> pl.Expr:
        """Return an expression that is true where the quantity does not exceed the limit."""
        return pl.col("quantity") <= self.limit


@dataclass(frozen=True)
class PriceNearMedian:
    """The price lies within [median/ratio, median·ratio] of its product's median price."""

    ratio: float

    def __post_init__(self) -> None:
        require_number("ratio", self.ratio, above=1)

    def holds(self) -> pl.Expr:
        """Return an expression that is true where the price is near the median of the product's positive prices."""
        price = pl.when(pl.col("price").is_finite() & (pl.col("price") > 0)).then(pl.col("price"))
        median = price.median().over("product_id")
        return price.is_between(median / self.ratio, median * self.ratio)


@dataclass(frozen=True)
class NotInTheFuture:
    """The time of a line lies at most `hours_ahead` after now, on the clock of this machine.

    The shelf of today is that of the last period, so a single line with a wrong year would empty it. Clocks of stores
    may be ahead of this machine's.
    """

    hours_ahead: float

    def __post_init__(self) -> None:
        require_number("hours_ahead", self.hours_ahead, least=0)

    def holds(self) -> pl.Expr:
        """Return an expression that is true where the time has come."""
        return pl.col("time") <= datetime.now() + timedelta(hours=self.hours_ahead)


@dataclass(frozen=True)
class TimeNearMedian:
    """The time of a line lies at most `years` before or after the median of all times.

    A line of 1925 among those of 2025, or one whose missing time became 1970, would add decades without any sale to
    the periods from which demand is learned.
    """

    years: float

    def __post_init__(self) -> None:
        require_number("years", self.years, above=0)

    def holds(self) -> pl.Expr:
        """Return an expression that is true where the time is near the median."""
        time, most = pl.col("time"), timedelta(days=365.25 * self.years)
        return time.is_between(time.median() - most, time.median() + most)
