"""What differs between two versions of the price table: columns, products, prices, and what they expect to sell."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl
import polars.selectors as cs

from gpu_pricer.tables.price_table import (
    DIGITS,
    PER_VISITS,
    cells_of,
    collect_prices,
    price_files,
    scan_cells,
    scan_prices,
)
from gpu_pricer.tables.vat import VAT_RATE, net_share
from gpu_pricer.tables.version.catalog_copy import find_catalog_copy
from gpu_pricer.tables.version.price_grid import CELL

NO_GROUP = "(none)"
SUMS = ("units", "revenue", "profit")
"""What a version in the long layout expects of each product in a period."""
COUNTS = ("prices", "up", "down", "move", "absolute_move")
ENDS = ("before", "after")
ADDED_UP = (*COUNTS, "base_revenue", "common_revenue", *(f"{name}_{end}" for name in SUMS for end in ENDS))
"""The columns of a comparison's products that add up over products."""


class Compared(NamedTuple):
    """One side of a comparison.

    folder: of the version. visits: segment_id as text and visits (expected per period) of its demand; None where they
    are not known.
    """

    folder: Path
    visits: pl.DataFrame | None


class Comparison(NamedTuple):
    """The differences between two versions.

    gone, new: columns, with their types, of only the first or only the second. gone_segments, new_segments: the ids, as
    text, of segments that only the first or only the second has prices for. products: a row per product of either,
    sorted: product_id (text), is_before, is_after (which of the versions have it), price_before, price_after (means
    over segments); over the cells that both have, prices (their number), up, down (how many rose and fell), move,
    absolute_move (sums of after / before − 1 and of its size), common_revenue and base_revenue (what the units of the
    second version bring at its prices and at those of the first); and units, revenue, profit of a period, the latter
    two after VAT, each _before and _after, 0 for a product that the version does not price. Revenues, units and profit
    are null where the visits are not known, and in the wide layout.
    """

    gone: list[str]
    new: list[str]
    gone_segments: list[str]
    new_segments: list[str]
    products: pl.DataFrame


def compare_versions(before: Compared, after: Compared) -> Comparison:
    """Return what differs between two versions."""
    columns = [_columns(side.folder) for side in (before, after)]
    sums = [_sums(side, end) for side, end in zip((before, after), ENDS, strict=True)]
    moves = pl.concat([_moves(cells) for cells in common_cells(before.folder, after)])
    products = sums[0].join(sums[1], on="product_id", how="full", coalesce=True)
    products = products.join(moves, on="product_id", how="left").sort("product_id")
    known = [
        f"{name}_{end}" for table, end in zip(sums, ENDS, strict=True) for name in SUMS if table[f"units_{end}"].count()
    ]
    products = products.with_columns(
        pl.col("is_before", "is_after").fill_null(False), pl.col(*COUNTS, *known).fill_null(0)
    )
    segments = different_segments(before.folder, after.folder)
    return Comparison(sorted(columns[0] - columns[1]), sorted(columns[1] - columns[0]), *segments, products)


def different_segments(before: Path, after: Path) -> tuple[list[str], list[str]]:
    """Return the ids, as text and sorted, of the segments that only the first and that only the second version has."""
    first, second = (_segments(folder) for folder in (before, after))
    return sorted(first - second), sorted(second - first)


def _segments(folder: Path) -> set[str]:
    """Return the ids of a version's segments, which every file has."""
    file = price_files(folder)[0]
    cells = cells_of(pl.scan_parquet(file), pl.String()).select(pl.col("segment_id").cast(pl.String).unique())
    return {*collect_prices(cells, file)["segment_id"]}


def by_group(products: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Return the sums of a comparison's products by group, sorted: group, products (in both), and the sums.

    groups: product_id as text and `group`; a product without one counts under NO_GROUP.
    """
    known = products.join(groups, on="product_id", how="left").with_columns(pl.col("group").fill_null(NO_GROUP))
    sums = [pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in ADDED_UP]
    return known.group_by("group").agg(*sums, products=(pl.col("prices") > 0).sum()).sort("group")


def common_cells(before: Path, after: Compared) -> Iterator[pl.DataFrame]:
    """Yield product_id and segment_id as text, and the prices `before` and `after`, of the cells that both have.

    One table for each file of `after`; with `units`, those of a period in the second version, null if not known.
    """
    for file in price_files(after.folder):
        table = collect_prices(_period_cells(pl.scan_parquet(file), after.visits), file)
        found = _cells_before(before, table["product_id"].unique())
        yield table.rename({"price": "after"}).join(found, on=CELL).select(*CELL, "before", "after", "units")


def changed_cells(before: Path, after: Path) -> pl.DataFrame:
    """Return the cells of common_cells whose price differs, sorted by product, then segment."""
    tables = common_cells(before, Compared(after, None))
    changed = [cells.drop("units").filter(pl.col("before") != pl.col("after")) for cells in tables]
    return pl.concat(changed).sort(CELL)


def _cells_before(folder: Path, products: pl.Series) -> pl.DataFrame:
    """Return product_id and segment_id as text, and the price `before`, of every cell of products in a version.

    products: ids as text.
    """
    cells = scan_cells(folder, pl.String())
    cells = cells.select(pl.col(CELL).cast(pl.String), before=pl.col("price").cast(pl.Float64))
    cells = cells.join(products.to_frame("product_id").lazy(), on="product_id", how="semi", maintain_order="left")
    return collect_prices(cells, folder)


def _period_cells(table: pl.LazyFrame, visits: pl.DataFrame | None) -> pl.LazyFrame:
    """Return the cells with ids as text, price, and the period's units and profit, null where they are not known."""
    if visits is None or "expected_units" not in table.collect_schema():
        cells = cells_of(table, pl.String()).select(pl.col(CELL).cast(pl.String), pl.col("price").cast(pl.Float64))
        return cells.with_columns(units=pl.lit(None, pl.Float64), profit=pl.lit(None, pl.Float64))
    cells = table.select(
        pl.col(CELL).cast(pl.String), pl.col("price", "expected_units", "expected_profit").cast(pl.Float64)
    )
    of_period = pl.col("visits") / PER_VISITS
    return cells.join(visits.lazy(), on="segment_id", how="left").select(
        *CELL, "price", units=pl.col("expected_units") * of_period, profit=pl.col("expected_profit") * of_period
    )


def _columns(folder: Path) -> set[str]:
    return {f"{name} {dtype}" for name, dtype in scan_prices(folder).collect_schema().items()}


def _sums(side: Compared, end: str) -> pl.DataFrame:
    """Return per product of a version is_, price_, units_, revenue_ and profit_<end>; see Comparison."""
    cells = _period_cells(scan_prices(side.folder), side.visits)
    cells = cells.with_columns(revenue=pl.col("units") * pl.col("price"))
    sums = [pl.when(pl.col(name).count() > 0).then(_sum(pl.col(name))).alias(name) for name in SUMS]
    mean = pl.col("price").mean().round_sig_figs(DIGITS)
    found = collect_prices(cells.group_by("product_id").agg(mean, *sums), side.folder)
    found = _after_vat(found, side.folder)
    return found.select("product_id", pl.lit(True).alias(f"is_{end}"), pl.col("price", *SUMS).name.suffix(f"_{end}"))


def _after_vat(products: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """Return the products with what is left of their revenue after VAT; folder: of the version that they are of."""
    catalog = find_catalog_copy(folder, cs.by_name("product_id", VAT_RATE, require_all=False))
    if catalog is None or VAT_RATE not in catalog.columns:
        return products
    shares = catalog.select(pl.col("product_id").cast(pl.String), net_share(catalog))
    joined = products.join(shares, on="product_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("revenue") * pl.col("net_share")).drop("net_share")


def _moves(cells: pl.DataFrame) -> pl.DataFrame:
    """Return per product the number of prices, how many rose and fell, and the sums of their moves."""
    move = pl.col("after") / pl.col("before") - 1
    is_known = pl.col("units").count() > 0
    return cells.group_by("product_id").agg(
        prices=pl.len().cast(pl.Int64),
        up=(pl.col("after") > pl.col("before")).sum().cast(pl.Int64),
        down=(pl.col("after") < pl.col("before")).sum().cast(pl.Int64),
        move=_sum(move),
        absolute_move=_sum(move.abs()),
        base_revenue=pl.when(is_known).then(_sum(pl.col("units") * pl.col("before"))),
        common_revenue=pl.when(is_known).then(_sum(pl.col("units") * pl.col("after"))),
    )


def _sum(values: pl.Expr) -> pl.Expr:
    """Return the sum with the digits that do not depend on the order of adding up, so that like sides are equal."""
    return values.sum().round_sig_figs(DIGITS)
