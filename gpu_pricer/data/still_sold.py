"""Which products in stock are on the shelf now, though few or no sales of the last periods show it.

In the long tail of an assortment most products are on sale all the time and bought once in months. Sales alone cannot
tell such a product from one that has left; its stock can, unless its own sales contradict.
"""

from datetime import date

import polars as pl

LEAST_CHANCE = 0.01
"""Of a silence as long as a product's last one: where it is less likely, the product has left, whatever its stock."""


def in_stock(products: pl.DataFrame, sold: pl.DataFrame, periods: list[date]) -> pl.Series:
    """Return product_id of the products with a stock above 0 whose last silence is no sign that they have left.

    sold: product_id and period of every period in which a product was sold. periods: all of the log, in order.
    If n periods with sales lie anywhere in the T periods after a product's first one, all of them are among the first t
    with probability (t / T)ⁿ (Solow 1993, "Inferring extinction from sighting data").
    """
    number = pl.DataFrame({"period": periods, "number": range(len(periods))})
    seen = sold.join(number, on="period").group_by("product_id").agg(
        first=pl.col("number").min(), last=pl.col("number").max(), times=pl.len()
    )  # fmt: skip
    before, until_now = pl.col("last") - pl.col("first"), len(periods) - 1 - pl.col("first")
    chance = (before / until_now).pow(pl.col("times") - 1).fill_nan(1.0)
    stocked = products.filter(pl.col("stock") > 0).select("product_id")
    return stocked.join(
        seen.filter(chance < LEAST_CHANCE), on="product_id", how="anti", maintain_order="left"
    )["product_id"]  # fmt: skip
