"""Of which products a log tells the list price."""

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.network.encoding.list_prices import listed_products


def a_product(product_id, price, list_price, category="C", unseen=()):
    """The shelf rows of a product with the prices and list prices of week after week; unseen: numbers of weeks."""
    weeks = range(len(price))
    return pl.DataFrame(
        {
            "product_id": [product_id] * len(price),
            "category_id": [category] * len(price),
            "period": [date(2024, 1, 1) + timedelta(weeks=week) for week in weeks],
            "price": pl.Series(price, dtype=pl.Float64),
            "list_price": pl.Series(list_price, dtype=pl.Float64),
            "price_age": [int(week in unseen) for week in weeks],
        }
    )


CUT = a_product("cut", [10, 8, 10], [10, 10, 10])
NO_LIST_PRICE = pl.lit(None, pl.Float64)


def listed(*products):
    return listed_products(pl.concat(products).sample(fraction=1.0, shuffle=True, seed=0)).to_list()


def test_a_product_with_a_cut_is_listed_though_its_list_price_falls_and_comes_back():
    assert listed(a_product("P", [10, 8, 7, 10], [10, 10, 9, 10])) == ["P"]
    assert listed(a_product("P", [10, 8, 10], [10, None, 10])) == []
    assert listed(a_product("P", [10, 12, 10], [10, 10, 10])) == []


@pytest.mark.parametrize(
    "steady", [[10, 10, 10], [10, 10, 12], [10, 9, 9], [10, 9, 11], [10, 12, 10], [10, 9], [9, 10], [10, 9, 10.000001]]
)
def test_a_product_that_was_never_cut_is_listed_where_its_category_shows_cuts(steady):
    steady, next_one = (a_product(name, steady, steady) for name in ("steady", "then"))

    assert listed(CUT, steady, next_one) == ["cut", "steady", "then"]
    assert listed(CUT, steady.with_columns(category_id=pl.lit("D"))) == ["cut"]
    assert listed(CUT, steady.with_columns(list_price=NO_LIST_PRICE)) == ["cut"]
    assert listed(steady) == []


@pytest.mark.parametrize(
    "dip",
    [[10, 8, 10], [10, 8, 8, 10], [10, 8, 7, 8, 10], [9, 10, 8, 10 * (1 + 1e-15)], [10, 9, 8, 10], [10, 8, 9, 10]],
)
def test_a_list_price_that_falls_and_comes_back_with_the_price_is_none(dip):
    assert listed(CUT, a_product("copy", dip, dip)) == ["cut"]
    assert listed(CUT, a_product("copy", dip, [*dip[:-1], None])) == ["cut"]
    assert listed(CUT, a_product("one list price", dip, [dip[0]] + [None] * (len(dip) - 1))) == ["cut"]


def test_only_periods_count_that_show_the_price():
    assert listed(a_product("P", [10, 8, 10], [10, 10, 10], unseen=[1])) == []
    assert listed(CUT, a_product("P", [10, 8, 10], [10, 8, 10], unseen=[1])) == ["P", "cut"]
    assert listed(CUT, a_product("P", [10, 9, 8, 10], [10, 9, 8, 10], unseen=[1])) == ["cut"]


def test_a_cut_in_two_hundred_prices_may_be_an_error():
    steady = a_product("steady", [10] * 200, [10] * 200)
    one_cut = a_product("one cut", [9] + [10] * 99, [10] * 100)

    assert listed(steady, one_cut) == ["one cut"]
    assert listed(steady[:90], one_cut, CUT) == ["cut", "one cut", "steady"]


def by_hand(shelf):
    """The same rule in plain Python."""
    products = {}
    for row in shelf.sort("period").iter_rows(named=True):
        products.setdefault(row["product_id"], []).append((round(row["price"], 9), round(row["list_price"], 9)))
    cuts = [price < list_price for prices in products.values() for price, list_price in prices]
    found = []
    for product, prices in products.items():
        regular = [list_price for _, list_price in prices]
        returns = any(
            before < now and now in regular[:week] for week, (before, now) in enumerate(pairwise(regular), start=1)
        )
        is_told = sum(cuts) / len(cuts) >= 0.01 and not returns
        if is_told or any(price < list_price for price, list_price in prices):
            found.append(product)
    return sorted(found)


PRICES = st.lists(st.tuples(st.sampled_from([7.0, 8.0, 9.0, 10.0]), st.sampled_from([0.0, 0.0, 0.0, 1.0])), min_size=1)


@given(st.lists(PRICES, min_size=1, max_size=4), st.sampled_from([1.0, 1.19, 1 / 3]))
def test_rule_is_that_of_a_plain_program_in_any_currency(products, rate):
    shelf = pl.concat(
        a_product(f"P{number}", [price for price, _ in prices], [price + cut for price, cut in prices])
        for number, prices in enumerate(products)
    )

    assert listed(shelf.with_columns(pl.col("price") / rate, pl.col("list_price") / rate)) == by_hand(shelf)
