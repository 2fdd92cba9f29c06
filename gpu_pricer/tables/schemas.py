"""Every table as a class: the input tables that a user brings, and the canonical tables that `prepare` writes.

A rule's name is the statement that must hold. Columns marked `optional` may be absent from an input table.
Columns marked `id` hold integers or strings, which are written as they were read.
"""

from typing import Any

import dataframely as dy
import polars as pl

PROMOTIONS = ("display", "mailer")
"""Context columns that every shelf has, as shares of the stores."""
COST_SOURCES = ("given", "assumed")
"""Whether the shop gave a product's cost, or `prepare` computed it from data.catalog.cost_ratio."""
COST_SHIFTERS = ("cost",)
"""Context columns that move prices but not demand: instruments, never features (Berry 1994)."""
CHOICE_COUNT = (
    pl.when(pl.col("product_id").is_not_null()).then("weight").otherwise(1 / pl.col("outside_rate")).cast(pl.Float64)
)
"""How many choices a row of Choices stands for. An occasion without purchase also stands for those left out by
sampling."""
UNIT_COUNT = (pl.col("weight") * pl.col("size") * pl.col("quantity")).cast(pl.Float64)
"""How many units a row of Choices stands for."""
STRUCTURAL_RULES = frozenset({"product_is_unique", "user_is_unique"})
"""Rules whose breach refuses the whole table, because nothing says which of the repeated rows to set aside."""


def category_key() -> pl.Expr:
    """Return the category that a product is chosen from: its own, or `product:<product_id>` where it has none."""
    return pl.coalesce("category_id", "product:" + pl.col("product_id").cast(pl.String)).alias("category_id")


def has_unit_price(products: pl.DataFrame) -> pl.Expr:
    """Return whether a product has a unit price: it has unless the column has_unit_price says otherwise."""
    is_told = "has_unit_price" in products.columns
    return pl.col("has_unit_price").fill_null(1.0) > 0 if is_told else pl.lit(True)


def _id(description: str) -> dy.Any:
    metadata: dict[str, Any] = {"id": True}
    return dy.Any(description=description, metadata=metadata)


def _time(description: str) -> dy.Datetime:
    return dy.Datetime(nullable=True, time_unit="us", description=description)


def _number(description: str, optional: bool = False) -> dy.Float64:
    return dy.Float64(
        nullable=True,
        allow_inf=True,
        allow_nan=True,
        description=description,
        metadata={"optional": optional},
    )


def _fraction(description: str) -> dy.Float64:
    """Return an optional share from 0 to 1, which may also be said by true and false."""
    metadata = {"optional": True, "flag": True}
    return dy.Float64(nullable=True, allow_inf=True, allow_nan=True, description=description, metadata=metadata)


def _given(column: str) -> Any:
    return dy.rule()(lambda cls: pl.col(column).is_not_null())


def _flag_where_given(column: str) -> Any:
    return dy.rule()(lambda cls: pl.col(column).is_in([0.0, 1.0]))


def _unique(column: str) -> Any:
    return dy.rule()(lambda cls: pl.col(column).is_unique() | pl.col(column).is_null())


def _positive(column: str) -> Any:
    return dy.rule()(lambda cls: (pl.col(column).is_finite() & (pl.col(column) > 0)).fill_null(False))


def _positive_where_given(column: str) -> Any:
    return dy.rule()(lambda cls: pl.col(column).is_finite() & (pl.col(column) > 0))


def _not_negative(column: str) -> Any:
    return dy.rule()(lambda cls: (pl.col(column).is_finite() & (pl.col(column) >= 0)).fill_null(False))


def _not_negative_where_given(column: str) -> Any:
    return dy.rule()(lambda cls: pl.col(column).is_finite() & (pl.col(column) >= 0))


def _share(column: str) -> Any:
    return dy.rule()(lambda cls: pl.col(column).is_between(0, 1))


class Transactions(dy.Schema):
    """One row per line of a receipt."""

    user_id = _id("who bought")
    product_id = _id("what was bought")
    time = _time("when: Date or Datetime, on the clock of the store")
    quantity = _number("units, above 0")
    price = _number("unit price paid, above 0")
    list_price = _number("unit price before discounts", optional=True)
    net_weight = _number("weight of the line; quantity and prices are then taken per unit of weight", optional=True)

    user_is_given = _given("user_id")
    product_is_given = _given("product_id")
    time_is_given = _given("time")
    quantity_is_positive = _positive("quantity")
    price_is_positive = _positive("price")
    list_price_is_positive = _positive_where_given("list_price")
    net_weight_is_positive = _positive_where_given("net_weight")

    @dy.rule()
    def net_weight_is_given_on_all_lines_of_a_product_or_none(cls) -> pl.Expr:
        is_given = pl.col("net_weight").is_not_null()
        return is_given | ~is_given.any().over("product_id")


class Products(dy.Schema):
    """One row per product; any further column is an attribute."""

    product_id = _id("unique")
    category_id = dy.String(nullable=True, description="need group of products that replace each other; null: alone")
    price = _number("today's price; null or absent: the last honest price in the sales", optional=True)
    list_price = _number("today's price before discounts", optional=True)
    cost = _number("unit cost; null or absent: assumed from a configured ratio", optional=True)
    stock = _number("units that can be sold in one period", optional=True)
    competitor_price = _number("today's price elsewhere", optional=True)
    availability = _fraction("share of visits that find it on the shelf, 0 to 1")
    has_unit_price = _fraction(
        "false: its lines hold what was spent, not a price; null or absent: found from the sales"
    )
    vat_rate = _number("VAT rate, such as 0.19; counts where prices include VAT", optional=True)

    product_is_given = _given("product_id")
    product_is_unique = _unique("product_id")
    price_is_positive = _positive_where_given("price")
    list_price_is_positive = _positive_where_given("list_price")
    cost_is_not_negative = _not_negative_where_given("cost")
    stock_is_not_negative = _not_negative_where_given("stock")
    competitor_price_is_positive = _positive_where_given("competitor_price")
    availability_is_a_share = _share("availability")
    has_unit_price_is_true_or_false = _flag_where_given("has_unit_price")


class Events(dy.Schema):
    """One row per change of a product, null where a value stays; any further column is one that the policy reads."""

    product_id = _id("whose row changes; a new one needs price and cost")
    category_id = dy.String(nullable=True, description="need group of a new product", metadata={"optional": True})
    price = _number("today's price", optional=True)
    list_price = _number("today's price before discounts", optional=True)
    cost = _number("unit cost", optional=True)
    stock = _number("units that can be sold in one period", optional=True)
    competitor_price = _number("today's price elsewhere", optional=True)
    availability = _fraction("share of visits that find it on the shelf, 0 to 1")
    vat_rate = _number("VAT rate, where the catalog's prices include VAT", optional=True)
    withdrawn = _fraction("true: it is no longer sold; false: it is again")

    product_is_given = _given("product_id")
    price_is_positive = _positive_where_given("price")
    list_price_is_positive = _positive_where_given("list_price")
    cost_is_not_negative = _not_negative_where_given("cost")
    stock_is_not_negative = _not_negative_where_given("stock")
    competitor_price_is_positive = _positive_where_given("competitor_price")
    availability_is_a_share = _share("availability")
    withdrawn_is_true_or_false = _flag_where_given("withdrawn")


class Users(dy.Schema):
    """One row per user; any further column is an attribute."""

    user_id = _id("unique")

    user_is_given = _given("user_id")
    user_is_unique = _unique("user_id")


class Offers(dy.Schema):
    """One row per product that a user saw on an occasion; any further numeric column is context."""

    occasion_id = _id("one look at the shelf by one user")
    user_id = _id("who looked")
    product_id = _id("what was on offer")
    time = _time("when: Date or Datetime")
    price = _number("unit price shown, above 0")
    quantity = _number("units bought; 0: seen and not bought")
    list_price = _number("unit price before discounts", optional=True)
    weight = _number("inverse sampling rate of the occasion; null or absent: 1", optional=True)
    display = _fraction("share of stores that displayed it, 0 to 1")
    mailer = _fraction("share of stores that advertised it, 0 to 1")

    occasion_is_given = _given("occasion_id")
    user_is_given = _given("user_id")
    product_is_given = _given("product_id")
    time_is_given = _given("time")
    price_is_positive = _positive("price")
    quantity_is_not_negative = _not_negative("quantity")
    list_price_is_positive = _positive_where_given("list_price")
    weight_is_positive = _positive_where_given("weight")
    display_is_a_share = _share("display")
    mailer_is_a_share = _share("mailer")


class OffersToPredict(dy.Schema):
    """One row per product that a user sees on an occasion; any further column goes through, context is read."""

    occasion_id = _id("one look at the shelf by one user")
    user_id = _id("who looks")
    product_id = _id("what is on offer")
    time = _time("when: Date or Datetime")
    price = _number("unit price shown, above 0")

    occasion_is_given = _given("occasion_id")
    user_is_given = _given("user_id")
    product_is_given = _given("product_id")
    time_is_given = _given("time")
    price_is_positive = _positive("price")


class LinesToAssign(dy.Schema):
    """One row per line of a receipt of a user to be put into a segment."""

    user_id = _id("who bought")
    product_id = _id("what was bought")
    time = _time("when: Date or Datetime")

    user_is_given = _given("user_id")
    product_is_given = _given("product_id")
    time_is_given = _given("time")


class Context(dy.Schema):
    """One row per product and time: what else moved demand; any further numeric column is context too."""

    product_id = _id("the product")
    time = _time("when it applied: Date or Datetime")
    display = _fraction("share of stores that displayed it, 0 to 1")
    mailer = _fraction("share of stores that advertised it, 0 to 1")
    competitor_price = _number("unit price elsewhere", optional=True)
    cost = _number("unit cost then: tells price moves that answer demand from those that do not", optional=True)

    product_is_given = _given("product_id")
    time_is_given = _given("time")
    display_is_a_share = _share("display")
    mailer_is_a_share = _share("mailer")
    competitor_price_is_positive = _positive_where_given("competitor_price")
    cost_is_positive = _positive_where_given("cost")


class Catalog(dy.Schema):
    """Canonical products: everything that can be priced, with today's price and cost, sorted by product."""

    product_id = _id("as given")
    category_id = dy.String(nullable=True, description="need group after splitting; null: alone")
    price = dy.Float64(min_exclusive=0, description="today's price")
    list_price = _number("today's price before discounts", optional=True)
    cost = dy.Float64(min=0, description="unit cost")
    cost_source = dy.Enum(COST_SOURCES, description="where the cost comes from")
    stock = _number("units that can be sold in one period", optional=True)
    competitor_price = _number("today's price elsewhere", optional=True)
    availability = dy.Float64(min=0, max=1, description="0: not on the shelf now")
    has_unit_price = _fraction("0: sold by weight without a unit price, so it is not priced; null or absent: 1")
    vat_rate = _number("VAT rate that its price includes; absent: prices without VAT", optional=True)

    product_is_given = _given("product_id")
    product_is_unique = _unique("product_id")


class Shelf(dy.Schema):
    """Canonical shelf: one row per product on the shelf in a period, with the one price it had then."""

    period = dy.Date(description="first day of the period")
    category_id = dy.String(description="need group; a product without one is alone in `product:<product_id>`")
    product_id = _id("as given")
    price = dy.Float64(min_exclusive=0, description="the one price of product and period")
    list_price = _number("price before discounts")
    price_age = dy.Int64(
        min=0, description="periods since a price was seen; never a feature, since it tells of purchases"
    )
    display = dy.Float64(min=0, max=1, description="share of stores that displayed it")
    mailer = dy.Float64(min=0, max=1, description="share of stores that advertised it")

    product_is_given = _given("product_id")

    @dy.rule()
    def product_is_unique_in_a_period(cls) -> pl.Expr:
        return pl.struct("period", "product_id").is_unique()


class Choices(dy.Schema):
    """Canonical choices: what one user chose on one occasion; product_id is null where nothing was bought."""

    user_id = _id("as given")
    period = dy.Date(description="first day of the period")
    category_id = dy.String(description="need group")
    product_id = _id("the product bought, null: nothing")
    weight = dy.Float32(min_exclusive=0, description="1/n for each of the n products bought on the occasion")
    size = dy.Int32(min=1, description="n, 1 where nothing was bought; a user may have several occasions in a period")
    quantity = dy.Float64(min=0, description="units bought")
    outside_rate = dy.Float32(
        min_exclusive=0,
        max=1,
        description="share of the category's occasions without purchase that were kept",
    )


class Visits(dy.Schema):
    """Canonical visits: one row per user and period in which the user came."""

    user_id = _id("as given")
    period = dy.Date(description="first day of the period")


class Sales(dy.Schema):
    """Canonical sales: what was sold on each day, also in the period that has begun."""

    day = dy.Date(description="when, on the clock of the store")
    product_id = _id("as given")
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
