"""The limits per product in a version's record: what stock can serve of the demand that the price table states."""

from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.errors import readable
from gpu_pricer.tables.price_table import RESTORE

STOCK_PRICES = "stock_prices.parquet"
"""A row per product with a limit: product_id, limit, units (asked for), rationed (the part that stock cannot serve), in
units of a period, and shadow_price, what one more unit would earn, in currency."""


def read_unit_limits(record: Path) -> pl.DataFrame | None:
    """Return product_id and limit of the products with a limit in a version's record, None where none was set."""
    path = record / STOCK_PRICES
    if not path.is_file():
        return None
    with readable(path, RESTORE):
        return pl.read_parquet(path, columns=["product_id", "limit"])


def unit_limits_of(record: Path, product_id: pl.Series) -> np.ndarray:
    """Return the limits per product [P] in a version's record, infinite where it has none."""
    limits = read_unit_limits(record)
    if limits is None:
        return np.full(len(product_id), np.inf)
    joined = product_id.to_frame("product_id").join(limits, on="product_id", how="left", maintain_order="left")
    return joined["limit"].fill_null(np.inf).to_numpy()


def read_rationed(record: Path, products: pl.Series) -> tuple[float, float] | None:
    """Return the units of a period that are asked for of one product, and those that its stock cannot serve.

    products [1]: its id, in the catalog's type. None where its stock serves all, or where it has no limit.
    """
    path = record / STOCK_PRICES
    if not path.is_file():
        return None
    with readable(path, RESTORE):
        table = pl.read_parquet(path, columns=["product_id", "units", "rationed"])
    found = table.filter(pl.col("product_id").is_in(products.implode()), pl.col("rationed") > 0)
    return (found["units"][0], found["rationed"][0]) if found.height else None


def served_share(units: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Return the share [P] of the units [P] asked for that stock can serve; limit [P]: infinite without a limit."""
    return np.divide(limit, units, where=units > limit, out=np.ones(len(units)))


def with_served_share(products: pl.DataFrame, limits: pl.DataFrame | None, units: str = "units") -> pl.DataFrame:
    """Return the products with the column `served`: the share of the column `units` that stock can serve.

    The same share of every segment's units is served. limits: see read_unit_limits.
    """
    if limits is None:
        return products.with_columns(served=pl.lit(1.0))
    found = products.join(limits.select("product_id", "limit"), on="product_id", how="left", maintain_order="left")
    limit = found["limit"].fill_null(np.inf).to_numpy()
    return found.with_columns(served=served_share(found[units].to_numpy(), limit)).drop("limit")
