"""What was sold on each day at which price, and how many came: what promises of earlier prices are compared with."""

import polars as pl


def daily_sales(sales: pl.DataFrame) -> pl.DataFrame:
    """Return the canonical sales, sorted: the units of a day, a product and the price that was paid.

    sales: product_id, time, price, quantity; lines without units, as of an offers table, do not count.
    """
    sold = sales.filter(pl.col("quantity") > 0)
    units = pl.col("quantity").cast(pl.Float64)
    key = (pl.col("time").dt.date().alias("day"), "product_id", pl.col("price").cast(pl.Float64))
    found = sold.group_by(*key, maintain_order=True).agg(units=units.sum(), squared_units=(units**2).sum())
    return found.sort("day", "product_id", "price")


def daily_shoppers(sales: pl.DataFrame) -> pl.DataFrame:
    """Return the canonical shoppers, sorted: day and users, the number of those who were in the shop."""
    users = pl.col("user_id").n_unique().cast(pl.Int64)
    return sales.group_by(pl.col("time").dt.date().alias("day")).agg(users=users).sort("day")
