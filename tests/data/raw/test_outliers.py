"""The rules that plausible lines keep."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from gpu_pricer.data.raw.outliers import NotInTheFuture, PriceNearMedian, QuantityAtMost, TimeNearMedian


def test_quantity_above_the_limit_is_an_outlier():
    lines = pl.DataFrame({"quantity": [1.0, 100.0, 8725.0]})

    assert lines.select(QuantityAtMost(100).holds()).to_series().to_list() == [True, True, False]


def test_price_far_from_its_products_median_is_an_outlier():
    lines = pl.DataFrame({"product_id": [1, 1, 1, 1, 1, 2], "price": [2.0, 2.0, 2.0, 0.3, 10.1, 50.0]})

    assert lines.select(PriceNearMedian(5).holds()).to_series().to_list() == [
        True,
        True,
        True,
        False,
        False,
        True,
    ]


def test_invalid_price_is_left_to_its_own_rule():
    lines = pl.DataFrame({"product_id": [1, 1, 1], "price": [2.0, float("nan"), -1.0]})

    assert lines.select(PriceNearMedian(5).holds()).to_series().to_list() == [True, None, None]


def test_lines_that_were_given_away_leave_the_median_of_those_that_were_paid():
    lines = pl.DataFrame({"product_id": [1] * 5, "price": [0.0, 0.0, 0.0, 2.0, 2.0]})

    assert lines.select(PriceNearMedian(5).holds()).to_series().to_list() == [None, None, None, True, True]


@pytest.mark.parametrize("value", [0, -1, "many", True, None, float("nan")])
def test_impossible_limit_is_refused(value):
    with pytest.raises(ValueError, match="limit must be a number above 0"):
        QuantityAtMost(value)


@pytest.mark.parametrize("value", [1, 0.5, "five"])
def test_impossible_ratio_is_refused(value):
    with pytest.raises(ValueError, match="ratio must be a number above 1"):
        PriceNearMedian(value)


def test_time_that_has_not_come_is_an_outlier():
    now = datetime.now()
    lines = pl.DataFrame({"time": [now - timedelta(days=400), now + timedelta(hours=20), now + timedelta(days=2)]})

    assert lines.select(NotInTheFuture(24).holds()).to_series().to_list() == [True, True, False]


def test_time_far_from_the_median_of_the_log_is_an_outlier():
    days = [datetime(1925, 3, 1), datetime(1970, 1, 1), datetime(2017, 1, 1), *[datetime(2025, 3, 1)] * 5]
    lines = pl.DataFrame({"time": [*days, datetime(2125, 3, 1)]})

    found = lines.lazy().select(TimeNearMedian(10).holds()).collect().to_series().to_list()

    assert found == [False, False, *[True] * 6, False]


@pytest.mark.parametrize("value", [0, -1, "ten", True, None])
def test_impossible_number_of_years_is_refused(value):
    with pytest.raises(ValueError, match="years must be a number above 0"):
        TimeNearMedian(value)
