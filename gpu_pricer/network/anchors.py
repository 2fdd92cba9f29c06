"""What shoppers compare a price with: the product's usual price, its list price and what it cost lately.

All three are known before a price is set, so that utility stays linear in the price: of b_k (x / anchor_k − 1), summed
over the anchors, a single sensitivity per product and period remains. That a price which has been high for long deters
less than one that rose yesterday is the reference price effect (Winer 1986).
"""

import polars as pl

ANCHORS = ("reference_price", "list_price", "recent_price")


def with_anchors(shelf: pl.DataFrame, memory: int) -> pl.DataFrame:
    """The shelf (product, period_index, price, list_price) with recent_price: the mean of its last `memory` prices.

    Strictly before the period; null at first.
    """
    past = pl.col("price").shift(1).rolling_mean(memory, min_samples=1).over("product", order_by="period_index")
    return shelf.with_columns(recent_price=past)


def last_anchors(shelf: pl.DataFrame, products: pl.DataFrame, memory: int) -> pl.DataFrame:
    """The anchors of every product of `products` (reference_price, list_price) after the last period, in order."""
    recent = (
        shelf.sort("period_index").group_by("product").agg(pl.col("price").tail(memory).mean().alias("recent_price"))
    )
    numbered = products.select("reference_price", "list_price").with_row_index("product")
    return numbered.join(recent, on="product", how="left", maintain_order="left").select(ANCHORS)
