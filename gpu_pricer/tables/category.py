"""Where a product without a category belongs."""

import polars as pl


def category_key() -> pl.Expr:
    """The category a product is chosen from: its own, or `product:<product_id>` where it has none."""
    return pl.coalesce("category_id", "product:" + pl.col("product_id").cast(pl.String)).alias("category_id")
