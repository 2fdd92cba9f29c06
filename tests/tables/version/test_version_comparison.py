"""A comparison of two versions adds up the same for the same prices, in whatever order it reads them."""

import numpy as np
import polars as pl

from gpu_pricer.tables.price_table import MONEY
from gpu_pricer.tables.version.version_comparison import ADDED_UP, Compared, by_group, compare_versions

PRODUCTS, SEGMENTS = 20, 300


def test_the_same_rows_in_another_order_are_no_change(tmp_path):
    rng = np.random.default_rng(2)
    cells = PRODUCTS * SEGMENTS
    rows = pl.DataFrame(
        {
            "segment_id": [f"s{i % SEGMENTS}" for i in range(cells)],
            "product_id": [f"p{i // SEGMENTS}" for i in range(cells)],
            "price": pl.Series(rng.uniform(1, 9, cells).round(2)).cast(MONEY),
            "expected_units": rng.uniform(0, 40, cells).astype(np.float32),
            "expected_profit": rng.uniform(0, 90, cells).astype(np.float32),
        }
    )
    visits = pl.DataFrame({"segment_id": [f"s{i}" for i in range(SEGMENTS)], "visits": rng.uniform(1, 99, SEGMENTS)})
    for name, table in (("one", rows), ("two", rows.sample(fraction=1, shuffle=True, seed=5))):
        (tmp_path / name).mkdir()
        table.write_parquet(tmp_path / name / "all.parquet")

    products = compare_versions(*(Compared(tmp_path / name, visits) for name in ("one", "two"))).products

    groups = by_group(products, products.select("product_id", group=pl.col("product_id").str.slice(1, 1)))
    for table in (products, groups):
        for name in (name.removesuffix("_before") for name in ADDED_UP if name.endswith("_before")):
            assert table[f"{name}_before"].equals(table[f"{name}_after"], check_names=False)
        assert table["base_revenue"].equals(table["common_revenue"], check_names=False)
        assert table["move"].to_list() == [0.0] * table.height
    assert products["price_before"].equals(products["price_after"], check_names=False)
    assert products["units_before"].sum() > 0
