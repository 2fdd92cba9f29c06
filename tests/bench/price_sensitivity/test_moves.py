"""Weeks are told apart by prices and shelves, and predictions are added up by them."""

from datetime import date, timedelta

import polars as pl
import pytest

from tests.bench.price_sensitivity.calibration import predicted_over_actual
from tests.bench.price_sensitivity.moves import kinds_of_weeks

WEEKS = [date(2017, 1, 2) + timedelta(weeks=week) for week in range(12)]


@pytest.fixture
def shelf():
    """Milk is cut in the tenth week and rises in the eleventh; bread misses the twelfth."""
    milk = [1.0] * 9 + [0.8, 1.2, 1.0]
    rows = [(week, "milk", "food", price) for week, price in zip(WEEKS, milk, strict=True)]
    rows += [(week, "bread", "food", 2.0) for week in WEEKS[:11]] + [(week, "soap", "home", 3.0) for week in WEEKS]
    return pl.DataFrame(rows, schema=["period", "product_id", "category_id", "price"], orient="row")


def kinds_of(shelf, product, column):
    return kinds_of_weeks(shelf).filter(product_id=product)[column].to_list()


def test_a_price_is_compared_with_the_weeks_before(shelf):
    assert kinds_of(shelf, "milk", "kind") == [None, *["still"] * 8, "cut", "rise", "still"]
    assert kinds_of(shelf, "soap", "kind") == [None, *["still"] * 11]


def test_a_rival_is_another_product_of_the_category(shelf):
    assert kinds_of(shelf, "bread", "rival_moved") == [False] * 9 + [True, True]
    assert not any(kinds_of(shelf, "milk", "rival_moved"))
    assert not any(kinds_of(shelf, "soap", "rival_moved"))


def test_only_products_that_were_usually_there_are_missed(shelf):
    assert kinds_of(shelf, "milk", "rival_missing") == [False] * 11 + [True]
    assert not any(kinds_of(shelf, "soap", "rival_missing"))


def test_predictions_are_compared_with_purchases_in_weeks_of_a_kind(shelf):
    offers = shelf.select("period", "product_id", probability=0.5, bought=pl.col("price") < 1, weight=2.0)

    found = predicted_over_actual(offers, shelf)

    assert found["cut"] == pytest.approx(0.5)
    assert found["rise"] != found["rise"]
