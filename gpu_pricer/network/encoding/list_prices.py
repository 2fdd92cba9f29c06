"""Which products have a list price in the log, and not a copy of the price in its place."""

import math

import polars as pl

LEAST_SHARE_CUT = 0.01  # of the prices that have a list price; fewer below it may be errors
LEAST_CUTS = 2  # of a product; a single one may be an error
COPY_ODDS = 3.0  # how much likelier a copy of the price must be than a list price
OF_MARKET = 100.0  # moves of prices in each category that the market's rates count as
FALLS = ("price_falls", "list_price_falls")
USED = ("product_id", "category_id", "period", "price", "list_price", "price_age")


def listed_products(shelf: pl.DataFrame) -> pl.Series:
    """Return the product_id of the products with a list price, sorted.

    At least LEAST_SHARE_CUT of the prices of its category are below list prices, or none has one. Then a product has
    one if at least LEAST_CUTS and LEAST_SHARE_CUT of its own prices are below it. If fewer are, the product may hardly
    ever have been cut, or sold nothing when it was: it has a list price too, unless that is rather a copy of the price.
    Prices fall more often than list prices. A copy is one whose falls are COPY_ODDS times as likely at the rate of the
    prices of the category's products with cuts as at the rate of their list prices (Poisson counts).
    shelf: the columns USED, of which only list_price may be null, where it is not known. Rows count whose price the log
    shows (price_age 0), and that have a list price.
    """
    cuts, list_prices = (pl.col(name).sum().over("category_id") for name in ("cuts", "list_prices"))
    products = _moves(shelf).filter(cuts >= LEAST_SHARE_CUT * list_prices)
    cut = products.filter(pl.col("cuts") >= LEAST_CUTS, pl.col("cuts") >= LEAST_SHARE_CUT * pl.col("list_prices"))
    market = cut.select(((pl.col(name).sum() + 0.5) / (pl.col("moves").sum() + 1)).alias(name) for name in FALLS)
    of_category = [
        ((pl.col(name).sum() + OF_MARKET * market[name][0]) / (pl.col("moves").sum() + OF_MARKET)).alias(f"{name}_rate")
        for name in FALLS
    ]
    rates = cut.group_by("category_id").agg(of_category)
    slow, fast = pl.col("list_price_falls_rate"), pl.max_horizontal(f"{name}_rate" for name in FALLS)
    log_odds = pl.col("list_price_falls") * (fast / slow).log() - pl.col("moves") * (fast - slow)
    told = products.join(rates, on="category_id").filter(log_odds < math.log(COPY_ODDS))
    return pl.concat([cut["product_id"], told["product_id"]]).unique().sort()


def _moves(shelf: pl.DataFrame) -> pl.DataFrame:
    """Return category_id and counts of each product: its list prices, cuts, moves (from price to price), and FALLS."""
    shown = shelf.select(USED).filter(pl.col("price_age") == 0).drop_nulls("list_price").sort("product_id", "period")
    price, list_price = pl.col("price"), pl.col("list_price")
    return shown.group_by("product_id").agg(
        pl.col("category_id").first(),
        list_prices=pl.len(),
        cuts=_is_below(price, list_price).sum(),
        moves=pl.len().cast(pl.Int64) - 1,
        price_falls=_is_below(price, price.shift()).sum(),
        list_price_falls=_is_below(list_price, list_price.shift()).sum(),
    )


def _is_below(price: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Return whether a price is lower than another by more than rounding."""
    return price < other * (1 - 1e-9)
