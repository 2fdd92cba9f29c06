"""Days of the week on which a shop is closed: its week ends with the last day on which it sells."""

from collections.abc import Collection
from datetime import date, timedelta

from gpu_pricer.tables.periods import Period

DAY = timedelta(days=1)
WEEK = 7
RECENT = 8
"""So many times the log must have come to a day of the week before the shop counts as closed on it."""
MOST_OPEN = 1
"""Of these times, so many may have sales, as on a Sunday before a holiday."""


def last_covered_day(days: Collection[date], period: Period) -> date:
    """Return the last day that a log covers: its last one with sales, or the period's if the shop is closed from then.

    days: those with sales, at least one.
    """
    last, closed = max(days), closed_weekdays(days)
    first: date = period.first_day(last)
    left = [first + i * DAY for i in range(period.days) if first + i * DAY > last]
    return left[-1] if left and all(day.weekday() in closed for day in left) else last


def closed_weekdays(days: Collection[date]) -> set[int]:
    """Return the days of the week, from 0 for Monday, on which the shop is closed; none where the log is too short.

    days: those with sales, at least one.
    """
    first, last = min(days), max(days)
    if (last - first).days < RECENT * WEEK:
        return set()
    open_days = set(days)
    lately = [last - i * DAY for i in range(RECENT * WEEK)]
    if not all(open_days.intersection(lately[i : i + WEEK]) for i in range(0, len(lately), WEEK)):
        return set()  # after a gap in the log no day tells
    sold = [sum(day.weekday() == weekday and day in open_days for day in lately) for weekday in range(WEEK)]
    return {weekday for weekday, count in enumerate(sold) if count <= MOST_OPEN}
