"""What earlier preparations had and a later one lacks, in tables whose values the test removed."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from gpu_pricer.data.earlier_values import (
    REMEMBERED,
    doubts_of_changed_products,
    doubts_of_older_log,
    values_of,
    with_earlier,
)
from gpu_pricer.tables.periods import Period

WEEK, LAST, DAY = Period("1w"), date(2025, 3, 3), date(2025, 3, 12)
PRODUCTS = pl.DataFrame({"product_id": range(40), "cost": [1.0] * 40})
LINES = pl.DataFrame(
    {"time": [datetime(2025, 2, 24, 9)] * 30 + [datetime(2025, 3, 9, 9)] * 25, "list_price": [2.0] * 55}
)
SHOP = {"products": PRODUCTS, "users": pl.DataFrame({"user_id": range(20)}), "transactions": LINES}


def without(column, rows, table):
    """The table with the column null in its last rows."""
    return table.with_columns(pl.when(pl.int_range(table.height) < table.height - rows).then(column))


def compared(night, shop, earlier):
    day = DAY + timedelta(days=night)
    return with_earlier(values_of(shop, WEEK, LAST, day), earlier, day)


def test_lines_of_the_last_period_and_all_rows_of_other_tables_count():
    found = values_of(SHOP, WEEK, LAST, DAY)

    assert {key: value["count"] for key, value in found.items()} == {
        "products": 40, "products.product_id": 40, "products.cost": 40, "users": 20, "users.user_id": 20,
        "transactions": 25, "transactions.time": 25, "transactions.list_price": 25,
    }  # fmt: skip
    assert {value["day"] for value in found.values()} == {"2025-03-12"}


def test_group_prices_hold_from_any_time_on():
    prices = pl.DataFrame({"time": [datetime(2024, 1, 1)] * 3, "price": [1.0, 2.0, None]})

    found = values_of({"group_prices": prices}, WEEK, LAST, DAY)

    assert found["group_prices"]["count"] == 3
    assert found["group_prices.price"]["count"] == 2


@pytest.mark.parametrize(
    ("shop", "told"),
    [
        (SHOP | {"products": PRODUCTS.drop("cost")}, "products.cost (0 instead of 40 on 2025-03-12)"),
        (SHOP | {"products": without("cost", 21, PRODUCTS)}, "products.cost (19 instead of 40 on 2025-03-12)"),
        (SHOP | {"products": PRODUCTS.head(19)}, "products (19 instead of 40 on 2025-03-12)"),
        ({name: SHOP[name] for name in ("products", "transactions")}, "users (0 instead of 20 on 2025-03-12)"),
        (
            SHOP | {"transactions": without("list_price", 25, LINES)},
            "transactions.list_price (0 instead of 25 on 2025-03-12)",
        ),
    ],
)
def test_values_that_are_gone_are_named(shop, told):
    earlier, doubts = compared(0, SHOP, {})
    assert doubts == []

    assert compared(1, shop, earlier)[1] == [
        f"less than half of the values of earlier days are left in {told}: look whether the export still has them"
    ]


@pytest.mark.parametrize(
    "shop",
    [
        SHOP | {"products": without("cost", 20, PRODUCTS)},
        SHOP | {"products": pl.concat([PRODUCTS, PRODUCTS])},
        SHOP | {"transactions": without("list_price", 12, LINES)},
    ],
)
def test_half_of_the_values_are_enough(shop):
    assert compared(1, shop, compared(0, SHOP, {})[0])[1] == []


def test_a_few_values_may_go():
    shop = {"products": PRODUCTS.head(19)}

    assert compared(1, {"products": PRODUCTS.head(1)}, compared(0, shop, {})[0])[1] == []


def test_what_is_gone_is_missed_for_two_weeks():
    lacking, values, nights = SHOP | {"products": PRODUCTS.drop("cost")}, compared(0, SHOP, {})[0], []
    for night in range(1, REMEMBERED + 3):
        values, doubts = compared(night, lacking, values)
        nights += [night] if doubts else []

    assert nights == list(range(1, REMEMBERED + 1))
    assert "products.cost" not in values


def test_what_came_back_is_not_missed():
    values, doubts = compared(1, SHOP | {"products": PRODUCTS.drop("cost")}, compared(0, SHOP, {})[0])
    assert doubts

    assert compared(2, SHOP, values)[1] == []


def test_many_lost_columns_are_counted():
    wide = {"products": PRODUCTS.with_columns(pl.lit(1).alias(f"c{k}") for k in range(7))}

    (doubt,) = compared(1, {"products": PRODUCTS}, compared(0, wide, {})[0])[1]

    assert "products.c4 (0 instead of 40 on 2025-03-12) and 2 more: look" in doubt


def test_a_log_that_ends_before_the_one_before_is_a_doubt():
    assert doubts_of_older_log(date(2025, 3, 3), date(2025, 3, 10)) == [
        "the last whole period begins on 2025-03-03, that of the preparation before began on 2025-03-10: look "
        "whether the newest sales are missing"
    ]


@pytest.mark.parametrize("earlier", [date(2025, 3, 3), date(2025, 2, 24)])
def test_a_log_that_goes_on_is_none(earlier):
    assert doubts_of_older_log(date(2025, 3, 3), earlier) == []


CATALOG = pl.DataFrame(
    {"product_id": range(100), "category_id": "tea", "price": 3.0, "cost": 1.0, "cost_source": "given"}
)
FIRST = pl.col("product_id")


def with_changed(column, value, products):
    """The catalog with another value in the first products."""
    return CATALOG.with_columns(pl.when(FIRST.is_between(0, products - 1)).then(value).otherwise(column).alias(column))


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (with_changed("cost", 4.25, 11), "11 of 100 products have a cost that rose or fell by a factor of more than"),
        (with_changed("cost", 0.5, 11), "11 of 100 products have a cost that rose or fell by a factor of more than"),
        (CATALOG.tail(98), "2 of the 100 products of the preparation before are not listed any more, such as 0, and"),
        (
            with_changed("cost", 0.25, 1),
            "1 product has a cost more than 3 times above or below that of the preparation",
        ),
        (
            with_changed("cost", 0.0, 10),
            "10 products have a cost more than 3 times above or below that of the preparat",
        ),
        (with_changed("price", 12.0, 11), "11 of 100 products have a price that rose or fell by a factor of more th"),
        (
            with_changed("category_id", pl.lit("ham"), 11),
            "11 products are in another category than in the preparation before, such as 0 in ham instead of tea: look",
        ),
    ],
)
def test_products_that_changed_unusually_are_told(now, told):
    (doubt,) = doubts_of_changed_products(now, CATALOG)

    assert doubt.startswith(told)


@pytest.mark.parametrize(
    "now",
    [
        CATALOG,
        CATALOG.tail(99),
        with_changed("cost", 2.75, 10),
        with_changed("cost", 1.5, 100),
        with_changed("price", 12.0, 10),
        with_changed("cost", 4.25, 100).with_columns(cost_source=pl.lit("assumed")),
        with_changed("category_id", pl.lit("ham"), 10),
        with_changed("category_id", pl.lit("ham"), 100),
        with_changed("cost", 4.25, 50).with_columns(FIRST.cast(pl.String)),
    ],
)
def test_usual_changes_are_none(now):
    assert doubts_of_changed_products(now, CATALOG) == []


NAMED = CATALOG.with_columns(name=pl.format("tea {}", "product_id"), brand=pl.lit("own"))
OTHER = pl.when(FIRST == 7)


def test_id_that_another_product_has_now_is_told():
    now = NAMED.with_columns(
        name=OTHER.then(pl.lit("kettle")).otherwise("name"), price=OTHER.then(7.5).otherwise("price")
    )

    (doubt,) = doubts_of_changed_products(now, NAMED)

    assert doubt.startswith("1 product has another description since")
    assert "such as 7 with 7.50 instead of 3.00: look whether numbers of old products were given to new ones" in doubt


@pytest.mark.parametrize(
    "now",
    [
        NAMED.with_columns(name=OTHER.then(pl.lit("black tea 7")).otherwise("name")),
        NAMED.with_columns(price=OTHER.then(7.5).otherwise("price")),
        NAMED.with_columns(name=pl.format("Tea {}", "product_id"), price=OTHER.then(7.5).otherwise("price")),
        NAMED.drop("name").with_columns(price=OTHER.then(7.5).otherwise("price")),
    ],
    ids=["new name", "new price", "all names written otherwise", "names are gone"],
)
def test_a_new_description_or_a_new_price_alone_is_none(now):
    assert doubts_of_changed_products(now, NAMED) == []


def test_costs_that_stay_0_have_not_changed():
    free = with_changed("cost", 0.0, 100)

    assert doubts_of_changed_products(free, free) == []
    (doubt,) = doubts_of_changed_products(free, CATALOG)
    assert doubt.startswith("100 of 100 products have a cost")
