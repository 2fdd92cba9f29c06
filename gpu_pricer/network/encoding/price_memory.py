"""The recent price of a product: the mean of its last prices, which shoppers remember when they see today's.

A price that has been high for long deters less than a price that rose yesterday (reference price effect: Winer 1986).
The recent price is known before the next price is set, so utility stays linear in the next price.
"""

import polars as pl


def with_recent_price(shelf: pl.DataFrame, memory: int) -> pl.DataFrame:
    """Return the shelf (product, period_index, price, reference_price) with the column recent_price.

    recent_price is the mean of the product's last `memory` prices strictly before the period, or of as many as there
    are, and the reference price where there is none.
    """
    past = pl.col("price").shift(1).rolling_mean(memory, min_samples=1).over("product", order_by="period_index")
    return shelf.with_columns(recent_price=pl.coalesce(past, "reference_price"))


def last_recent_price(shelf: pl.DataFrame, products: pl.DataFrame, memory: int) -> pl.Series:
    """Return the recent price after the last period of every product of `products` (reference_price), [P] in order.

    shelf: product (its row in products), period_index, price.
    """
    recent = shelf.sort("period_index").group_by("product").agg(pl.col("price").tail(memory).mean())
    numbered = products.select("reference_price").with_row_index("product")
    joined = numbered.join(recent, on="product", how="left", maintain_order="left")
    return joined.select(pl.coalesce("price", "reference_price")).to_series()
