"""What stock can serve of the units that the price table states."""

import polars as pl

from gpu_pricer.tables.version.stock_record import STOCK_PRICES, read_unit_limits, with_served_share

PRODUCTS = pl.DataFrame({"product_id": ["a", "b", "c"], "units": [8.0, 2.0, 5.0]})


def test_stock_serves_the_part_of_the_units_that_it_has(tmp_path):
    limits = {"product_id": ["a", "b"], "limit": [6.0, 4.0], "units": [8.0, 2.0], "rationed": [2.0, 0.0]}
    pl.DataFrame(limits).write_parquet(tmp_path / STOCK_PRICES)

    found = with_served_share(PRODUCTS, read_unit_limits(tmp_path))

    assert found["served"].to_list() == [0.75, 1.0, 1.0]
    assert found.columns == [*PRODUCTS.columns, "served"]


def test_without_limits_everything_is_served(tmp_path):
    assert read_unit_limits(tmp_path) is None
    assert with_served_share(PRODUCTS, None)["served"].to_list() == [1.0, 1.0, 1.0]


def test_no_stock_serves_nothing():
    limits = pl.DataFrame({"product_id": ["c"], "limit": [0.0]})

    assert with_served_share(PRODUCTS, limits)["served"].to_list() == [1.0, 1.0, 0.0]
