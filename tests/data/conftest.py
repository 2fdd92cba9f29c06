"""Sales of a small shop, in whole weeks from a Monday."""

from datetime import date, timedelta

import polars as pl
import pytest

MONDAY = date(2024, 1, 1)
LINE = {
    "user_id": 1,
    "product_id": 10,
    "week": 0,
    "price": 2.0,
    "quantity": 1.0,
    "list_price": None,
    "day": 0,
}


@pytest.fixture
def lines():
    """Transactions from short rows; a row is of user 1, product 10, week 0 and price 2 unless it says otherwise."""

    def build(*rows: dict) -> pl.DataFrame:
        filled = [LINE | row for row in rows]
        columns = {name: [row[name] for row in filled] for name in LINE if name not in ("week", "day")}
        time = [MONDAY + timedelta(days=7 * row["week"] + row["day"]) for row in filled]
        types = {"quantity": pl.Float64, "price": pl.Float64, "list_price": pl.Float64}
        frame = pl.DataFrame(columns | {"time": time}, schema_overrides=types)
        return frame.with_columns(
            pl.col("time").cast(pl.Datetime("us")), period=pl.col("time").dt.truncate("1w").dt.date()
        )

    return build


@pytest.fixture
def weeks():
    """The first days of so many weeks."""
    return lambda count: [MONDAY + timedelta(days=7 * week) for week in range(count)]


def shelf_of(*rows):
    return pl.DataFrame(rows, schema=["period", "category_id", "product_id"], orient="row")


@pytest.fixture
def shop(weeks):
    """Category A in weeks 0 and 1, B in week 1 only; forty users come every week."""
    week = weeks(2)
    shelf = shelf_of((week[0], "A", 10), (week[0], "A", 11), (week[1], "A", 10), (week[1], "B", 20))
    visits = pl.DataFrame({"user_id": range(40)}).join(pl.DataFrame({"period": week}), how="cross")
    return shelf, visits.sort("period", "user_id")
