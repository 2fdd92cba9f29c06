"""The tables that a user brings."""

import dataframely as dy
import polars as pl

from gpu_pricer.tables.schemas.columns import (
    group_column,
    id_column,
    is_flag_where_given,
    is_given,
    is_not_negative,
    is_not_negative_where_given,
    is_positive,
    is_positive_where_given,
    is_share,
    is_unique,
    number_column,
    share_column,
    time_column,
)


class Transactions(dy.Schema):
    """One row per line of a receipt."""

    user_id = id_column("who bought; null: a guest")
    product_id = id_column("what was bought")
    time = time_column("when: Date or Datetime, on the clock of the store")
    quantity = number_column("units, above 0")
    price = number_column("unit price paid, above 0")
    list_price = number_column("unit price before discounts", optional=True)
    net_weight = number_column(
        "weight of the line; quantity and prices are then taken per unit of weight", optional=True
    )
    price_group = group_column()
    receipt = id_column("of a guest: lines of one receipt and time are one visit", optional=True)

    product_is_given = is_given("product_id")
    time_is_given = is_given("time")
    quantity_is_positive = is_positive("quantity")
    price_is_positive = is_positive("price")
    list_price_is_positive = is_positive_where_given("list_price")
    net_weight_is_positive = is_positive_where_given("net_weight")

    @dy.rule()
    def net_weight_is_given_on_all_lines_of_a_product_or_none(cls) -> pl.Expr:
        """Return whether a line is like most lines of its product: only those that are not are set aside."""
        has_weight = pl.col("net_weight").is_not_null()
        return has_weight == (has_weight.mean() >= 0.5).over("product_id")


class Products(dy.Schema):
    """One row per product; any further column is an attribute."""

    product_id = id_column("unique")
    category_id = dy.String(nullable=True, description="need group of products that replace each other; null: alone")
    price = number_column("today's price; null or absent: the last honest price in the sales", optional=True)
    list_price = number_column("today's price before discounts", optional=True)
    cost = number_column("unit cost; null or absent: assumed from a configured ratio", optional=True)
    stock = number_column("units that can be sold in one period", optional=True)
    competitor_price = number_column("today's price elsewhere", optional=True)
    availability = share_column("share of visits that find it on the shelf, 0 to 1")
    has_unit_price = share_column(
        "false: its lines hold what was spent, not a price; null or absent: found from the sales"
    )
    vat_rate = number_column("VAT rate, such as 0.19; counts where prices include VAT", optional=True)
    launched = time_column("first day on sale, also one to come; null or absent: as the sales show", optional=True)

    product_is_given = is_given("product_id")
    product_is_unique = is_unique("product_id")
    price_is_positive = is_positive_where_given("price")
    list_price_is_positive = is_positive_where_given("list_price")
    cost_is_not_negative = is_not_negative_where_given("cost")
    stock_is_not_negative = is_not_negative_where_given("stock")
    competitor_price_is_positive = is_positive_where_given("competitor_price")
    availability_is_a_share = is_share("availability")
    has_unit_price_is_true_or_false = is_flag_where_given("has_unit_price")


class Events(dy.Schema):
    """One row per change of a product, null where a value stays; any further column is one that the policy reads."""

    product_id = id_column("whose row changes; a new one needs price and cost")
    category_id = dy.String(nullable=True, description="need group of a new product", metadata={"optional": True})
    price = number_column("today's price", optional=True)
    list_price = number_column("today's price before discounts", optional=True)
    cost = number_column("unit cost", optional=True)
    stock = number_column("units that can be sold in one period", optional=True)
    competitor_price = number_column("today's price elsewhere", optional=True)
    availability = share_column("share of visits that find it on the shelf, 0 to 1")
    vat_rate = number_column("VAT rate, where the catalog's prices include VAT", optional=True)
    withdrawn = share_column("true: it is no longer sold; false: it is again")

    product_is_given = is_given("product_id")
    price_is_positive = is_positive_where_given("price")
    list_price_is_positive = is_positive_where_given("list_price")
    cost_is_not_negative = is_not_negative_where_given("cost")
    stock_is_not_negative = is_not_negative_where_given("stock")
    competitor_price_is_positive = is_positive_where_given("competitor_price")
    availability_is_a_share = is_share("availability")
    withdrawn_is_true_or_false = is_flag_where_given("withdrawn")


class Users(dy.Schema):
    """One row per user; any further column is an attribute."""

    user_id = id_column("unique")

    user_is_given = is_given("user_id")
    user_is_unique = is_unique("user_id")


class Offers(dy.Schema):
    """One row per product that a user saw on an occasion; any further numeric column is context."""

    occasion_id = id_column("one look at the shelf by one user")
    user_id = id_column("who looked")
    product_id = id_column("what was on offer")
    time = time_column("when: Date or Datetime")
    price = number_column("unit price shown, above 0")
    quantity = number_column("units bought; 0: seen and not bought")
    list_price = number_column("unit price before discounts", optional=True)
    weight = number_column("inverse sampling rate of the occasion; null or absent: 1", optional=True)
    price_group = group_column()
    display = share_column("share of stores that displayed it, 0 to 1")
    mailer = share_column("share of stores that advertised it, 0 to 1")

    occasion_is_given = is_given("occasion_id")
    user_is_given = is_given("user_id")
    product_is_given = is_given("product_id")
    time_is_given = is_given("time")
    price_is_positive = is_positive("price")
    quantity_is_not_negative = is_not_negative("quantity")
    list_price_is_positive = is_positive_where_given("list_price")
    weight_is_positive = is_positive_where_given("weight")
    display_is_a_share = is_share("display")
    mailer_is_a_share = is_share("mailer")


class OffersToPredict(dy.Schema):
    """One row per product that a user sees on an occasion; any further column goes through, context is read."""

    occasion_id = id_column("one look at the shelf by one user")
    user_id = id_column("who looks")
    product_id = id_column("what is on offer")
    time = time_column("when: Date or Datetime")
    price = number_column("unit price shown, above 0")

    occasion_is_given = is_given("occasion_id")
    user_is_given = is_given("user_id")
    product_is_given = is_given("product_id")
    time_is_given = is_given("time")
    price_is_positive = is_positive("price")


class LinesToAssign(dy.Schema):
    """One row per line of a receipt of a user to be put into a segment."""

    user_id = id_column("who bought")
    product_id = id_column("what was bought")
    time = time_column("when: Date or Datetime")

    user_is_given = is_given("user_id")
    product_is_given = is_given("product_id")
    time_is_given = is_given("time")


class Context(dy.Schema):
    """One row per product and time: what else moved demand; any further numeric column is context too."""

    product_id = id_column("the product")
    time = time_column("when it applied: Date or Datetime")
    display = share_column("share of stores that displayed it, 0 to 1")
    mailer = share_column("share of stores that advertised it, 0 to 1")
    competitor_price = number_column("unit price elsewhere", optional=True)
    cost = number_column("unit cost then: tells price moves that answer demand from those that do not", optional=True)

    product_is_given = is_given("product_id")
    time_is_given = is_given("time")
    display_is_a_share = is_share("display")
    mailer_is_a_share = is_share("mailer")
    competitor_price_is_positive = is_positive_where_given("competitor_price")
    cost_is_positive = is_positive_where_given("cost")


class GroupPrices(dy.Schema):
    """One row per change of a product's price in a price group, which stays until the next one."""

    price_group = id_column("a group of users who see the same prices")
    product_id = id_column("the product")
    time = time_column("from when the price holds: Date or Datetime, on the clock of the store")
    price = number_column("unit price in this group, above 0")

    price_group_is_given = is_given("price_group")
    product_is_given = is_given("product_id")
    time_is_given = is_given("time")
    price_is_positive = is_positive("price")
