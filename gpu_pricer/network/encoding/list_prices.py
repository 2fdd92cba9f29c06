"""Which products have a list price in the log, and not a copy of the price in its place."""

import math

import polars as pl
from scipy.stats import poisson

from gpu_pricer.tables.list_price import is_cut

LEAST_CUTS = 2  # a single one may be an error
LEAST_SHARE_CUT = 0.01  # of the prices that have a list price; fewer below it may be errors
BY_CHANCE = 0.001  # probability of as many cuts by errors that fall on all products alike
COPY_ODDS = 3.0  # how much likelier a copy of the price must be than a list price
OF_MARKET = 100.0  # moves of prices in each category that the market's rates count as
FALLS = ("price_falls", "list_price_falls")
USED = ("product_id", "category_id", "period", "price", "list_price", "price_age")


def listed_products(shelf: pl.DataFrame) -> pl.Series:
    """Return the product_id of the products with a list price, sorted.

    In a category of which at least LEAST_CUTS and LEAST_SHARE_CUT of the prices are below list prices, a product has a
    list price if as many of its own are. If fewer are, it may hardly ever have been cut, or sold nothing when it was:
    it has a list price too, unless that is rather a copy of the price. Prices fall more often than list prices. A copy
    is one whose falls are COPY_ODDS times as likely at the rate of the prices of the category's products with cuts as
    at the rate of their list prices (Poisson counts). In other categories a product has a list price if it has
    LEAST_CUTS, and more than errors bring about: at their share of all prices, so many are less likely than BY_CHANCE.
    shelf: the columns USED, of which only list_price may be null, where it is not known. Rows count whose price the log
    shows (price_age 0), and that have a list price; of a product that never has one, the price stands for it.
    """
    products = _moves(shelf)
    cuts, prices = (products[name].to_numpy() for name in ("cuts", "list_prices"))
    products = products.with_columns(
        by_chance=pl.Series(poisson.sf(cuts - 1.0, prices * (cuts.sum() / max(prices.sum(), 1)))),
        is_told=_are_enough(pl.col("cuts").sum(), pl.col("list_prices").sum()).over("category_id"),
    )
    cut = products.filter("is_told", pl.col("cuts") > 0)
    market = cut.select(((pl.col(name).sum() + 0.5) / (pl.col("moves").sum() + 1)).alias(name) for name in FALLS)
    of_category = [
        ((pl.col(name).sum() + OF_MARKET * market[name][0]) / (pl.col("moves").sum() + OF_MARKET)).alias(f"{name}_rate")
        for name in FALLS
    ]
    rates = cut.group_by("category_id").agg(of_category)
    slow, fast = pl.col("list_price_falls_rate"), pl.max_horizontal(f"{name}_rate" for name in FALLS)
    log_odds = pl.col("list_price_falls") * (fast / slow).log() - pl.col("moves") * (fast - slow)
    told = products.join(rates, on="category_id").filter("is_told", log_odds < math.log(COPY_ODDS))
    is_own = (pl.col("cuts") >= LEAST_CUTS) & (pl.col("by_chance") < BY_CHANCE)
    is_own |= pl.col("is_told") & _are_enough(pl.col("cuts"), pl.col("list_prices"))
    return pl.concat([products.filter(is_own)["product_id"], told["product_id"]]).unique().sort()


def _are_enough(cuts: pl.Expr, prices: pl.Expr) -> pl.Expr:
    """Return whether cuts are so many that they are hardly errors."""
    return (cuts >= LEAST_CUTS) & (cuts >= LEAST_SHARE_CUT * prices)


def _moves(shelf: pl.DataFrame) -> pl.DataFrame:
    """Return category_id and counts of each product: its list prices, cuts, moves (from price to price), and FALLS."""
    shown = shelf.select(USED).filter(pl.col("price_age") == 0).sort("product_id", "period")
    is_never = pl.col("list_price").is_null().all().over("product_id")
    shown = shown.with_columns(list_price=pl.when(is_never).then("price").otherwise("list_price"))
    shown = shown.drop_nulls("list_price")
    price, list_price = pl.col("price"), pl.col("list_price")
    return shown.group_by("product_id").agg(
        pl.col("category_id").first(),
        list_prices=pl.len(),
        cuts=is_cut().sum(),
        moves=pl.len().cast(pl.Int64) - 1,
        price_falls=_is_below(price, price.shift()).sum(),
        list_price_falls=_is_below(list_price, list_price.shift()).sum(),
    )


def _is_below(price: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Return whether a price is lower than another by more than rounding."""
    return price < other * (1 - 1e-9)
