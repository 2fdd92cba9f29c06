"""Prices of the published version that people set and that a new version changes without asking them."""

from pathlib import Path

import polars as pl

from gpu_pricer.tables.price_table import collect_prices, scan_prices
from gpu_pricer.tables.version.decisions import CHANGES, OVERRIDE, read_decided


def forgotten_decisions(published: Path, folder: Path, decided: pl.DataFrame) -> str | None:
    """Return a line on the prices that people set in the published version and the one in a folder changes.

    decided: what people decided about the version in the folder, whose products do not count. Both versions are of the
    long layout. A decision is about a proposal: where today's price or a proposed one is another, it does not hold.
    """
    fresh = decided.select("product_id")
    held = read_decided(published).filter(pl.col("decision").is_in(CHANGES)).join(fresh, on="product_id", how="anti")
    if held.is_empty():
        return None
    before, now = (_price_ranges(place, held["product_id"]) for place in (published, folder))
    both = held.join(before, on="product_id").join(now, on="product_id", suffix="_now").sort("product_id")
    moved = both.filter((pl.col("low") != pl.col("low_now")) | (pl.col("high") != pl.col("high_now")))
    if moved.is_empty():
        return None
    first = moved.row(0, named=True)
    did = "set to" if first["decision"] == OVERRIDE else "kept at"
    what = "a price" if moved.height == 1 else f"the prices of {moved.height:,} products"
    return (
        f"{folder} changes {what} that people set in {published.name}, because proposals or today's prices are others "
        f"now, such as {first['product_id']}, which {first['who']} {did} {_range(first, '')} and which now gets "
        f"{_range(first, '_now')}: set lasting prices with policy.overrides, or let people decide with "
        "publish.approval.asks=all"
    )


def _price_ranges(folder: Path, products: pl.Series) -> pl.DataFrame:
    """Return product_id as text and the least and the largest price over segments of some products of a version."""
    price, product = pl.col("price"), pl.col("product_id").cast(pl.String)
    some = scan_prices(folder).filter(product.is_in(products.to_list()))
    return some.group_by(product).agg(low=price.min(), high=price.max()).pipe(collect_prices, folder)


def _range(row: dict[str, object], suffix: str) -> str:
    low, high = row[f"low{suffix}"], row[f"high{suffix}"]
    return f"{low}" if low == high else f"{low} to {high}"
