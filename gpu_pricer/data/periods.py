"""Periods: the calendar on which visits, prices and stock are counted."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from gpu_pricer.errors import InputError


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
        """How many days a period lasts."""
        return int(self.length[:-1]) * (7 if self.length.endswith("w") else 1)

    def start(self, time: pl.Expr) -> pl.Expr:
        """The first day of the period that a time lies in."""
        return time.dt.truncate(self.length).dt.date()

    def whole(self, first: date, last: date) -> list[date]:
        """The first days of the periods that lie whole between two days of data, both included.

        InputError when there is none.
        """
        start: date = pl.select(self.start(pl.lit(first).cast(pl.Datetime("us")))).item()
        if start < first:
            start += timedelta(days=self.days)
        count = ((last - start).days + 1) // self.days
        if count < 1:
            raise InputError(
                f"the sales must cover at least one whole period of {self.length}, found {first} to {last}: "
                "bring more sales or set a shorter data.occasion_period"
            )
        return [start + timedelta(days=self.days * i) for i in range(count)]


def parse_day(name: str, text: str | None) -> date | None:
    """The day an ISO date names, None for null; InputError for anything else."""
    try:
        return None if text is None else date.fromisoformat(text)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a date such as 2017-12-18 or null, found {text!r}: mend it") from None
