"""Choices: purchases with their weights, the exact rate of occasions without purchase, and logs of what was shown."""

import polars as pl
import pytest

from gpu_pricer.data.choices.choices import (
    ChoiceRule,
    category_rates,
    occasion_sums,
    off_modal_count,
    purchases_from_offers,
    purchases_on_shelf,
    zeros_from_offers,
)

SHELF_COLUMNS = ["product_id", "period", "category_id", "price"]


def rule(**changes):
    return ChoiceRule(
        **{
            "outside_option": True,
            "zeros_per_purchase": 1,
            "min_zeros": 0,
            "keep_all_below": 0,
            "shrinkage": 1,
        }
        | changes
    )


def test_several_products_share_the_weight_of_an_occasion(lines, shop):
    sales = lines({"product_id": 10, "quantity": 2}, {"product_id": 10}, {"product_id": 11})

    purchases = purchases_on_shelf(sales, shop[0])

    assert purchases.select("product_id", "quantity", "weight", "size").rows() == [
        (10, 3.0, 0.5, 2), (11, 1.0, 0.5, 2)
    ]  # fmt: skip


def test_purchase_of_a_product_off_the_shelf_is_no_choice(lines, shop):
    purchases = purchases_on_shelf(lines({"product_id": 20, "week": 0}, {"product_id": 20, "week": 1}), shop[0])

    assert purchases.height == 1


def test_rates_of_a_category_are_means_over_its_buying_occasions(lines, shop):
    sales = lines({"quantity": 3}, {"product_id": 11}, {"user_id": 2, "quantity": 2})

    rates = category_rates(occasion_sums(purchases_on_shelf(sales, shop[0])), pl.Series(["A"]), shrinkage=1e-9)

    assert rates.row(0) == ("A", pytest.approx(1.5), pytest.approx(3.0))


def test_thin_category_is_shrunk_to_the_mean_of_all(lines, shop):
    sales = lines({"quantity": 3}, {"product_id": 11}, {"user_id": 2, "quantity": 2})

    rates = category_rates(occasion_sums(purchases_on_shelf(sales, shop[0])), pl.Series(["A", "B"]), shrinkage=5)

    assert rates.row(1) == ("B", pytest.approx(1.5), pytest.approx(3.0))


@pytest.mark.parametrize(
    "change",
    [{"zeros_per_purchase": 0}, {"min_zeros": -1}, {"keep_all_below": 1.5}, {"outside_option": "yes"}],
)
def test_impossible_rule_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        rule(**change)


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


def test_products_seen_and_not_bought_leave_the_weight_of_those_bought(offers, shelf):
    log = offers(("x", 1, 10, 2.0, 1, 4.0), ("x", 1, 11, 3.0, 0, 4.0))

    assert purchases_from_offers(log, shelf).select("product_id", "weight", "size").rows() == [(10, 4.0, 1)]


def test_category_seen_and_not_bought_is_an_occasion_without_purchase(offers, shelf):
    log = offers(("x", 1, 10, 2.0, 1, None), ("x", 1, 20, 5.0, 0, None), ("y", 1, 10, 2.0, 0, None))

    zeros = zeros_from_offers(log, shelf)

    assert zeros.select("occasion_id", "category_id", "product_id", "weight").sort("occasion_id").rows() == [
        ("x", "B", None, 1.0), ("y", "A", None, 1.0)
    ]  # fmt: skip


def test_offers_at_another_price_are_counted(offers, shelf):
    log = offers(("x", 1, 10, 2.0, 1, None), ("x", 1, 11, 2.5, 0, None))

    assert off_modal_count(log, shelf) == (1, 2)
