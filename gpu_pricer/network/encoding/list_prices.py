"""Of which products the log tells the list price, from which temporary cuts are taken."""

import polars as pl

LEAST_CUTS = 0.01  # share of a category's prices that are cut, so that its list prices are told; fewer may be errors
DIGITS = 9  # prices that are equal in so many are equal but for rounding
USED = ("product_id", "category_id", "period", "price", "list_price", "price_age")


def listed_products(shelf: pl.DataFrame) -> pl.Series:
    """Return the product_id of the products whose list price is told, sorted.

    It is told of a product some price of which is below it. It is also told where other products of the category show
    such cuts, since a product without one may never have been cut, or sold nothing when it was. But a list price that
    falls and rises again to a former one, always with the price, is a copy of the price.
    shelf: USED, list_price null where it is not known; of each product those periods count that show the price.
    """
    shown = shelf.select(USED).filter(pl.col("price_age") == 0).sort("product_id", "period")
    shown = shown.with_columns(pl.col("price", "list_price").round_sig_figs(DIGITS))
    shown = shown.with_columns(is_cut=(pl.col("price") < pl.col("list_price")).fill_null(False))
    regular = pl.coalesce("list_price", "price")
    rises = regular > regular.shift().over("product_id")
    is_known_before = ~pl.struct("product_id", regular).is_first_distinct()
    of_product = shown.with_columns(
        returns=rises & is_known_before,
        in_listed_category=pl.col("is_cut").mean().over("category_id") >= LEAST_CUTS,
    ).group_by("product_id")
    found = of_product.agg(
        is_cut=pl.col("is_cut").any(),
        is_told=pl.col("in_listed_category").all() & (pl.col("list_price").count() > 0) & ~pl.col("returns").any(),
    )
    return found.filter(pl.col("is_cut") | pl.col("is_told"))["product_id"].sort()
