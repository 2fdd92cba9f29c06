"""What a product cost lately: the price that shoppers remember when they see today's.

A price that has been high for long deters less than one that rose yesterday (reference price effect: Winer 1986). What
a product cost lately is known before its next price is set, so that utility stays linear in that price.
"""

import polars as pl


def with_recent_price(shelf: pl.DataFrame, memory: int) -> pl.DataFrame:
    """The shelf (product, period_index, price, reference_price) with recent_price, the mean of its last prices.

    Of at most `memory` of them, strictly before the period; the reference price where there was none.
    """
    past = pl.col("price").shift(1).rolling_mean(memory, min_samples=1).over("product", order_by="period_index")
    return shelf.with_columns(recent_price=pl.coalesce(past, "reference_price"))


def last_recent_price(shelf: pl.DataFrame, products: pl.DataFrame, memory: int) -> pl.Series:
    """The recent price of every product of `products` (reference_price) after the last period, in order."""
    recent = shelf.sort("period_index").group_by("product").agg(pl.col("price").tail(memory).mean())
    numbered = products.select("reference_price").with_row_index("product")
    joined = numbered.join(recent, on="product", how="left", maintain_order="left")
    return joined.select(pl.coalesce("price", "reference_price")).to_series()
