"""How old the sales behind a demand are on the day on which prices are set."""

from datetime import date
from typing import NamedTuple

from gpu_pricer.tables.artefact.demand_info import DemandInfo

MOST_PERIODS, MOST_DAYS = 2, 7
"""Periods and days after the last sales, beyond which prices rest on old sales: so many periods of days, or a week, or
a longer period."""


class SalesAge(NamedTuple):
    """The day of the last sales that a demand knows, the day on which prices are set, and the days of a period."""

    end: date
    day: date
    period_days: int

    @property
    def days(self) -> int:
        """Return how many days before the prices the last sales are."""
        return (self.day - self.end).days

    @property
    def warning(self) -> str | None:
        """Return the warning where the last sales are old, else None.

        A nightly job knows those of the day before, also in a period that has begun; who trains once a period knows
        those until its end.
        """
        most = max(min(MOST_PERIODS * self.period_days, MOST_DAYS), self.period_days)
        if self.days <= most:
            return None
        return (
            f"the last sales are of {self.end}, {self.days:,} days before {self.day}, the day on which prices are set "
            f"(more than {most} days): train on newer sales, or set day to the intended day"
        )


def sales_age(info: DemandInfo, day: date) -> SalesAge:
    """Return how old the sales of a demand are on the day on which prices are set."""
    return SalesAge(info.last_sales_day, day, info.period_days)
