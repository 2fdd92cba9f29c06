"""Calibration by the age of a price: predicted periods' sales count for no age, and every offer for one."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.held_out.bootstrap import Bootstrap
from gpu_pricer.evaluation.held_out.price_ages import AGES, price_ages, scores_by_age

MONDAY = date(2025, 1, 6)


def shelf(*rows):
    """The shelf of rows (product, week, price_age)."""
    table = pl.DataFrame(rows, schema=["product_id", "week", "price_age"], orient="row")
    return table.select("product_id", "price_age", period=pl.lit(MONDAY) + pl.duration(days=7 * pl.col("week")))


def ages_before(week, *rows):
    """The age of every product of the shelf of these rows, by product, where predictions begin in this week."""
    return dict(price_ages(shelf(*rows), MONDAY + timedelta(days=7 * week)).iter_rows())


@pytest.mark.parametrize(("week", "age"), [(1, "1"), (2, "1"), (3, "2"), (4, "3"), (5, "1")])
def test_age_counts_the_periods_since_a_price_was_seen_before(week, age):
    rows = [(7, week, age) for week, age in ((0, 0), (1, 0), (2, 1), (3, 2), (4, 0), (5, 0))]

    assert ages_before(week, *rows) == {7: age}


def test_what_predicted_periods_show_counts_for_no_age():
    known = [(7, 0, 0), (8, 0, 0), (8, 1, 0), (7, 1, 1)]

    later = ages_before(2, *known, (7, 2, 0), (7, 3, 0), (8, 2, 1), (8, 3, 2), (9, 3, 0))

    assert later == {7: "2", 8: "1", 9: "never"}


def test_periods_without_the_product_count_too():
    others = [(8, week, 0) for week in range(8)]

    assert ages_before(7, (7, 0, 0), (7, 3, 0), *others, (7, 7, 2))[7] == "4"


def test_product_that_no_price_was_ever_seen_of_is_never_seen():
    assert ages_before(2, (7, 0, 1), (7, 1, 0), (8, 0, 1), (8, 1, 1), (8, 2, 0)) == {7: "1", 8: "never"}


def test_long_ages_are_judged_together():
    rows = [(7, 0, 0), *((8, week, 0) for week in range(9)), (7, 5, 4), (7, 8, 0)]

    assert [ages_before(week, *rows)[7] for week in (4, 5, 8)] == ["4", "over_4", "over_4"]


def test_every_offer_counts_in_one_age_with_its_weight():
    ages = price_ages(shelf((7, 0, 0), (7, 1, 0), (8, 1, 0)), MONDAY + timedelta(days=7))
    offers = pl.DataFrame(
        {
            "period": [MONDAY + timedelta(days=7)] * 4,
            "product_id": [7, 7, 8, 8],
            "user_id": [1, 2, 1, 2],
            "probability": [0.5, 0.25, 0.5, 0.75],
            "bought": [True, False, True, True],
            "weight": [1.0, 4.0, 1.0, 1.0],
        }
    )

    found = scores_by_age(offers, ages, Bootstrap(50, 0.9), 0)

    for score in found.values():
        low, high = score.pop("interval")
        assert low <= score["predicted_over_actual"] <= high
    assert found == {
        "1": {"rows": 2, "bought": 1.0, "predicted_over_actual": pytest.approx(1.5)},
        "never": {"rows": 2, "bought": 2.0, "predicted_over_actual": pytest.approx(0.625)},
    }
    assert set(found) <= set(AGES)


def test_predicted_over_actual_has_no_value_where_nothing_was_bought():
    ages = price_ages(shelf((7, 0, 0), (7, 1, 0), (8, 1, 0)), MONDAY + timedelta(days=7))
    offers = pl.DataFrame(
        {
            "period": [MONDAY + timedelta(days=7)] * 4,
            "product_id": [7, 7, 8, 8],
            "user_id": [1, 2, 1, 2],
            "probability": [0.5, 0.25, 0.5, 0.75],
            "bought": [False, False, True, True],
            "weight": 1.0,
        }
    )

    found = scores_by_age(offers, ages, Bootstrap(50, 0.9), 0)

    assert found["1"]["bought"] == 0
    assert np.isnan([found["1"]["predicted_over_actual"], *found["1"]["interval"]]).all()
    assert found["never"]["predicted_over_actual"] == pytest.approx(0.625)
