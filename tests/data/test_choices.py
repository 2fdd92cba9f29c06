"""Choices: purchases with their weights, the exact rate of occasions without purchase, and logs of what was shown."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.choices import (
    ChoiceRule,
    arranged,
    category_rates,
    off_modal_share,
    purchases_from_offers,
    purchases_on_shelf,
    sampled_zeros,
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


def shelf_of(*rows):
    return pl.DataFrame(rows, schema=["period", "category_id", "product_id"], orient="row")


@pytest.fixture
def shop(weeks):
    """Category A in weeks 0 and 1, B in week 1 only; forty users come every week."""
    week = weeks(2)
    shelf = shelf_of((week[0], "A", 10), (week[0], "A", 11), (week[1], "A", 10), (week[1], "B", 20))
    visits = pl.DataFrame({"user_id": range(40)}).join(pl.DataFrame({"period": week}), how="cross")
    return shelf, visits.sort("period", "user_id")


def test_several_products_share_the_weight_of_an_occasion(lines, shop):
    sales = lines({"product_id": 10, "quantity": 2}, {"product_id": 10}, {"product_id": 11})

    purchases = purchases_on_shelf(sales, shop[0])

    assert purchases.select("product_id", "quantity", "weight", "size").rows() == [
        (10, 3.0, 0.5, 2), (11, 1.0, 0.5, 2)
    ]  # fmt: skip


def test_purchase_of_a_product_off_the_shelf_is_no_choice(lines, shop):
    purchases = purchases_on_shelf(lines({"product_id": 20, "week": 0}, {"product_id": 20, "week": 1}), shop[0])

    assert purchases.height == 1


def test_all_occasions_without_purchase_are_kept_in_a_small_table(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines({"user_id": 1}, {"user_id": 2}), shelf)

    zeros, rates = sampled_zeros(purchases, visits, shelf, rule(keep_all_below=1000), seed=0)

    assert zeros.group_by("category_id").len().sort("category_id").rows() == [("A", 78), ("B", 40)]
    assert rates["outside_rate"].to_list() == [1.0, 1.0]


def test_rate_is_the_share_of_the_category_occasions_kept(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines(*({"user_id": user} for user in range(10))), shelf)

    zeros, rates = sampled_zeros(purchases, visits, shelf, rule(zeros_per_purchase=2, min_zeros=5), seed=0)

    assert zeros.group_by("category_id").len().sort("category_id").rows() == [("A", 20), ("B", 5)]
    assert dict(rates.sort("category_id").rows()) == {"A": 20 / 70, "B": 5 / 40}


def test_no_buyer_is_among_the_occasions_without_purchase(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines(*({"user_id": user} for user in range(30))), shelf)

    zeros, _ = sampled_zeros(purchases, visits, shelf, rule(zeros_per_purchase=1.6), seed=0)

    occasion = ["user_id", "period", "category_id"]
    assert zeros.join(purchases, on=occasion, how="semi").is_empty()
    assert zeros.select(occasion).is_unique().all()
    assert zeros.join(visits, on=["user_id", "period"], how="anti").is_empty()


def test_category_off_the_shelf_gives_no_occasion(lines, shop, weeks):
    shelf, visits = shop

    zeros, _ = sampled_zeros(purchases_on_shelf(lines({}), shelf), visits, shelf, rule(min_zeros=40), seed=0)

    assert zeros.filter(pl.col("category_id") == "B")["period"].unique().to_list() == [weeks(2)[1]]


def test_category_that_everybody_buys_has_rate_one(lines, shop):
    shelf, visits = shop
    week_1 = lines(*({"user_id": user, "product_id": 20, "week": 1} for user in range(40)))

    zeros, rates = sampled_zeros(purchases_on_shelf(week_1, shelf), visits, shelf, rule(), seed=0)

    assert zeros.filter(pl.col("category_id") == "B").is_empty()
    assert dict(rates.rows())["B"] == 1.0


def test_every_occasion_is_drawn_equally_often(lines, shop):
    """Divided by its rate, the sample counts every week's occasions without bias."""
    shelf, visits = shop
    purchases = purchases_on_shelf(lines(*({"user_id": user} for user in range(20))), shelf)

    drawn = [sampled_zeros(purchases, visits, shelf, rule(), seed=seed) for seed in range(200)]

    in_week_0 = [zeros.filter(pl.col("period") == pl.col("period").min(), category_id="A").height for zeros, _ in drawn]
    rate = dict(drawn[0][1].rows())["A"]
    error = 3 * np.std(in_week_0) / np.sqrt(len(drawn))
    assert abs(np.mean(in_week_0) - 20 * rate) < error


def test_equal_seeds_draw_equal_samples(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines(*({"user_id": user} for user in range(10))), shelf)

    first, again, other = (sampled_zeros(purchases, visits, shelf, rule(), seed)[0] for seed in (1, 1, 2))

    assert first.equals(again)
    assert not first.equals(other)


def test_choices_carry_their_category_rate_and_sum_to_one_per_occasion(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines({}, {"product_id": 11}, {"user_id": 2}), shelf)
    zeros, rates = sampled_zeros(purchases, visits, shelf, rule(min_zeros=3), seed=0)

    choices = arranged(purchases, zeros, rates)

    assert choices.group_by("user_id", "period", "category_id").agg(pl.col("weight").sum())[
        "weight"
    ].unique().to_list() == [1]
    assert choices.filter(category_id="A")["outside_rate"].unique().len() == 1
    assert choices["product_id"].null_count() == zeros.height
    assert choices.schema["outside_rate"] == choices.schema["weight"] == pl.Float32


def test_choices_have_one_order_whatever_that_of_their_parts(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines({}, {"product_id": 11}, {"user_id": 2}), shelf)
    zeros, rates = sampled_zeros(purchases, visits, shelf, rule(min_zeros=3), seed=0)

    choices = arranged(purchases, zeros, rates)

    assert arranged(purchases.reverse(), zeros.reverse(), rates.reverse()).equals(choices)
    assert choices["period"].is_sorted()


def test_rate_of_a_category_without_an_occasion_is_left_out(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines({}), shelf)
    zeros, rates = sampled_zeros(purchases, visits, shelf, rule(), seed=0)
    unseen = pl.DataFrame({"category_id": ["never visited"], "outside_rate": [1.0]}).cast(rates.schema)

    assert arranged(purchases, zeros, pl.concat([rates, unseen])).equals(arranged(purchases, zeros, rates))


def test_rates_of_a_category_are_means_over_its_buying_occasions(lines, shop):
    sales = lines({"quantity": 3}, {"product_id": 11}, {"user_id": 2, "quantity": 2})

    rates = category_rates(purchases_on_shelf(sales, shop[0]), pl.Series(["A"]), shrinkage=1e-9)

    assert rates.row(0) == ("A", pytest.approx(1.5), pytest.approx(3.0))


def test_thin_category_is_shrunk_to_the_mean_of_all(lines, shop):
    sales = lines({"quantity": 3}, {"product_id": 11}, {"user_id": 2, "quantity": 2})

    rates = category_rates(purchases_on_shelf(sales, shop[0]), pl.Series(["A", "B"]), shrinkage=5)

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
