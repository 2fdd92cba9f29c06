"""Daily sales add up to the lines that they were made of."""

from datetime import datetime

import polars as pl

from gpu_pricer.data.daily_sales import daily_sales, daily_shoppers

LINES = pl.DataFrame(
    {
        "user_id": [1, 1, 2, 2],
        "product_id": ["a", "a", "a", "b"],
        "time": [datetime(2026, 1, 5, 9), datetime(2026, 1, 5, 20), datetime(2026, 1, 5, 10), datetime(2026, 1, 6)],
        "price": [2.0, 2.0, 1.5, 4.0],
        "quantity": [3, 1, 2, 0],
    }
)


def test_sales_of_a_day_are_summed_by_product_and_price():
    found = daily_sales(LINES)

    day = datetime(2026, 1, 5).date()
    assert found.rows() == [(day, "a", 1.5, 2.0, 4.0), (day, "a", 2.0, 4.0, 10.0)]


def test_shoppers_are_users_of_a_day_with_or_without_a_purchase():
    assert daily_shoppers(LINES)["users"].to_list() == [2, 1]
