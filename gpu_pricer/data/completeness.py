"""Whether a log has all of its last whole period: half a log looks like half the demand, and nothing else would say so.

The last whole period decides levels and the prices of today, so what is missing there is missing in every price.
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
LEAST_DROP = 0.1
"""Share of the usual number of lines that a period may lack without a doubt."""
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
    """Return the doubts about a last period with fewer lines than usual, or without those of some days.

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
    usual_of_day = {day: median([days.get(day, 0) for days in known]) for days in known for day in days}
    missing = [day for day, usual in sorted(usual_of_day.items()) if usual >= LEAST_OF_DAY and day not in own]
    return _of_lines(known, own, missing, last) + _of_days([(day, usual_of_day[day]) for day in missing], known, last)


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

    begun: first day of that period, of which the log has `passed` days. Of old logs nothing is said.
    """
    last, over = begun + timedelta(days=passed - 1), begun + timedelta(days=period_days)
    if not over < day <= over + timedelta(days=period_days):
        return []
    return [
        f"the last sales are of {last}, though their period was over before {over}: look whether sales of its last "
        "days are missing"
    ]


def _of_lines(known: list[dict[int, int]], own: dict[int, int], missing: list[int], last: date) -> list[str]:
    """Return the doubt about a last period with fewer lines than usual on the days that are not missing as a whole.

    known, own: lines by day of the periods before and of the last one. Fewer than usual is a number that is as far
    again below the smallest of the earlier ones as that is below their median, and at least LEAST_DROP below it.
    """
    earlier = [sum(count for day, count in days.items() if day not in missing) for days in known]
    usual, found = median(earlier), sum(own.values())
    least = min((1 - LEAST_DROP) * usual, 2 * min(earlier) - usual)
    if len(known) < LEAST_COMPARED or usual < LEAST_OF_PERIOD or found >= least:
        return []
    return [
        f"the last whole period, {last}, has {1 - found / usual:.0%} fewer lines of sales than usual"
        f"{' on its other days' if missing else ''} ({found:,} of {usual:,.0f}; the {len(known)} before had at least "
        f"{min(earlier):,}): look whether a file or a store is missing"
    ]


def _of_days(missing: list[tuple[int, float]], known: list[dict[int, int]], last: date) -> list[str]:
    """Return the doubt about days of the last period without lines; missing: each with its usual number of them."""
    if not missing:
        return []
    days = ", ".join(str(last + timedelta(days=day)) for day, _ in missing)
    numbers = ", ".join(f"{usual:,.0f}" for _, usual in missing)
    return [
        f"no sales on {days} of the last whole period, where the {len(known)} before had {numbers} in the median: "
        "look whether all lines of these days are in the log"
    ]


def _lines_by_day(lines: pl.DataFrame, period: date) -> dict[int, int]:
    """Return the number of lines of a period by the number of days since its first day, without days that have none."""
    days = lines.select(day=(pl.col("time").dt.date() - period).dt.total_days())
    return dict(days.group_by("day").len().rows())
