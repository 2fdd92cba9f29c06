"""Every rule of the input tables turns red for the row that breaks it, and for no other."""

from datetime import datetime

import polars as pl
import pytest

from gpu_pricer.tables.checking import check
from gpu_pricer.tables.reading import conform
from gpu_pricer.tables.schemas import Context, Offers, Products, Transactions, Users, category_key

NOON = datetime(2024, 1, 1, 12)
SOUND = {
    Transactions: {
        "user_id": 1, "product_id": 10, "time": NOON, "quantity": 1.0, "price": 2.0, "list_price": 3.0
    },
    Products: {
        "product_id": 10, "category_id": "A", "price": 2.0, "list_price": 3.0, "cost": 1.0, "stock": 5.0,
        "competitor_price": 2.0, "availability": 0.5,
    },
    Users: {"user_id": 1},
    Offers: {
        "occasion_id": 5, "user_id": 1, "product_id": 10, "time": NOON, "price": 2.0, "quantity": 0.0,
        "list_price": 3.0, "weight": 2.0,
    },
    Context: {"product_id": 10, "time": NOON, "display": 0.5, "mailer": 1.0, "competitor_price": 2.0},
}  # fmt: skip
NOT_A_PRICE = [0.0, -1.0, float("nan"), float("inf")]


def broken(schema, **change):
    row = SOUND[schema] | change
    others = {"product_id": 11} if "product_id" in row else {"user_id": 2}
    frame = pl.DataFrame([row, SOUND[schema] | others], infer_schema_length=None)
    return check(conform(frame.lazy(), schema, "table", keep_others=True).collect(), schema).broken


@pytest.mark.parametrize("schema", SOUND)
def test_sound_rows_break_nothing(schema):
    assert broken(schema) == {}


@pytest.mark.parametrize(
    ("schema", "column"),
    [
        (Transactions, "product_id"), (Transactions, "time"),
        (Products, "product_id"), (Users, "user_id"),
        (Offers, "occasion_id"), (Offers, "user_id"), (Offers, "product_id"), (Offers, "time"),
        (Context, "product_id"), (Context, "time"),
    ],
)  # fmt: skip
def test_what_identifies_a_row_must_be_given(schema, column):
    assert broken(schema, **{column: None}) == {f"{column.removesuffix('_id')}_is_given": 1}


@pytest.mark.parametrize("value", [*NOT_A_PRICE, None])
@pytest.mark.parametrize(("schema", "column"), [(Transactions, "price"), (Transactions, "quantity"), (Offers, "price")])
def test_prices_and_quantities_of_sales_are_positive(schema, column, value):
    assert broken(schema, **{column: value}) == {f"{column}_is_positive": 1}


@pytest.mark.parametrize("value", NOT_A_PRICE)
@pytest.mark.parametrize(
    ("schema", "column"),
    [
        (Transactions, "list_price"), (Offers, "list_price"), (Offers, "weight"), (Products, "price"),
        (Products, "list_price"), (Products, "competitor_price"), (Context, "competitor_price"),
    ],
)  # fmt: skip
def test_optional_amounts_are_positive_where_given(schema, column, value):
    assert broken(schema, **{column: value}) == {f"{column}_is_positive": 1}
    assert broken(schema, **{column: None}) == {}


@pytest.mark.parametrize("value", [-1.0, float("nan")])
@pytest.mark.parametrize(("schema", "column"), [(Products, "cost"), (Products, "stock"), (Offers, "quantity")])
def test_cost_stock_and_offered_quantity_are_not_negative(schema, column, value):
    assert broken(schema, **{column: value}) == {f"{column}_is_not_negative": 1}
    assert broken(schema, **{column: 0.0}) == {}


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize(("schema", "column"), [(Products, "availability"), (Context, "display"), (Context, "mailer")])
def test_shares_lie_between_zero_and_one(schema, column, value):
    assert broken(schema, **{column: value}) == {f"{column}_is_a_share": 1}


@pytest.mark.parametrize(("schema", "change"), [(Products, {"product_id": 11}), (Users, {"user_id": 2})])
def test_products_and_users_are_unique(schema, change):
    assert broken(schema, **change) == {f"{next(iter(change)).removesuffix('_id')}_is_unique": 2}


@pytest.mark.parametrize(("product_id", "alone"), [([4, 5], "product:5"), (["a", "b"], "product:b")])
def test_product_without_category_is_alone(product_id, alone):
    products = pl.DataFrame({"product_id": product_id, "category_id": ["DIPS", None]})

    assert products.select(category_key())["category_id"].to_list() == ["DIPS", alone]
