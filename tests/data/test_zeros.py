"""Zeros: every occasion without purchase has the chance that its category's rate says, and no other row is one."""

import numpy as np
import polars as pl

from gpu_pricer.data import zeros as sampling
from gpu_pricer.data.choices import ChoiceRule, arranged, purchases_on_shelf
from gpu_pricer.tables.periods import by_period


def rule(zeros_per_purchase=1, min_zeros=0, keep_all_below=0):
    return ChoiceRule(True, zeros_per_purchase, min_zeros, keep_all_below, shrinkage=1)


def sampled_zeros(purchases, visits, shelf, rule, seed):
    """The sampled rows of all periods, and the rates."""
    came, categories = by_period(visits), shelf["category_id"].unique().sort()
    bought = {period: purchases.filter(pl.col("period") == period) for period in came}
    buyers = [sampling.buying_visits(bought[period], came[period], categories) for period in came]
    found = sampling.sampled_zeros(buyers, visits, by_period(shelf), rule, seed)
    return pl.concat([found.of(period) for period in came]), found.rates


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
