"""Which share of its list price the assumed cost of a product is."""

from math import nan
from pathlib import Path

import polars as pl

from gpu_pricer.tables.priced_products import is_cost_assumed
from gpu_pricer.tables.vat import VAT_RATE


def assumed_share(catalog: pl.DataFrame, shop_catalog: Path, product_id: object) -> float | None:
    """Return the assumed cost of a product over its list price without VAT, None where the cost is given.

    A product without a list price has its price instead. catalog: what a version was priced from. shop_catalog: the
    file that has the list price where the policy reads none. NaN where neither has the list price of this cost.
    """
    row = catalog.filter(is_cost_assumed(catalog), pl.col("product_id") == product_id)
    if row.is_empty():
        return None
    if "list_price" not in row.columns:
        row = _of_shop(shop_catalog, row)
    if row.is_empty():
        return nan
    rate = (row[VAT_RATE].item() or 0.0) if VAT_RATE in row.columns else 0.0
    return float(row["cost"].item() * (1 + rate) / row.select(pl.coalesce("list_price", "price")).item())


def _of_shop(shop_catalog: Path, row: pl.DataFrame) -> pl.DataFrame:
    """Return a product's row of the catalog with the shop's list price, no row where that is of another cost."""
    if not shop_catalog.is_file() or "list_price" not in pl.read_parquet_schema(shop_catalog):
        return row.clear()
    shop = pl.scan_parquet(shop_catalog).select("product_id", "cost", "list_price")
    return row.join(shop.cast({"product_id": row.schema["product_id"]}).collect(), on=["product_id", "cost"])
