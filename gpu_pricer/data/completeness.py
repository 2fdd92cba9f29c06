"""Whether the last whole period of a log is complete: with half of its lines, demand looks half as large.

The last whole period determines demand levels and today's prices, so that lines missing there distort every price.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.errors import InputError

WEEK = 7
"""Days: Sundays are compared with Sundays, where periods are days."""

LEAST_COMPARED = 3
"""Periods that tell what is usual of one of them."""
LEAST_DROP, LEAST_DROP_OF_DAY = 0.1, 0.5
"""Shares of the usual number of lines that a period, and a day of it, may lack without a doubt."""
LEAST_OF_PERIOD, LEAST_OF_DAY = 100, 20
"""With lower usual numbers of lines a period may have half as many by chance, and a day none."""


@dataclass(frozen=True)
class CompletenessRule:
    """When the last whole period of a log counts as complete.

    least_share: the least share of the usual number of lines; 0 accepts any number. usual_of: the number of periods
    before, with the same days of the week, whose median is usual.
    """

    least_share: float
    usual_of: int

    def __post_init__(self) -> None:
        require_number("completeness.least_share", self.least_share, least=0, most=1)
        require_integer("completeness.usual_of", self.usual_of, 1)


def require_complete(lines: dict[date, pl.DataFrame], rule: CompletenessRule) -> list[str]:
    """Return the doubts about a last period with fewer lines than usual, or with few or no lines on some days.

    Raise InputError where it has too few to be priced from.
    lines: of every whole period, with their time, by its first day in order. A day is compared with the same day of
    the periods before. Usual numbers below LEAST_OF_PERIOD and LEAST_OF_DAY say nothing.
    """
    *earlier, last = lines
    before = [period for period in earlier if (last - period).days % WEEK == 0][-rule.usual_of :]
    if not before or rule.least_share == 0:
        return []
    usual, found = median([lines[period].height for period in before]), lines[last].height
    if usual >= LEAST_OF_PERIOD and found < rule.least_share * usual:
        raise InputError(
            f"the last whole period, {last}, must have {rule.least_share:.0%} of the usual number of sales lines, "
            f"found {found:,} of {usual:,.0f}, the median of the {len(before)} before: bring the whole log, "
            "set data.last_period to the last whole one, or data.completeness.least_share=0 where so few are right"
        )
    *known, own = (_lines_by_day(lines[period], period) for period in (*before, last))
    lacking = _lacking_days(known, own)
    others = [sum(count for day, count in days.items() if day not in lacking) for days in (*known, own)]
    return _of_lines(others, bool(lacking), last) + _of_days(lacking, own, last, "the last whole period")


def doubts_of_begun(
    lines: dict[date, pl.DataFrame], begun: pl.DataFrame, first: date, until: date, rule: CompletenessRule
) -> list[str]:
    """Return the doubts about days of the period that has begun with few or no lines.

    lines: as in require_complete. begun: the lines of the period that begins on `first`. Its last day with lines counts
    only if it is before `until`, the day of the preparation, on which sales may go on.
    """
    before = [period for period in lines if (first - period).days % WEEK == 0][-rule.usual_of :]
    *known, own = (_lines_by_day(part, period) for period, part in (*((p, lines[p]) for p in before), (first, begun)))
    passed = min(max(own, default=-1) + 1, (until - first).days)
    lacking = {day: earlier for day, earlier in _lacking_days(known, own).items() if day < passed}
    return _of_days(lacking, own, first, "the period that has begun")


def doubts_of_earlier(lines: dict[date, pl.DataFrame], rule: CompletenessRule) -> list[str]:
    """Return the doubt about few lines in one of the periods before the last one, as where a file of it is missing.

    lines: as in require_complete. The last usual_of periods with the same days of the week are compared with the
    median of all of them.
    """
    *earlier, last = lines
    before = [period for period in earlier if (last - period).days % WEEK == 0][-rule.usual_of :]
    usual = median([lines[period].height for period in before]) if len(before) >= LEAST_COMPARED else 0
    few = [period for period in before if lines[period].height < rule.least_share * usual]
    if usual < LEAST_OF_PERIOD or not few:
        return []
    found = lines[few[0]].height
    return [
        f"the period from {few[0]} has {found:,} lines of sales, where {usual:,.0f} are usual: look whether a file "
        "of it is missing"
    ]


def doubts_of_end(begun: date, passed: int, period_days: int, day: date) -> list[str]:
    """Return the doubt about a log that ends inside a period which is over on the day of its preparation.

    begun: first day of that period, of which the log has `passed` days. A period that was over
    more than its own length before `day` is none: the log is an old one.
    """
    last, over = begun + timedelta(days=passed - 1), begun + timedelta(days=period_days)
    if not over < day <= over + timedelta(days=period_days):
        return []
    return [
        f"the last sales are of {last}, though their period was over before {over}: look whether sales of its last "
        "days are missing"
    ]


def _is_few(found: int, earlier: list[int], least_drop: float) -> bool:
    """Return whether a period or a day lacks lines, from their number and those of the earlier ones.

    It does if it is below their median by more than least_drop, a share of the median, and by more than twice the
    distance of the smallest of them.
    """
    usual = median(earlier)
    least = min((1 - least_drop) * usual, 2 * min(earlier) - usual)
    return len(earlier) >= LEAST_COMPARED and usual >= LEAST_OF_PERIOD and found < least


def _lacks(found: int, earlier: list[int]) -> bool:
    """Return whether a day lacks lines, from their number and those of the same day of the earlier periods."""
    return _is_few(found, earlier, LEAST_DROP_OF_DAY) if found else median(earlier) >= LEAST_OF_DAY


def _of_lines(lines: list[int], days_lack: bool, last: date) -> list[str]:
    """Return the doubt about a last period with few lines on the days that do not lack them on their own.

    lines: their numbers in the periods before and in the last one.
    """
    *earlier, found = lines
    if not _is_few(found, earlier, LEAST_DROP):
        return []
    usual = median(earlier)
    return [
        f"the last whole period, {last}, has {1 - found / usual:.0%} fewer lines of sales than usual"
        f"{' on its other days' if days_lack else ''} ({found:,} of {usual:,.0f}; the {len(earlier)} before had at "
        f"least {min(earlier):,}): look whether a file or a store is missing"
    ]


def _lacking_days(known: list[dict[int, int]], own: dict[int, int]) -> dict[int, list[int]]:
    """Return the days of a period that lack lines, with the lines of the same days of the periods before.

    known, own: of these periods and of the period itself, as _lines_by_day returns them.
    """
    by_day = {day: [days.get(day, 0) for days in known] for day in sorted({day for days in known for day in days})}
    return {day: earlier for day, earlier in by_day.items() if _lacks(own.get(day, 0), earlier)}


def _of_days(lacking: dict[int, list[int]], own: dict[int, int], first: date, period: str) -> list[str]:
    """Return the doubts about days of a period without lines, and about days with few.

    lacking: from _lacking_days. own: the lines of the period's days that have any. first: its first day. period: what
    it is, in words.
    """
    doubts, empty = [], [day for day in lacking if day not in own]
    if empty:
        days = ", ".join(str(first + timedelta(days=day)) for day in empty)
        numbers = ", ".join(f"{median(lacking[day]):,.0f}" for day in empty)
        doubts.append(
            f"no sales on {days}, in {period}; usually there are {numbers} lines on such a day: look "
            "whether all lines of these days are in the log"
        )
    for day in (day for day in lacking if day in own):
        earlier = lacking[day]
        doubts.append(
            f"only {own[day]:,} lines of sales on {first + timedelta(days=day)}, in {period}; usually "
            f"there are {median(earlier):,.0f} on such a day, and at least {min(earlier):,}: look whether its file "
            "was cut off"
        )
    return doubts


def _lines_by_day(lines: pl.DataFrame, period: date) -> dict[int, int]:
    """Return the number of lines of a period by the number of days since its first day, without days that have none."""
    days = lines.select(day=(pl.col("time").dt.date() - period).dt.total_days())
    return dict(days.group_by("day").len().rows())
