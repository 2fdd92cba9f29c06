"""A file of the price table as a grid holds the cells of its rows, in whatever order and layout these are."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.price_table import MONEY
from gpu_pricer.tables.version import price_grid
from gpu_pricer.tables.version.price_grid import grid_of, read_grid

PRODUCTS, SEGMENTS = 7, 3


def drawn_rows(seed=0):
    """Rows of the long layout, sorted; every cell has another price."""
    cents = np.random.default_rng(seed).permutation(np.arange(100, 100 + PRODUCTS * SEGMENTS))
    ids = {"product_id": [f"p{p}" for p in range(PRODUCTS)], "segment_id": [f"s{s}" for s in range(SEGMENTS)]}
    cells = pl.DataFrame({"product_id": ids["product_id"]}).join(
        pl.DataFrame({"segment_id": ids["segment_id"]}), how="cross"
    )
    money = {"price": cents / 100, "today_price": np.repeat(np.arange(1, PRODUCTS + 1), SEGMENTS) / 1}
    return cells.with_columns(pl.Series(name, values).cast(MONEY) for name, values in money.items())


def wide(rows):
    prices = rows.pivot("segment_id", index=["product_id", "today_price"], values="price")
    return prices.rename({name: f"price_{name}" for name in prices.columns[2:]})


def cells_of(grid):
    """The prices by product and segment, in cents."""
    return {
        (product, segment): cents
        for product, row in zip(grid.product_id, grid.price.tolist(), strict=True)
        for segment, cents in zip(grid.segment_id, row, strict=True)
    }


def expected_cells(rows):
    return {
        (product, segment): round(100 * price)
        for product, segment, price in rows.select("product_id", "segment_id", "price").iter_rows()
    }


@pytest.mark.parametrize("order", ["sorted", "shuffled", "by segment", "backwards"])
def test_order_of_the_rows_changes_no_cell(order):
    rows = drawn_rows()
    found = {
        "sorted": rows,
        "shuffled": rows.sample(fraction=1.0, shuffle=True, seed=1),
        "by segment": rows.sort("segment_id", "product_id"),
        "backwards": rows.reverse(),
    }[order]

    grid = grid_of(found)

    assert cells_of(grid) == expected_cells(rows)
    assert (grid.today == grid.today[:, :1]).all()
    assert dict(zip(grid.product_id, grid.today[:, 0].tolist(), strict=True)) == {
        f"p{p}": 100 * (p + 1) for p in range(PRODUCTS)
    }


def test_both_layouts_have_the_same_cells():
    grid = grid_of(wide(drawn_rows()))

    assert cells_of(grid) == cells_of(grid_of(drawn_rows()))
    assert grid.today.tolist() == [[100 * (p + 1)] for p in range(PRODUCTS)]


@pytest.mark.parametrize("broken", ["missing", "twice", "other segment", "nothing of one product"])
def test_rows_that_are_not_every_cell_once_are_no_grid(broken, tmp_path):
    rows = drawn_rows()
    rows = {
        "missing": rows[1:],
        "twice": rows[1:].vstack(rows[1:2]),
        "other segment": rows.with_columns(
            segment_id=pl.when(pl.int_range(pl.len()) > 0).then("segment_id").otherwise(pl.lit("s9"))
        ),
        "nothing of one product": rows.filter((pl.col("product_id") != "p3") | (pl.col("segment_id") == "s0")),
    }[broken]

    assert grid_of(rows) is None
    rows.write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(InputError, match=r"rows.parquet must hold each product x segment once, found others"):
        read_grid(tmp_path / "rows.parquet")


def test_prices_are_found_by_product_and_segment():
    rows = drawn_rows()
    products, segments = pl.Series(["p6", "new", "p0"]), pl.Series(["s2", "s9", "s0", "s1"])

    found = grid_of(rows).prices_for(products, segments)

    cells = expected_cells(rows)
    assert found.tolist() == [[cells.get((product, segment), 0) for segment in segments] for product in products]


def test_parts_are_the_whole(monkeypatch):
    monkeypatch.setattr(price_grid, "CELLS_AT_ONCE", 2 * SEGMENTS)
    for rows in (drawn_rows(), wide(drawn_rows())):
        grid = grid_of(rows)

        parts = [*grid.parts()]

        assert len(parts) == 4
        assert np.array_equal(np.vstack([part.price for _, part in parts]), grid.price)
        assert np.array_equal(np.vstack([part.today for _, part in parts]), grid.today)
        assert [name for _, part in parts for name in part.product_id] == grid.product_id.to_list()
        assert all(grid.product_id[rows].equals(part.product_id) for rows, part in parts)


def test_no_rows_are_a_grid_of_no_cells():
    grid = grid_of(drawn_rows().clear())

    assert grid.price.size == 0
    assert [part.price.size for _, part in grid.parts()] == [0]
