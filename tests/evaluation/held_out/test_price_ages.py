"""Calibration by the age of a price: the period's own sales count for no age, and every offer for one."""

from datetime import date, timedelta

import polars as pl
import pytest

from gpu_pricer.evaluation.held_out.bootstrap import Bootstrap
from gpu_pricer.evaluation.held_out.price_ages import AGES, price_ages, scores_by_age

MONDAY = date(2025, 1, 6)


def shelf(*rows):
    """The shelf of rows (product, week, price_age)."""
    table = pl.DataFrame(rows, schema=["product_id", "week", "price_age"], orient="row")
    return table.select("product_id", "price_age", period=pl.lit(MONDAY) + pl.duration(days=7 * pl.col("week")))


def test_age_counts_the_periods_since_a_price_was_seen_before():
    found = price_ages(shelf(*((7, week, age) for week, age in ((0, 0), (1, 0), (2, 1), (3, 2), (4, 0), (5, 0)))))

    assert found.sort("period")["age"].to_list() == ["never", "1", "1", "2", "3", "1"]


def test_periods_without_the_product_count_too():
    others = [(8, week, 0) for week in range(8)]

    found = price_ages(shelf((7, 0, 0), (7, 3, 0), *others, (7, 7, 2))).filter(pl.col("product_id") == 7)

    assert found.sort("period")["age"].to_list() == ["never", "3", "4"]


def test_product_that_no_price_was_ever_seen_of_is_never_seen():
    found = price_ages(shelf((7, 0, 1), (7, 1, 0), (8, 0, 0)))

    assert found.sort("product_id", "period")["age"].to_list() == ["never", "never", "never"]


def test_long_ages_are_judged_together():
    found = price_ages(shelf((7, 0, 0), *((8, week, 0) for week in range(9)), (7, 5, 4), (7, 8, 0)))

    assert found.filter(pl.col("product_id") == 7).sort("period")["age"].to_list() == ["never", "over_4", "over_4"]


def test_every_offer_counts_in_one_age_with_its_weight():
    ages = price_ages(shelf((7, 0, 0), (7, 1, 0), (8, 1, 0)))
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
