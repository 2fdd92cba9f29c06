"""A list price and the price below it."""

import polars as pl

ROUNDING = 0.01
"""Share of a price by which it may differ from its list price without being a cut, because one of them was rounded."""


def is_cut() -> pl.Expr:
    """Return whether a price is below its list price by more than rounding; null where the list price is not known."""
    return pl.col("price") < pl.col("list_price") * (1 - ROUNDING)


def not_below_price() -> pl.Expr:
    """Return the list price, or the price where the list price is below it; null where it is not known."""
    return pl.when(pl.col("list_price") < pl.col("price")).then("price").otherwise("list_price").alias("list_price")
