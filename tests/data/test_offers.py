"""A log of what was shown, instead of receipts."""

import polars as pl
import pytest

from gpu_pricer.data.offers import off_modal_share, purchases_from_offers, zeros_from_offers

SHELF_COLUMNS = ["product_id", "period", "category_id", "price"]


@pytest.fixture
def shelf(weeks):
    (week,) = weeks(1)
    rows = [(10, week, "A", 2.0), (11, week, "A", 3.0), (20, week, "B", 5.0)]
    return pl.DataFrame(rows, schema=SHELF_COLUMNS, orient="row")


@pytest.fixture
def offers(weeks):
    (week,) = weeks(1)

    def build(*rows):
        columns = ["occasion_id", "user_id", "product_id", "price", "quantity", "weight"]
        schema = {"quantity": pl.Float64, "weight": pl.Float64}
        frame = pl.DataFrame(rows, schema=columns, orient="row", schema_overrides=schema)
        return frame.with_columns(pl.lit(week).alias("period"))

    return build


def test_purchase_shares_the_weight_of_its_occasion(offers, shelf):
    log = offers(("x", 1, 10, 2.0, 2, 4.0), ("x", 1, 11, 3.0, 1, 4.0), ("x", 1, 20, 5.0, 0, 4.0))

    bought = purchases_from_offers(log, shelf)

    assert bought.select("product_id", "weight", "size").sort("product_id").rows() == [
        (10, 2.0, 2),
        (11, 2.0, 2),
    ]


def test_category_seen_and_not_bought_is_an_occasion_without_purchase(offers, shelf):
    log = offers(("x", 1, 10, 2.0, 1, None), ("x", 1, 20, 5.0, 0, None), ("y", 1, 10, 2.0, 0, None))

    zeros, rates = zeros_from_offers(log, shelf)

    assert zeros.select("occasion_id", "category_id", "product_id", "weight").sort("occasion_id").rows() == [
        ("x", "B", None, 1.0), ("y", "A", None, 1.0)
    ]  # fmt: skip
    assert rates["outside_rate"].unique().to_list() == [1.0]


def test_share_of_offers_at_another_price_is_told(offers, shelf):
    log = offers(("x", 1, 10, 2.0, 1, None), ("x", 1, 11, 2.5, 0, None))

    assert off_modal_share(log, shelf) == 0.5
