"""When a week ends for a shop that is closed on some days of the week."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.data.closed_days import RECENT, closed_weekdays, last_covered_day
from gpu_pricer.tables.periods import Period

MONDAY = date(2025, 1, 6)
WEEKDAYS, WEEK = range(5), Period("1w")


def days_of(weekdays, weeks=12, last=None):
    """The days on which a shop sells in so many weeks; last: the weekday after which the log ends in the last week."""
    days = [MONDAY + timedelta(weeks=week, days=day) for week in range(weeks) for day in weekdays]
    return [day for day in days if last is None or day <= MONDAY + timedelta(weeks=weeks - 1, days=last)]


@pytest.mark.parametrize(("weekdays", "last", "covered"), [
    (range(6), 5, 6),  # a shop that is closed on Sundays has covered the week on Saturday
    (range(6), 4, 4),
    (WEEKDAYS, 4, 6),
    (WEEKDAYS, 3, 3),
    (range(7), 5, 5),
    (range(1, 7), 0, -1),  # closed on Mondays: the week that begins tomorrow has no day
])  # fmt: skip
def test_a_week_is_covered_after_its_last_open_day(weekdays, last, covered):
    found = last_covered_day(days_of(weekdays, last=last), WEEK)

    assert found == MONDAY + timedelta(weeks=11, days=covered)


@pytest.mark.parametrize(("open_sundays", "is_closed"), [(0, True), (1, True), (2, False)])
def test_a_day_with_sales_now_and_then_counts_as_closed(open_sundays, is_closed):
    sundays = [MONDAY + timedelta(weeks=10 - week, days=6) for week in range(open_sundays)]

    assert closed_weekdays([*days_of(range(6)), *sundays]) == ({6} if is_closed else set())


def test_a_short_log_and_a_sunday_of_long_ago_say_what_they_can():
    assert closed_weekdays(days_of(range(6), weeks=RECENT)) == set()
    assert closed_weekdays([MONDAY + timedelta(days=6), *days_of(range(6))]) == {6}


@given(st.sets(st.integers(0, 200), min_size=1), st.sampled_from(["1d", "3d", "1w", "2w"]))
def test_no_day_of_another_period_is_covered(offsets, length):
    days, period = [MONDAY + timedelta(days=offset) for offset in offsets], Period(length)

    covered = last_covered_day(days, period)

    assert max(days) <= covered
    assert period.first_day(covered) == period.first_day(max(days))
    assert covered in (max(days), period.first_day(covered) + timedelta(days=period.days - 1))
