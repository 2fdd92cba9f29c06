"""The canonical tables, which `prepare` writes and every later job reads, and what their columns say together."""

import dataframely as dy
import polars as pl

from gpu_pricer.tables.schemas.columns import id_column, is_given, is_unique, number_column, share_column, time_column

PROMOTIONS = ("display", "mailer")
"""Context columns that every shelf has, as shares of the stores."""
ASSUMED = "assumed"
COST_SOURCES = ("given", ASSUMED)
"""Whether the shop gave a product's cost, or `prepare` computed it from data.catalog.cost_ratio."""
COST_SHIFTERS = ("cost",)
"""Context columns that move prices but not demand: instruments, never features (Berry 1994)."""
PRICE_GROUP, USUAL, GROUP_NUMBER = "price_group", 0, pl.UInt16
"""The column that says whose prices a user saw, the number of the usual ones, and the type of such numbers."""
CHOICE_COUNT = (
    pl.when(pl.col("product_id").is_not_null()).then("weight").otherwise(1 / pl.col("outside_rate")).cast(pl.Float64)
)
"""How many choices a row of Choices stands for. An occasion without purchase also stands for those left out by
sampling."""
UNIT_COUNT = (pl.col("weight") * pl.col("size") * pl.col("quantity")).cast(pl.Float64)
"""How many units a row of Choices stands for."""


def category_key() -> pl.Expr:
    """Return the category that a product is chosen from: its own, or `product:<product_id>` where it has none."""
    return pl.coalesce("category_id", "product:" + pl.col("product_id").cast(pl.String)).alias("category_id")


def has_unit_price(products: pl.DataFrame) -> pl.Expr:
    """Return whether a product has a unit price: it has unless the column has_unit_price says otherwise."""
    is_told = "has_unit_price" in products.columns
    return pl.col("has_unit_price").fill_null(1.0) > 0 if is_told else pl.lit(True)


class Catalog(dy.Schema):
    """Canonical products: everything that can be priced, with today's price and cost, sorted by product."""

    product_id = id_column("as given")
    category_id = dy.String(nullable=True, description="need group after splitting; null: alone")
    price = dy.Float64(min_exclusive=0, description="today's price")
    list_price = number_column("today's price before discounts", optional=True)
    cost = dy.Float64(min=0, description="unit cost")
    cost_source = dy.Enum(COST_SOURCES, description="where the cost comes from")
    stock = number_column("units that can be sold in one period", optional=True)
    competitor_price = number_column("today's price elsewhere", optional=True)
    availability = dy.Float64(min=0, max=1, description="0: not on the shelf now")
    has_unit_price = share_column("0: sold by weight without a unit price, so it is not priced; null or absent: 1")
    vat_rate = number_column("VAT rate that its price includes; absent: prices without VAT", optional=True)
    launched = time_column("first day on sale, also one to come; null or absent: not known", optional=True)

    product_is_given = is_given("product_id")
    product_is_unique = is_unique("product_id")


class Shelf(dy.Schema):
    """Canonical shelf: one row per product on the shelf in a period, with the one price it had then."""

    period = dy.Date(description="first day of the period")
    category_id = dy.String(description="need group; a product without one is alone in `product:<product_id>`")
    product_id = id_column("as given")
    price = dy.Float64(min_exclusive=0, description="the one price of product and period")
    list_price = number_column("price before discounts, at least the price; null: not known")
    price_age = dy.Int64(
        min=0, description="periods from where a price was seen; never a feature, since it tells of purchases"
    )
    display = dy.Float64(min=0, max=1, description="share of stores that displayed it")
    mailer = dy.Float64(min=0, max=1, description="share of stores that advertised it")

    product_is_given = is_given("product_id")

    @dy.rule()
    def list_price_is_not_below_the_price(cls) -> pl.Expr:
        return pl.col("list_price").is_null() | (pl.col("list_price") >= pl.col("price"))

    @dy.rule()
    def product_is_unique_in_a_period(cls) -> pl.Expr:
        return pl.struct("period", "product_id").is_unique()


class GroupShelf(dy.Schema):
    """Canonical shelf of the price groups: one row per price that differs from the one price of product and period."""

    period = dy.Date(description="first day of the period")
    price_group = dy.UInt16(min=1, description="number of the group in summary.json, from 1")
    product_id = id_column("as given")
    price = dy.Float64(min_exclusive=0, description="the price that the group saw")

    product_is_given = is_given("product_id")

    @dy.rule()
    def product_is_unique_in_a_period_of_a_group(cls) -> pl.Expr:
        return pl.struct("period", "price_group", "product_id").is_unique()


class Choices(dy.Schema):
    """Canonical choices: what one user chose on one occasion; product_id is null where nothing was bought."""

    user_id = id_column("as given")
    period = dy.Date(description="first day of the period")
    category_id = dy.String(description="need group")
    product_id = id_column("the product bought, null: nothing")
    weight = dy.Float32(min_exclusive=0, description="1/n for each of the n products bought on the occasion")
    size = dy.Int32(min=1, description="n, 1 where nothing was bought; a user may have several occasions in a period")
    quantity = dy.Float64(min=0, description="units bought")
    outside_rate = dy.Float32(
        min_exclusive=0,
        max=1,
        description="share of the category's occasions without purchase like this one that was kept",
    )


class Visits(dy.Schema):
    """Canonical visits: one row per user and period in which the user came and any product was on the shelf."""

    user_id = id_column("as given")
    period = dy.Date(description="first day of the period")
    price_group = dy.UInt16(description="whose prices the user saw: number of a group in summary.json, 0: the usual")


class Sales(dy.Schema):
    """Canonical sales: what was sold on each day, also in the period that has begun."""

    day = dy.Date(description="when, on the clock of the store")
    product_id = id_column("as given")
    price = dy.Float64(min_exclusive=0, description="the unit price that was paid")
    units = dy.Float64(min_exclusive=0, description="units sold at this price")
    squared_units = dy.Float64(min_exclusive=0, description="sum over receipts' lines of their squared units")


class Shoppers(dy.Schema):
    """Canonical shoppers: how many users were there on each day."""

    day = dy.Date(primary_key=True, description="when")
    users = dy.Int64(min=1, description="users with a line")


class Categories(dy.Schema):
    """Canonical categories: what turns a choice into purchases and units."""

    category_id = dy.String(primary_key=True, description="need group")
    choices_per_purchase = dy.Float64(min=1, description="mean number of products bought when any is")
    units_per_choice = dy.Float64(min_exclusive=0, description="mean units bought when any product is")


class BegunCategories(dy.Schema):
    """Canonical categories of the period that has begun: what its days so far show of a whole period."""

    category_id = dy.String(primary_key=True, description="need group")
    odds = dy.Float64(min_exclusive=0, description="odds that a visit buys, over those of a whole period")
    units = dy.Float64(min_exclusive=0, description="units per choice, over those of a whole period")
