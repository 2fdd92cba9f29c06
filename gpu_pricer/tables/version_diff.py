"""What differs between two versions of the price table: columns, products and prices."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.tables.price_moves import CELL, published_cells
from gpu_pricer.tables.price_table import cells_of, scan_prices
from gpu_pricer.tables.version_files import categories_of

NO_CATEGORY = "(none)"


class VersionDiff(NamedTuple):
    """The differences between two versions.

    gone, new: columns, with their types, of only the first or only the second. products_out, products_in: ids as text
    of the products of only one. categories: category_id, products (in both), prices (of cells in both), up, down (how
    many of them rose and fell), move, absolute_move (sums of after / before − 1 and of its size), sorted by category.
    """

    gone: list[str]
    new: list[str]
    products_out: list[str]
    products_in: list[str]
    categories: pl.DataFrame


def diff_versions(before: Path, after: Path) -> VersionDiff:
    """Return what differs between the versions in two folders; their files are read one at a time."""
    columns = [_columns(folder) for folder in (before, after)]
    products = [_products(folder) for folder in (before, after)]
    sums = [_sums(cells) for cells in common_cells(before, after)]
    return VersionDiff(
        gone=sorted(columns[0] - columns[1]),
        new=sorted(columns[1] - columns[0]),
        products_out=sorted(products[0] - products[1]),
        products_in=sorted(products[1] - products[0]),
        categories=_by_category(pl.concat(sums), categories_of(after)),
    )


def common_cells(before: Path, after: Path) -> Iterator[pl.DataFrame]:
    """Yield product_id and segment_id as text, and the prices `before` and `after`, of the cells that both have.

    One table for each file of `after`.
    """
    older = sorted(before.glob("*.parquet"))
    for file in sorted(after.glob("*.parquet")):
        cells = cells_of(pl.scan_parquet(file), pl.String())
        cells = cells.select(pl.col(CELL).cast(pl.String), after=pl.col("price").cast(pl.Float64))
        table = cells.collect(engine="streaming")
        found = published_cells(older, table["product_id"].unique())
        yield table.join(found, on=CELL).select(*CELL, "before", "after")


def changed_cells(before: Path, after: Path) -> pl.DataFrame:
    """Return the cells of common_cells whose price differs, sorted by product, then segment."""
    changed = [cells.filter(pl.col("before") != pl.col("after")) for cells in common_cells(before, after)]
    return pl.concat(changed).sort(CELL)


def _columns(folder: Path) -> set[str]:
    return {f"{name} {dtype}" for name, dtype in scan_prices(folder).collect_schema().items()}


def _products(folder: Path) -> set[str]:
    ids = scan_prices(folder).select(pl.col("product_id").cast(pl.String)).unique()
    return {*ids.collect(engine="streaming")["product_id"]}


def _sums(cells: pl.DataFrame) -> pl.DataFrame:
    """Return per product the number of prices, how many rose and fell, and the sums of their moves."""
    move = pl.col("after") / pl.col("before") - 1
    return cells.group_by("product_id").agg(
        prices=pl.len(),
        up=(pl.col("after") > pl.col("before")).sum(),
        down=(pl.col("after") < pl.col("before")).sum(),
        move=move.sum(),
        absolute_move=move.abs().sum(),
    )


def _by_category(products: pl.DataFrame, categories: pl.DataFrame | None) -> pl.DataFrame:
    if categories is None:
        categories = products.select("product_id", category_id=pl.lit(None, pl.String))
    known = products.join(categories, on="product_id", how="left").sort("product_id")
    known = known.with_columns(pl.col("category_id").fill_null(NO_CATEGORY))
    sums = pl.col("prices", "up", "down", "move", "absolute_move").sum()
    return known.group_by("category_id").agg(sums, products=pl.len()).sort("category_id")
