"""The calendar: periods, in which visits, prices and stock are counted, and their split for training and tests."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from gpu_pricer.checks import require_integer
from gpu_pricer.errors import InputError

LEAST_TRAINED = 2
BLOCK = 16_384
"""Rows in which the periods of a block begin: few enough to add nothing to the memory of a log."""


def each_period(period_days: int | None) -> str:
    """Return the words for once a period: a day, a week, or per period of so many days; None: of unknown length."""
    if period_days is None:
        return "per period"
    return {1: "a day", 7: "a week"}.get(period_days, f"per period of {period_days} days")


@dataclass(frozen=True)
class Calendar:
    """The periods of a log.

    whole: first days of the periods that lie entirely in the log, in order. begun: first day of the period after them
    if the log has days of it, else None. share: the share of that period's days that have passed, below 1.
    """

    whole: list[date]
    begun: date | None
    share: float

    @property
    def all(self) -> list[date]:
        """The first days of all periods, whole and begun."""
        return self.whole if self.begun is None else [*self.whole, self.begun]

    def recent(self, count: int) -> dict[date, float]:
        """Return the weight of each of the last periods, which together make `count` periods, or all that there are.

        The begun period counts with its share, and the oldest one with what is left of it.
        """
        weights: dict[date, float] = {} if self.begun is None else {self.begun: self.share}
        for start in reversed(self.whole):
            left = count - sum(weights.values())
            if left <= 0:
                break
            weights[start] = min(left, 1.0)
        return weights


@dataclass(frozen=True)
class Period:
    """A period of whole days or weeks, such as "1w"; weeks start on Monday."""

    length: str

    def __post_init__(self) -> None:
        if not isinstance(self.length, str) or not re.fullmatch(r"[1-9]\d*[dw]", self.length):
            raise InputError(
                f"data.occasion_period must be days or weeks such as 1w or 3d, found {self.length!r}: mend it"
            )

    @property
    def days(self) -> int:
        """The length of a period in days."""
        return int(self.length[:-1]) * (7 if self.length.endswith("w") else 1)

    def start(self, time: pl.Expr) -> pl.Expr:
        """Return an expression for the first day of the period that contains a time."""
        return time.dt.truncate(self.length).dt.date()

    def first_day(self, day: date) -> date:
        """Return the first day of the period that contains a day."""
        return pl.select(self.start(pl.lit(day).cast(pl.Datetime("us")))).item()  # type: ignore[no-any-return]

    def calendar(self, first: date, last: date) -> Calendar:
        """Return the periods of a log from the first to the last day; raise InputError if none is whole."""
        whole = self.whole_periods(first, last)
        begun = whole[-1] + timedelta(days=self.days)
        passed = (last - begun).days + 1
        return Calendar(whole, begun, passed / self.days) if passed > 0 else Calendar(whole, None, 0.0)

    def whole_periods(self, first: date, last: date) -> list[date]:
        """Return the first days of the periods that lie entirely between the first and the last day, both included.

        Raise InputError if there is none.
        """
        start = self.first_day(first)
        if start < first:
            start += timedelta(days=self.days)
        count = ((last - start).days + 1) // self.days
        if count < 1:
            raise InputError(
                f"the sales must cover at least one whole period of {self.length}, found {first} to {last}: "
                "bring more sales or set a shorter data.occasion_period"
            )
        return [start + timedelta(days=self.days * i) for i in range(count)]


@dataclass(frozen=True)
class Split:
    """How the periods divide in time: first those that only feed histories, then training, validation and test.

    Rows are never divided at random, because tomorrow's rows tell about today's.
    """

    history_periods: int
    validation_periods: int
    test_periods: int

    def __post_init__(self) -> None:
        for name, least in (("history_periods", 0), ("validation_periods", 1), ("test_periods", 0)):
            require_integer(f"split.{name}", getattr(self, name), least)

    def training_periods(self, periods: int) -> int:
        """Return how many periods come before validation; raise InputError if they are too few to learn from."""
        trained = periods - self.validation_periods - self.test_periods
        if trained - self.history_periods < LEAST_TRAINED:
            raise InputError(
                f"training needs at least {LEAST_TRAINED} periods besides {self.history_periods} for histories, "
                f"{self.validation_periods} for validation and {self.test_periods} for test, found {periods} in all: "
                "give more data, or lower split.history_periods, split.validation_periods and split.test_periods"
            )
        return trained


def by_period(rows: pl.DataFrame) -> dict[date, pl.DataFrame]:
    """Return the rows of each period, in order, as slices of `rows`, which are sorted by their column period."""
    runs = rows["period"].rle().struct.unnest()
    firsts = runs["len"].cum_sum() - runs["len"]
    assert runs["value"].is_sorted(), "rows are not sorted by their period"
    return {
        period: rows.slice(first, count)
        for period, first, count in zip(runs["value"], firsts, runs["len"], strict=True)
    }


def period_blocks(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Return slices of `rows`, which are sorted by their column period: whole periods, those that begin in BLOCK rows.

    A query over a block instead of each of its periods: Polars takes about a millisecond to start one, and a log of
    small days has thousands of them.
    """
    assert rows["period"].is_sorted(), "rows are not sorted by their period"
    counts = rows["period"].rle().struct.field("len").cast(pl.Int64)
    block = (counts.cum_sum() - counts) // BLOCK
    sizes = pl.DataFrame({"block": block, "size": counts}).group_by("block", maintain_order=True).agg(pl.sum("size"))
    firsts = sizes["size"].cum_sum() - sizes["size"]
    return [rows.slice(first, size) for first, size in zip(firsts, sizes["size"], strict=True)]


def parse_day(name: str, text: str | None) -> date | None:
    """Return the day that an ISO date names, None for null; raise InputError for anything else."""
    try:
        return None if text is None else date.fromisoformat(text)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a date such as 2017-12-18 or null, found {text!r}: mend it") from None
