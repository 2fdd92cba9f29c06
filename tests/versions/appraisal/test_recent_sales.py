"""The units that products on the shelf sold lately, from canonical tables in a folder."""

import json
from datetime import date, timedelta

import polars as pl
import pytest

from gpu_pricer.versions.appraisal.recent_sales import recent_sales

LAST = date(2026, 3, 2)


@pytest.fixture
def prepared(tmp_path):
    """Products 1 (on the shelf), 2 (off it) and 3 (sold by weight), each of whom sells 7 units on every day."""

    def write(days=7 * 12, periods=10, products=(1, 2, 3)):
        first = LAST + timedelta(days=7 + 3) - timedelta(days=days)  # the last three days are of a begun period
        rows = [(first + timedelta(days=day), product, 2.0, 7.0, 49.0) for day in range(days) for product in products]
        columns = ["day", "product_id", "price", "units", "squared_units"]
        pl.DataFrame(rows, columns, orient="row").write_parquet(tmp_path / "sales.parquet")
        summary = {"periods": periods, "period_days": 7, "last_period": LAST.isoformat()}
        (tmp_path / "summary.json").write_text(json.dumps(summary))
        catalog = {"product_id": [1, 2, 3], "category_id": "c", "price": 2.0, "cost": 1.0}
        catalog |= {"availability": [0.5, 0.0, 1.0], "has_unit_price": [1.0, 1.0, 0.0]}
        pl.DataFrame(catalog).write_parquet(tmp_path / "products.parquet")
        return tmp_path, tmp_path / "products.parquet"

    return write


def test_units_are_those_of_priced_products_on_the_shelf_in_whole_periods(prepared):
    assert recent_sales(*prepared()) == (49.0, 1.0)


def test_only_the_last_four_periods_count(prepared):
    data, catalog = prepared()
    sales = pl.read_parquet(data / "sales.parquet")
    is_old = pl.col("day") < LAST - timedelta(days=3 * 7)
    sales.with_columns(units=pl.when(is_old).then(1000.0).otherwise("units")).write_parquet(data / "sales.parquet")

    assert recent_sales(data, catalog) == (49.0, 1.0)


def test_prices_paid_are_compared_with_those_of_today(prepared):
    data, catalog = prepared()
    sales = pl.read_parquet(data / "sales.parquet")
    is_cheap = pl.col("day") >= LAST
    sales.with_columns(price=pl.when(is_cheap).then(1.0).otherwise("price")).write_parquet(data / "sales.parquet")

    assert recent_sales(data, catalog) == (49.0, pytest.approx((3 * 2.0 + 1.0) / (4 * 2.0)))


def test_ids_of_another_catalog_may_be_of_another_type(prepared):
    data, catalog = prepared()
    pl.read_parquet(catalog).with_columns(pl.col("product_id").cast(pl.String)).write_parquet(catalog)

    assert recent_sales(data, catalog) == (49.0, 1.0)


def test_nothing_is_known_without_sales_of_enough_periods_or_without_availabilities(prepared):
    data, catalog = prepared(periods=3)
    assert recent_sales(data, catalog) is None

    data, catalog = prepared()
    pl.read_parquet(catalog).drop("availability").write_parquet(catalog)
    assert recent_sales(data, catalog) is None

    (data / "summary.json").unlink()
    assert recent_sales(data, catalog) is None
