"""How far the prices of a version lie from today's prices and from the published ones, counted by product."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.tables.price_table import CENTS, PRICE_OF, cells_of
from gpu_pricer.tables.version.version_files import price_names

CELL = ["product_id", "segment_id"]
MoveRange = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Returns the lowest and the highest price [n] that limits on moves leave around today's prices [n], in cents."""


def price_moves(
    table: pl.DataFrame, move_range: MoveRange | None, published: pl.DataFrame | None, far: float
) -> pl.DataFrame:
    """Return a row per product of one file of the price table, with its product_id as text.

    move_range: None where nothing limits moves. published: the published cells of these products, from
    published_cells; None without a published version.
    far: the relative change from which a price has changed far.

    cells, moved, move, beyond: numbers of prices, of those that differ from today's price, the sum of |price / today's
    price − 1|, and the number of prices outside move_range. compared, changed, far, change: the number of cells that
    the published version has too, of those whose price differs from the published one, of those that differ by more
    than `far`, and the sum of |price / published price − 1|.
    """
    cells = _with_before(_cells(table), published)
    move, change = ((pl.col("price") / pl.col(name) - 1).abs() for name in ("today", "before"))
    run = pl.col("product_id").rle_id().set_sorted()  # numbers in order group in a third of the time of texts
    runs = cells.with_columns(_beyond(cells, move_range).alias("beyond"), run=run).group_by("run").agg(
        pl.col("product_id").first(),
        cells=pl.len(),
        moved=(pl.col("price") != pl.col("today")).sum(),
        move=move.sum(),
        beyond=pl.col("beyond").sum(),
        compared=pl.col("before").count(),
        changed=(pl.col("price") != pl.col("before")).sum(),
        far=(change > far).sum(),
        change=change.sum(),
    )  # fmt: skip
    return runs.drop("run").group_by("product_id").agg(pl.all().sum())


def published_cells(files: Sequence[Path], products: pl.Series | None) -> pl.DataFrame:
    """Return product_id and segment_id as text, and the price `before`, of every cell of products in some files.

    products: ids as text, None for all.
    """
    if not files:
        return pl.DataFrame(schema=dict.fromkeys(CELL, pl.String) | {"before": pl.Float64})
    cells = cells_of(pl.scan_parquet([*files]), pl.String())
    cells = cells.select(pl.col(CELL).cast(pl.String), before=pl.col("price").cast(pl.Float64))
    if products is not None:
        of_products = products.to_frame("product_id").lazy()
        cells = cells.join(of_products, on="product_id", how="semi", maintain_order="left")
    return cells.collect(engine="streaming")


def _with_before(cells: pl.DataFrame, published: pl.DataFrame | None) -> pl.DataFrame:
    """Return the cells with the published price `before`, null where there is none.

    Where both have the same cells in the same order, as mostly after events, none is sought: comparing 3.8 million ids
    takes a tenth of the time of joining them.
    """
    if published is None:
        return cells.with_columns(before=pl.lit(None, pl.Float64))
    if cells.select(CELL).equals(published.select(CELL)):
        return cells.with_columns(published["before"])
    return cells.join(published, on=CELL, how="left")


def _cells(table: pl.DataFrame) -> pl.DataFrame:
    """Return product_id and segment_id as text, price and today's price of every cell, for either layout."""
    prices = price_names(table)
    if prices != ["price"]:
        index = ["product_id", "today_price"]
        table = table.unpivot(prices, index=index, variable_name="segment_id", value_name="price")
        table = table.with_columns(pl.col("segment_id").str.strip_prefix(PRICE_OF))
    price, today = (pl.col(name).cast(pl.Float64) for name in ("price", "today_price"))
    return table.select(pl.col(CELL).cast(pl.String), price=price, today=today)


def _beyond(cells: pl.DataFrame, move_range: MoveRange | None) -> pl.Series:
    """Return whether the price of each cell lies outside the range that limits on moves leave, in whole cents."""
    if move_range is None:
        return pl.repeat(False, cells.height, eager=True)
    price, today = ((cells[name] * CENTS).round().cast(pl.Int64).to_numpy() for name in ("price", "today"))
    start = np.flatnonzero(np.diff(today, prepend=today[:1] - 1))  # a product's rows have one today's price
    low, high = (np.repeat(bound, np.diff(start, append=len(today))) for bound in move_range(today[start]))
    return pl.Series((price < low) | (price > high))
