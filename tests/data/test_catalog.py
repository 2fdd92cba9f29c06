"""Today's price, cost and availability of every product that can be priced."""

import logging

import polars as pl
import pytest

from gpu_pricer.data.catalog import CatalogRule, build_catalog, charges_list_prices
from gpu_pricer.data.categories import CategoryRule
from gpu_pricer.data.shelf.shelf import ShelfRule, imputed_shelf, modal_prices
from gpu_pricer.data.shelf.still_sold import StillSold
from gpu_pricer.errors import InputError
from gpu_pricer.tables.periods import Calendar, Period
from gpu_pricer.tables.reading import conform
from gpu_pricer.tables.schemas import Products

ANY_SIZE = CategoryRule(max_size=100, on_larger="refuse", split_by=[])


def catalog_of(products, lines, weeks, cost_ratio=0.5, periods=4, begun=None, vat=(None, None)):
    given = conform(pl.DataFrame(products).lazy(), Products, "products", keep_others=True).collect()
    modal = modal_prices(lines)
    calendar = Calendar(weeks, None, 0.0) if begun is None else Calendar(weeks[:-1], weeks[-1], begun)
    still = StillSold.of(given, modal, calendar, Period("1w"), is_stated=False)
    shelf = imputed_shelf(modal, calendar.all, Period("1w"), ShelfRule(2, 1, 5))
    return build_catalog(given, modal, shelf, still, calendar, CatalogRule(cost_ratio, periods, *vat), ANY_SIZE)


PRODUCT = {"product_id": [10], "category_id": ["A"]}


def test_today_is_the_last_price_on_the_shelf(lines, weeks):
    sales = lines({"price": 2.0}, {"price": 2.0}, {"week": 1, "price": 3.0}, {"week": 1, "price": 3.0})

    catalog = catalog_of(PRODUCT, sales, weeks(2))

    assert catalog["price"].to_list() == [3.0]


def test_product_never_on_a_shelf_has_the_price_last_paid_and_no_availability(lines, weeks):
    sales = lines({"price": 2.0}, {"week": 1, "price": 3.0})

    catalog = catalog_of(PRODUCT, sales, weeks(2))

    assert catalog.select("price", "availability").rows() == [(3.0, 0.0)]


def test_product_without_sale_and_price_is_left_out_and_told(lines, weeks, caplog):
    with caplog.at_level(logging.INFO):
        catalog = catalog_of({"product_id": [10, 11], "category_id": ["A", "A"]}, lines({}, {}), weeks(1))

    assert catalog["product_id"].to_list() == [10]
    assert caplog.messages == [
        "1 products have neither a price nor sales, such as [11]: they are not in the catalog, and so not priced; "
        "state a price in products to price them"
    ]


def test_availability_is_the_share_of_the_last_periods_on_the_shelf(lines, weeks):
    catalog = catalog_of(PRODUCT, lines({"week": 2}, {"week": 2}), weeks(8), periods=5)

    assert catalog["availability"].to_list() == [1 / 5]


def test_products_in_stock_are_on_the_shelf_where_sales_are_rare_or_there_are_none_yet(lines, weeks):
    sales = lines({"week": 0}, {"week": 0}, {"week": 5}, {"week": 5})
    shop = {"product_id": [10, 11, 12], "category_id": ["A"] * 3, "price": [3.0, 4.0, 5.0]}
    stocked = shop | {"stock": [3.0, 1.0, 0.0]}

    assert catalog_of(shop, sales, weeks(12))["availability"].to_list() == [0.0, 0.0, 0.0]
    assert catalog_of(stocked, sales, weeks(12))["availability"].to_list() == [1.0, 1.0, 0.0]
    assert catalog_of(stocked | {"availability": [0.5, None, 1.0]}, sales, weeks(12))["availability"].to_list() == [
        0.5, 1.0, 1.0,
    ]  # fmt: skip


def test_products_without_stock_are_off_the_shelf_unless_they_sold_last_week(lines, weeks):
    sold = {10: range(5), 11: range(6), 12: range(6), 13: range(5), 14: range(6)}
    sales = lines(*({"week": week, "product_id": key} for key, when in sold.items() for week in when for _ in "12"))
    shop = {"product_id": list(sold), "category_id": ["A"] * 5, "stock": [0.0, 7.0, None, None, 0.0]}

    assert catalog_of(shop, sales, weeks(6))["availability"].to_list() == [0.0, 1.0, 1.0, 1.0, 1.0]
    stated = shop | {"availability": [0.6, None, None, None, None]}
    assert catalog_of(stated, sales, weeks(6))["availability"].to_list() == [0.6, 1.0, 1.0, 1.0, 1.0]


def test_products_that_left_are_off_the_shelf(lines, weeks):
    """Four products of ten end, of which the last one sold two weeks ago."""
    ends = {10: 5, 11: 7, 12: 9, 13: 16} | dict.fromkeys(range(14, 20), 18)
    sales = lines(
        *({"week": week, "product_id": key} for key, end in ends.items() for week in range(end) for _ in "123")
    )
    shop = {"product_id": list(ends), "category_id": ["A"] * 10}

    assert catalog_of(shop, sales, weeks(18))["availability"].to_list() == [0.0] * 4 + [1.0] * 6


def test_a_begun_period_gives_the_price_of_today_and_counts_with_its_share(lines, weeks):
    whole = [{"week": week, "price": 2.0} for week in range(4) for _ in range(2)]
    sales = lines(*whole, {"week": 4, "price": 3.0}, {"week": 4, "price": 3.0}, *[{"week": 4, "product_id": 11}] * 2)
    both = {"product_id": [10, 11], "category_id": ["A", "A"]}

    catalog = catalog_of(both, sales, weeks(5), begun=1 / 7)

    assert catalog["price"].to_list() == [3.0, 2.0]
    assert catalog["availability"].to_list() == pytest.approx([1.0, 1 / 7 / 4])


def test_a_begun_period_without_a_sale_leaves_the_price_of_today(lines, weeks):
    sales = lines(*[{"price": 2.0}] * 2, *[{"week": 1, "price": 3.0}] * 2)

    assert catalog_of(PRODUCT, sales, weeks(3), begun=1 / 7)["price"].to_list() == [3.0]


def test_a_begun_period_without_a_sale_leaves_a_cut_of_the_last_week_today(lines, weeks):
    usual = [{"week": week, "price": 3.0} for week in (0, 1) for _ in range(2)]

    catalog = catalog_of(PRODUCT, lines(*usual, *[{"week": 2, "price": 2.0}] * 2), weeks(4), begun=1 / 7)

    assert catalog["price"].to_list() == [2.0]


def test_prices_of_too_few_lines_yield_to_those_of_the_shelf(lines, weeks):
    known, stray = {"price": 2.0, "list_price": 2.5}, {"week": 1, "price": 1.0, "list_price": 9.0}

    catalog = catalog_of(PRODUCT, lines(known, known, stray), weeks(2))

    assert catalog.select("price", "list_price", "cost").rows() == [(2.0, 2.5, 1.25)]


@pytest.mark.parametrize(
    ("list_prices", "found"), [((5.0, 4.0, 3.0), 3.0), ((5.0, 4.0, None), 4.0), ((5.0, 1.0, None), 2.0)]
)
def test_list_price_is_that_of_the_last_period_with_one_and_not_below_the_price(lines, weeks, list_prices, found):
    prices = [{"week": week, "price": 2.0, "list_price": price} for week, price in enumerate(list_prices)]

    catalog = catalog_of(PRODUCT, lines(*prices, *prices), weeks(3))

    assert catalog["list_price"].to_list() == [found]


def test_a_stated_list_price_below_the_price_of_today_is_the_price(lines, weeks, caplog):
    catalog = catalog_of(PRODUCT | {"list_price": [1.5]}, lines({}, {}), weeks(1))

    assert catalog.select("price", "list_price").rows() == [(2.0, 2.0)]
    assert "1 products state a list price below the price at which they were sold last, such as [10]" in caplog.text


@pytest.mark.parametrize(("price", "cost"), [(0.005, 0.0), (167_772.15, 167_772.15)])
def test_smallest_and_largest_amounts_can_be_stated(lines, weeks, price, cost):
    catalog = catalog_of(PRODUCT | {"price": [price], "cost": [cost]}, lines({"price": price}), weeks(1))

    assert catalog.select("price", "cost").rows() == [(price, cost)]


@pytest.mark.parametrize(
    ("price", "cost", "message"),
    [
        (0.004, 0.0, "price of every product must be at least one cent and below 167,772.16, found 1 products"),
        (167_772.16, 0.0, "price of every product must be at least one cent and below 167,772.16, found 1 products"),
        (2.0, 167_772.16, "cost of every product must be below 167,772.16, found 1 products"),
    ],
)
def test_amounts_that_scoring_cannot_hold_are_refused(lines, weeks, price, cost, message):
    with pytest.raises(InputError, match=message):
        catalog_of(PRODUCT | {"price": [price], "cost": [cost]}, lines({"price": price}), weeks(1))


def test_what_the_products_table_gives_wins(lines, weeks):
    given = PRODUCT | {"price": [9.0], "list_price": [10.0], "availability": [0.25], "cost": [4.0]}

    catalog = catalog_of(given, lines({"list_price": 3.0}, {"list_price": 3.0}), weeks(1))

    assert catalog.select("price", "list_price", "availability", "cost").rows() == [(9.0, 10.0, 0.25, 4.0)]
    assert catalog["cost_source"].to_list() == ["given"]


def test_prices_stated_in_another_unit_than_that_of_the_sales_are_refused(lines, weeks):
    said = (
        r"found 1 of 1 products stated more than 10 times above or below their sales, the first 10 at 266.00 and sold "
        r"at 2.66: state both in one currency unit"
    )
    with pytest.raises(InputError, match=said):
        catalog_of(PRODUCT | {"price": [266.0]}, lines({"price": 2.66}, {"price": 2.66}), weeks(1))


def test_one_price_far_from_its_sales_is_told_and_stays_in_the_catalog(lines, weeks, caplog):
    stated = {"product_id": [10, 11, 12], "category_id": ["A"] * 3, "price": [2.0, 2.5, 0.1]}
    sales = lines(*[{"product_id": product, "price": 2.0} for product in (10, 11, 12) for _ in range(2)])

    catalog = catalog_of(stated, sales, weeks(1))

    assert catalog["price"].to_list() == [2.0, 2.5, 0.1]
    assert "1 of 3 products stated more than 10 times above or below their sales, the first 12 at 0.10" in caplog.text


def test_costs_of_nothing_and_costs_above_prices_are_told(lines, weeks, caplog):
    given = {"product_id": [10, 11, 12], "category_id": ["A"] * 3, "price": [2.0] * 3, "cost": [0.0, 1.0, 2.0]}
    sales = lines(*[{"product_id": product, "price": 2.0} for product in (10, 11, 12) for _ in range(2)])

    catalog_of(given, sales, weeks(1))

    assert "1 of 3 products have a cost of 0, such as [10]: it counts as their cost" in caplog.text
    assert "1 products cost as much as they sell for or more, such as 12 with a cost of 2.00" in caplog.text


def test_costs_that_all_are_0_are_told(lines, weeks, caplog):
    given = {"product_id": [10, 11], "category_id": ["A"] * 2, "price": [2.0] * 2, "cost": [0.0] * 2}

    catalog_of(given, lines({}, {"product_id": 11}), weeks(1))

    assert "2 of 2 products have a cost of 0, such as [10, 11]: it counts as their cost" in caplog.text


@pytest.mark.parametrize("cost", [0.01, 1.99, None])
def test_costs_below_prices_are_not_told(lines, weeks, caplog, cost):
    given = {"product_id": [10, 11], "category_id": ["A"] * 2, "price": [2.0] * 2, "cost": [cost] * 2}

    catalog_of(given, lines({"price": 2.0}, {"product_id": 11, "price": 2.0}), weeks(1))

    assert "cost" not in caplog.text


def test_new_product_with_a_price_is_in_the_catalog(lines, weeks):
    given = {"product_id": [10, 11], "category_id": ["A", "A"], "price": [None, 5.0]}

    catalog = catalog_of(given, lines({}, {}), weeks(1))

    assert catalog.select("product_id", "price", "availability").rows() == [(10, 2.0, 1.0), (11, 5.0, 0.0)]


@pytest.mark.parametrize(("list_price", "cost"), [(4.0, 2.8), (None, 1.4)])
def test_missing_cost_is_assumed_from_list_price_or_price(lines, weeks, list_price, cost):
    sales = lines({"list_price": list_price}, {"list_price": list_price})

    catalog = catalog_of(PRODUCT, sales, weeks(1), cost_ratio=0.7)

    assert catalog.select("cost", "cost_source").rows() == [(cost, "assumed")]


def test_missing_cost_without_assumption_is_refused(lines, weeks):
    with pytest.raises(InputError, match=r"found none for 1 products such as \[10\]: fill the column cost"):
        catalog_of(PRODUCT, lines({}, {}), weeks(1), cost_ratio=None)


def test_null_category_stays_null(lines, weeks):
    catalog = catalog_of({"product_id": [10], "category_id": [None]}, lines({}, {}), weeks(1))

    assert catalog["category_id"].to_list() == [None]


def test_attributes_come_out_as_they_went_in_whatever_their_names(lines, weeks):
    attributes = {"brand": ["Own"], "share": [3], "price_sold": ["x"], "kids count": [True], "__index": [7]}

    catalog = catalog_of(PRODUCT | attributes, lines({}, {}), weeks(1))

    assert catalog.select(list(attributes)).to_dict(as_series=False) == attributes


def test_unfilled_optional_columns_are_left_out(lines, weeks):
    catalog = catalog_of(PRODUCT | {"stock": [5.0]}, lines({}, {}), weeks(1))

    assert "stock" in catalog.columns
    assert not {"competitor_price", "vat_rate", "launched"} & set(catalog.columns)


@pytest.mark.parametrize("cost_ratio", [1.0, -0.1, "0.7", True])
def test_impossible_cost_ratio_is_refused(cost_ratio):
    with pytest.raises(ValueError, match="cost_ratio must be a number of at least 0 and below 1"):
        CatalogRule(cost_ratio, 4, None, None)


def test_rates_of_the_products_count_before_the_one_for_all_and_assumed_costs_are_without_vat(lines, weeks):
    products = {"product_id": [10, 11], "category_id": ["A", "A"], "price": [2.5, 1.07], "vat_rate": [0.25, None]}

    catalog = catalog_of(products, lines({}, {}), weeks(1), vat=(True, 0.07))

    assert catalog.select("price", "vat_rate", "cost").rows() == [(2.5, 0.25, 1.0), (1.07, 0.07, 0.5)]


def test_rates_beside_prices_without_vat_are_left_out(lines, weeks):
    catalog = catalog_of(PRODUCT | {"vat_rate": [0.25]}, lines({}, {}), weeks(1), vat=(False, None))

    assert "vat_rate" not in catalog.columns


@pytest.mark.parametrize(
    ("rates", "vat", "message"),
    [
        ([0.25], (None, None), "found 1 rates: set data.catalog.price_includes_vat to true, or to false"),
        ([None], (True, None), r"such as \[10\]: fill the column vat_rate of products or set data.catalog.vat_rate"),
        ([19.0], (True, None), r"the first \(10, 19.0\): did you mean 0.19\?"),
    ],
)
def test_rates_that_leave_the_prices_open_are_refused(lines, weeks, rates, vat, message):
    with pytest.raises(InputError, match=message):
        catalog_of(PRODUCT | {"vat_rate": rates}, lines({}, {}), weeks(1), vat=vat)


@pytest.mark.parametrize(
    ("at_list", "others", "stated", "expected"),
    [(12, 5, None, True), (12, 12, None, False), (8, 0, None, False), (12, 5, 2.0, False), (0, 12, None, False)],
)
def test_list_prices_are_those_of_today_where_most_products_were_last_sold_at_them(
    lines, weeks, at_list, others, stated, expected
):
    """Of the products in `others` the last sale was a fifth below the list price, and an earlier one at it."""
    count = at_list + others
    sales = [{"week": 2, "product_id": n, "price": 2.0 if n < at_list else 1.6} for n in range(count)]
    sales += [{"week": 1, "product_id": n, "price": 1.6 if n < at_list else 2.0} for n in range(count)]
    products = pl.DataFrame(
        {"product_id": range(count), "price": [stated] * count, "list_price": [2.0] * count},
        schema_overrides={"price": pl.Float64},
    )

    assert charges_list_prices(products, modal_prices(lines(*sales)), weeks(3)) is expected
    assert not charges_list_prices(products, modal_prices(lines(*sales)), weeks(1))
