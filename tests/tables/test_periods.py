"""Which periods count, and which of them are trained on."""

from datetime import date

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables import periods
from gpu_pricer.tables.periods import Period, Split, by_period, period_blocks


def test_weeks_start_on_monday():
    frame = pl.DataFrame({"time": [date(2024, 1, 7), date(2024, 1, 8)]})

    starts = frame.select(Period("1w").start(pl.col("time").cast(pl.Datetime("us"))))

    assert starts["time"].to_list() == [date(2024, 1, 1), date(2024, 1, 8)]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2024, 1, 1), date(2024, 1, 14), [date(2024, 1, 1), date(2024, 1, 8)]),
        (date(2024, 1, 2), date(2024, 1, 14), [date(2024, 1, 8)]),
        (date(2024, 1, 1), date(2024, 1, 13), [date(2024, 1, 1)]),
    ],
)
def test_partial_first_and_last_periods_are_dropped(first, last, expected):
    assert Period("1w").whole_periods(first, last) == expected


def test_less_than_a_period_is_refused():
    with pytest.raises(InputError, match="at least one whole period of 1w, found 2024-01-02 to 2024-01-09"):
        Period("1w").whole_periods(date(2024, 1, 2), date(2024, 1, 9))


@pytest.mark.parametrize(("length", "days"), [("1w", 7), ("2w", 14), ("3d", 3)])
def test_period_knows_its_days(length, days):
    assert Period(length).days == days


@pytest.mark.parametrize("length", ["1h", "0w", "w", "1mo", 7, None])
def test_period_of_anything_but_days_and_weeks_is_refused(length):
    with pytest.raises(InputError, match="occasion_period must be days or weeks such as 1w or 3d"):
        Period(length)


def test_training_ends_before_validation():
    assert Split(history_periods=7, validation_periods=5, test_periods=7).training_periods(51) == 39


def test_too_few_periods_are_refused():
    with pytest.raises(InputError, match="found 8 in all"):
        Split(history_periods=1, validation_periods=3, test_periods=3).training_periods(8)


def test_days_after_the_last_whole_period_begin_another():
    calendar = Period("1w").calendar(date(2024, 1, 1), date(2024, 1, 16))

    assert (calendar.begun, calendar.share) == (date(2024, 1, 15), pytest.approx(2 / 7))
    assert calendar.all == [date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 15)]


def test_no_period_has_begun_after_the_last_day_of_a_whole_one():
    calendar = Period("1w").calendar(date(2024, 1, 1), date(2024, 1, 14))

    assert (calendar.begun, calendar.all) == (None, calendar.whole)


def test_the_last_periods_weigh_as_many_whole_ones():
    calendar = Period("1w").calendar(date(2024, 1, 1), date(2024, 1, 23))

    assert list(calendar.recent(2).values()) == pytest.approx([2 / 7, 1, 5 / 7])
    assert list(calendar.recent(9).values()) == pytest.approx([2 / 7, 1, 1, 1])


def test_rows_of_each_period_are_slices_in_order():
    rows = pl.DataFrame({"period": [date(2024, 1, 1)] * 2 + [date(2024, 1, 15)], "row": [0, 1, 2]})

    parts = by_period(rows)

    assert list(parts) == [date(2024, 1, 1), date(2024, 1, 15)]
    assert [part["row"].to_list() for part in parts.values()] == [[0, 1], [2]]
    assert by_period(rows.clear()) == {}


@pytest.mark.parametrize(("block", "expected"), [(1, [[0, 1, 2], [3], [4, 5]]), (4, [[0, 1, 2, 3], [4, 5]]), (5, None)])
def test_blocks_of_periods_are_whole_periods_below_each_other(monkeypatch, block, expected):
    days = [date(2024, 1, 1)] * 3 + [date(2024, 1, 8)] + [date(2024, 1, 29)] * 2
    rows = pl.DataFrame({"period": days, "row": range(6)})
    monkeypatch.setattr(periods, "BLOCK", block)

    blocks = period_blocks(rows)

    assert [part["row"].to_list() for part in blocks] == (expected or [[*range(6)]])
    assert period_blocks(rows.clear()) == []
