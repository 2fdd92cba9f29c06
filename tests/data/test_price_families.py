"""Columns by which products have one price, as sizes of a style, are told from those that only group products."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from gpu_pricer.data.intake.price_families import LEAST_FAMILIES, PriceFamilies, price_families
from gpu_pricer.tables.periods import Period

WEEK = Period("1w")


def price_of(style):
    """Prices of up to 97 styles, all different and in no order."""
    return 10.0 + 41 * style % 97


def sizes(styles=12, each=3, categories=2, price=True):
    """Products of styles with sizes, whose prices are those of their style; each category has several styles."""
    style = [number for number in range(styles) for _ in range(each)]
    products = pl.DataFrame({"product_id": range(len(style)), "style": [f"st{number}" for number in style],
                             "category_id": [f"c{number % categories}" for number in style],
                             "size": [f"z{place % each}" for place in range(len(style))],
                             "price": [price_of(number) for number in style]})  # fmt: skip
    return products if price else products.with_columns(price=pl.lit(None, pl.Float64))


def sold(products, apart=()):
    """Two sales of each product in each of three weeks, at its style's price; of some products 10 % below it."""
    start = datetime(2025, 1, 6)
    days = pl.DataFrame({"time": [start + timedelta(days=day) for day in (0, 3, 7, 10, 14, 17)]})
    own = price_of(pl.col("style").str.strip_prefix("st").cast(pl.Float64))
    cut = pl.when(pl.col("product_id").is_in(list(apart))).then(0.9).otherwise(1.0)
    return products.join(days, how="cross").select("product_id", "time", price=own * cut)


NO_SALES = sold(sizes()).clear()


@pytest.mark.parametrize("price", [True, False])
def test_a_column_whose_products_have_one_price_is_found_by_stated_prices_or_those_of_sales(price):
    products = sizes(price=price)

    assert price_families(products, sold(products), WEEK) == PriceFamilies("style", 12, 36, 1.0)


@pytest.mark.parametrize(("apart", "is_found"), [(2, True), (3, False)])
def test_nine_of_ten_prices_must_agree(apart, is_found):
    products = sizes(styles=20)
    is_apart = pl.col("product_id").is_in([3 * style for style in range(apart)])
    unlike = products.with_columns(price=pl.when(is_apart).then(1.0).otherwise("price"))

    assert (price_families(unlike, NO_SALES, WEEK) is not None) == is_found
    of_sales = products.with_columns(price=pl.lit(None, pl.Float64))
    lines = sold(products, [3 * style for style in range(apart)])
    assert (price_families(of_sales, lines, WEEK) is not None) == is_found


@pytest.mark.parametrize(("stated", "is_found"), [(18, False), (17, True)])
def test_stated_prices_count_where_half_of_the_products_have_one(stated, is_found):
    """The stated prices differ inside styles, those of sales do not."""
    products = sizes().with_columns(price=pl.when(pl.col("product_id") < stated).then(1.0 + pl.col("product_id")))

    assert (price_families(products, sold(products), WEEK) is not None) == is_found


@pytest.mark.parametrize(("cents", "is_found"), [(0.009, True), (0.011, False)])
def test_prices_that_differ_by_a_hundredth_agree(cents, is_found):
    products = sizes().with_columns(price=pl.col("price") * (1 + cents * (pl.col("product_id") % 3 == 0)))

    assert (price_families(products, NO_SALES, WEEK) is not None) == is_found


@pytest.mark.parametrize(("styles", "is_found"), [(LEAST_FAMILIES, True), (LEAST_FAMILIES - 1, False)])
def test_a_few_families_may_agree_by_chance(styles, is_found):
    assert (price_families(sizes(styles), NO_SALES, WEEK) is not None) == is_found


@pytest.mark.parametrize(("categories", "is_found"), [(4, True), (5, False)])
def test_a_category_must_have_several_families(categories, is_found):
    """Twelve families in four categories are three in each."""
    products = sizes(categories=categories)

    assert (price_families(products, NO_SALES, WEEK) is not None) == is_found


@pytest.mark.parametrize(("alone", "is_found"), [(12, True), (13, False)])
def test_families_must_have_two_products_on_average(alone, is_found):
    others = sizes(styles=alone, each=1).with_columns(
        pl.col("product_id") + 36, style="x" + pl.col("style"), price=pl.col("price") * 3
    )
    products = pl.concat([sizes(), others])  # 36 products of 12 families, and those without a second one

    assert (price_families(products, NO_SALES, WEEK) is not None) == is_found


@pytest.mark.parametrize("category", [
    "c" + (pl.col("product_id") % 2).cast(pl.String), pl.when(pl.col("style") != "st1").then("category_id"),
])  # fmt: skip
def test_families_across_categories_or_without_one_are_none(category):
    assert price_families(sizes().with_columns(category_id=category), NO_SALES, WEEK) is None


def test_where_whole_categories_have_one_price_nothing_is_found():
    assert price_families(sizes().with_columns(price=9.99), NO_SALES, WEEK) is None


def test_of_several_columns_the_one_with_the_fewest_families_is_found():
    """Colours of a style have its price too: styles are the wider families."""
    colours = sizes(each=4).with_columns(colour=pl.col("style") + (pl.col("product_id") % 2).cast(pl.String))

    assert price_families(colours, NO_SALES, WEEK).column == "style"
    assert price_families(colours.drop("style"), NO_SALES, WEEK).column == "colour"


def levels(spelled, odd=0):
    """Products with a price of a tier: three of each of six tiers in two categories; `odd` tiers have another price."""
    tiers = [(category, tier) for category in range(2) for tier in range(6) for _ in range(3)]
    codes = [category * 100 + tier + 5 for category, tier in tiers]
    price = [1.99 + tier + 40 * (tier < odd) for _, tier in tiers]
    return pl.DataFrame({"product_id": range(36), "category_id": [f"c{category}" for category, _ in tiers],
                         "price_level": [spelled(code) for code in codes], "price": price})  # fmt: skip


@pytest.mark.parametrize("spelled", [int, lambda code: -code, "L{}".format, "{:03}".format])
def test_a_column_that_codes_the_price_names_no_families(spelled):
    assert price_families(levels(spelled), NO_SALES, WEEK) is None


def test_families_whose_values_are_not_ordered_like_prices_are_found():
    assert price_families(levels(int, odd=3), NO_SALES, WEEK).column == "price_level"


def test_a_column_that_codes_the_price_names_no_families_by_prices_of_sales_either():
    products = levels(int)
    days = pl.DataFrame({"time": [datetime(2025, 1, 6), datetime(2025, 1, 13)]})
    sales = products.join(days, how="cross").select("product_id", "time", "price")

    assert price_families(products.with_columns(price=pl.lit(None, pl.Float64)), sales, WEEK) is None


def test_a_column_of_amounts_names_no_families():
    assert price_families(sizes(), NO_SALES, WEEK).column == "style"
    assert price_families(sizes(), NO_SALES, WEEK, {"style"}) is None
