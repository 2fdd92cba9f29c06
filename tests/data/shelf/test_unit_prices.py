"""Which products have a unit price: at fixed prices, at prices of segments, and weighed with and without weights."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.shelf.unit_prices import (
    UnitPriceRule,
    price_agreement,
    price_pairs,
    with_constant_prices,
    with_unit_prices,
)
from gpu_pricer.errors import InputError
from tests.bench.markets.by_goods import by_weight

RULE = UnitPriceRule(min_agreement=0.3, tolerance=0.05, shrinkage=5)
MONDAY = date(2024, 1, 1)


def sold(product, week, prices):
    """Lines of a product in a week, one per price, by successive users."""
    return pl.DataFrame({
        "product_id": product, "period": MONDAY + timedelta(weeks=week), "time": MONDAY + timedelta(weeks=week),
        "user_id": np.arange(len(prices)), "price": np.asarray(prices, float),
    })  # fmt: skip


def products_of(*categories, given=None):
    return pl.DataFrame(
        {"product_id": range(len(categories)), "category_id": categories, "has_unit_price": given},
        schema_overrides={"has_unit_price": pl.Float64},
    )


def found(products, *lines, rule=RULE):
    return with_unit_prices(products, price_pairs(pl.concat(lines), rule.tolerance), rule)["has_unit_price"].to_list()


@pytest.fixture
def spend():
    """What lines of about a kilogram at 2.00 cost."""
    return np.random.default_rng(0).gamma(4, 0.5, 40).round(2).clip(0.05)


def test_spend_per_scan_is_no_price_and_a_price_that_moves_between_periods_is(spend):
    moving = [sold(1, week, [2.0 + week] * 2) for week in range(20)]

    assert found(products_of("a", "b"), sold(0, 0, spend), *moving) == [0, 1]


def test_prices_of_segments_within_the_limits_of_the_policy_are_prices():
    of_segments = np.random.default_rng(1).choice(np.round(4 * np.linspace(0.85, 1.15, 13), 2), 400)

    assert found(products_of("a"), sold(0, 0, of_segments)) == [1]


def test_a_product_with_few_lines_follows_its_category(spend):
    lines = [sold(0, 0, spend), sold(1, 0, spend[:2]), sold(2, 0, [1.0] * 40), sold(3, 0, [3.0, 4.0])]

    assert found(products_of("meat", "meat", "milk", "milk"), *lines) == [0, 0, 1, 1]


def test_a_product_with_many_lines_need_not_follow_its_category(spend):
    lines = [sold(0, 0, spend), sold(1, 0, [1.99] * 20)]

    assert found(products_of("apples", "apples"), *lines) == [0, 1]


def test_what_the_products_table_says_wins(spend):
    lines = [sold(0, 0, spend), sold(1, 0, [1.0] * 40)]

    assert found(products_of("a", "b", given=[1.0, 0.0]), *lines) == [1, 0]


def test_agreement_does_not_rise_where_lines_are_few(spend):
    few = UnitPriceRule(0.3, 0.05, shrinkage=1e-9)
    by_two = pl.concat(sold(0, week, spend[2 * week : 2 * week + 2]) for week in range(20))

    agreement = price_agreement(products_of("a"), price_pairs(by_two, few.tolerance), few)

    ratio = spend[::2] / spend[1::2]
    expected = np.mean(np.minimum(ratio, 1 / ratio) >= 0.95)
    assert agreement.row(0) == (0, 20, pytest.approx(expected))


def test_small_counts_follow_the_category_and_small_categories_follow_one():
    """The numbers by hand, with a weight of 5 pairs at each step."""
    products = pl.DataFrame({"product_id": [*"abcde"], "category_id": ["A", "A", "B", "B", None]})
    pairs = pl.DataFrame({"product_id": ["a", "c"], "lines": [11, 31], "pairs": [10, 30], "agreeing": [2, 24]})

    found = price_agreement(products, pairs, RULE)

    of_a = (2 + 5 * (2 + 5) / (10 + 5)) / (10 + 5)
    of_b = (24 + 5 * (24 + 5) / (30 + 5)) / (30 + 5)
    expected = [(2 + 5 * of_a) / (10 + 5), of_a, (24 + 5 * of_b) / (30 + 5), of_b, 1]
    assert found["product_id"].to_list() == [*"abcde"]
    assert found["agreement"].to_list() == pytest.approx(expected, rel=1e-12)


def test_a_rule_without_least_agreement_leaves_every_product_its_price(spend):
    rule = UnitPriceRule(0.0, 0.05, 5)

    assert found(products_of("a", "b"), sold(0, 0, spend), sold(1, 0, [1.0] * 9), rule=rule) == [1, 1]


def test_one_line_says_how_many_products_and_lines_have_none(spend, caplog):
    found(products_of("a", "b"), sold(0, 0, spend), sold(1, 0, [1.0] * 120))

    assert [record.getMessage() for record in caplog.records] == [
        "1 products with 25.0 % of the lines have no unit price (goods sold by weight): they have no price response of "
        "their own and are not priced (products.has_unit_price, transactions.net_weight and data.unit_prices change "
        "that)"
    ]


def test_sales_without_any_unit_price_are_refused(spend):
    with pytest.raises(InputError, match=r"some product that sold must have a unit price, found none.*min_agreement=0"):
        found(products_of("a"), sold(0, 0, spend))


def test_a_product_without_unit_price_has_one_price_in_all_periods():
    modal = pl.DataFrame({"product_id": [0, 0, 0, 1, 1], "price": [1.0, 5.0, 3.0, 2.0, 4.0], "list_price": [6.0] * 5})

    constant = with_constant_prices(modal, products_of("a", "b", given=[0.0, 1.0]))

    assert constant["price"].to_list() == [3.0, 3.0, 3.0, 2.0, 4.0]
    assert constant["list_price"].to_list() == [None, None, None, 6.0, 6.0]


def test_goods_whose_quantity_is_their_weight_have_a_unit_price():
    market = by_weight(101)
    lines = market.tables["transactions"].with_columns(period=pl.col("time").cast(pl.Date).dt.truncate("1w"))
    products = market.tables["products"].with_columns(has_unit_price=pl.lit(None, pl.Float64))

    found = with_unit_prices(products, price_pairs(lines, RULE.tolerance), RULE)
    scanned = lines.with_columns(price=(pl.col("price") * pl.col("quantity")).round(2).clip(0.01))
    weighed = lines.filter(pl.col("quantity") % 1 > 0)["product_id"].unique()
    by_scan = with_unit_prices(products, price_pairs(scanned, RULE.tolerance), RULE)

    assert found["has_unit_price"].to_list() == [1.0] * products.height
    assert set(by_scan.filter(has_unit_price=0)["product_id"]) == set(weighed)


@pytest.mark.parametrize(("name", "value"), [("min_agreement", 1.1), ("tolerance", 1.0), ("shrinkage", 0)])
def test_a_rule_that_cannot_be_is_refused_with_its_key(name, value):
    values = {"min_agreement": 0.3, "tolerance": 0.05, "shrinkage": 5} | {name: value}

    with pytest.raises(ValueError, match=rf"data\.unit_prices\.{name} must be a number"):
        UnitPriceRule(**values)


def test_lines_that_stand_alone_say_nothing_against_a_unit_price():
    weeks = [sold(0, week, [price]) for week, price in enumerate([1.0, 2.0, 1.4, 3.1, 0.7, 2.2])]

    assert found(products_of("tea"), *weeks) == [1.0]
