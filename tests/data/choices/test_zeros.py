"""Zeros: every occasion without purchase is drawn with the chance that its rate says, and no other row is one."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.choices import zeros as sampling
from gpu_pricer.data.choices.choices import ChoiceRule, arranged, purchases_on_shelf
from gpu_pricer.tables.periods import by_period

OCCASION = ["user_id", "period", "category_id"]


def rule(zeros_per_purchase=1, min_zeros=0, keep_all_below=0):
    return ChoiceRule(True, zeros_per_purchase, min_zeros, keep_all_below, shrinkage=1)


def sampled_zeros(purchases, visits, shelf, rule, seed):
    """The sampled zeros of all periods, and the purchases with their rates."""
    came, categories = by_period(visits), shelf["category_id"].unique().sort()
    bought = {period: purchases.filter(pl.col("period") == period) for period in came}
    buyers = [sampling.buying_visits(bought[period], came[period], categories) for period in came]
    found = sampling.sampled_zeros(buyers, visits, by_period(shelf), rule, seed)
    rated = [found.rated(bought[period], period) for period in came]
    return pl.concat([found.of(period) for period in came]), pl.concat(rated)


@pytest.fixture
def habits(lines, weeks):
    """Category A in eight weeks; user u of sixty buys of it in the first u % 4 of them, and users 0 to 9 in the last.

    Returned are purchases, visits and shelf; users come in every week.
    """
    week = weeks(8)
    shelf = pl.DataFrame({"period": week, "category_id": "A", "product_id": 10}, schema_overrides={"period": pl.Date})
    visits = pl.DataFrame({"user_id": range(60)}).join(pl.DataFrame({"period": week}), how="cross")
    bought = [{"user_id": user, "week": w} for user in range(60) for w in range(user % 4)]
    bought += [{"user_id": user, "week": 7} for user in range(10)]
    return purchases_on_shelf(lines(*bought), shelf), visits.sort("period", "user_id"), shelf


def test_all_occasions_without_purchase_are_kept_in_a_small_table(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines({"user_id": 1}, {"user_id": 2}), shelf)

    zeros, rates = sampled_zeros(purchases, visits, shelf, rule(keep_all_below=1000), seed=0)

    assert zeros.group_by("category_id").len().sort("category_id").rows() == [("A", 78), ("B", 40)]
    assert zeros["outside_rate"].to_list() + rates["outside_rate"].to_list() == [1.0] * 120


def test_a_category_keeps_as_many_as_it_should_and_a_first_visit_the_same_share(lines, shop):
    """In week 0 nobody's habits are known; in week 1 those of week 0's ten buyers of A are kept more often."""
    shelf, visits = shop
    purchases = purchases_on_shelf(lines(*({"user_id": user} for user in range(10))), shelf)

    zeros, rated = sampled_zeros(purchases, visits, shelf, rule(zeros_per_purchase=2, min_zeros=5), seed=0)

    counts = dict(zeros.group_by("category_id").len().rows())
    assert counts == pytest.approx({"A": 20, "B": 5}, abs=1)
    assert rated["outside_rate"].n_unique() == 1
    week_0, week_1 = by_period(zeros.filter(category_id="A")).values()
    assert week_0["outside_rate"].unique().to_list() == rated["outside_rate"].unique().to_list()
    buyers = pl.col("user_id") < 10
    assert week_1.filter(buyers)["outside_rate"].min() > week_1.filter(~buyers)["outside_rate"].max()


def test_rates_follow_what_was_known_before_the_occasion(habits):
    """An independent count of the habit: the mixture of an even rate and one in proportion to it."""
    purchases, visits, _ = habits

    zeros, rated = sampled_zeros(*habits, rule(zeros_per_purchase=1), seed=3)

    bought = set(purchases.select("user_id", "period").rows())
    when = visits["period"].unique().sort().to_list()
    share = {
        (user, period): sum((user, before) in bought for before in when[:k]) / (k + 1)
        for user, period in visits.rows()
        for k in [when.index(period)]
    }
    nothing = [occasion for occasion in share if occasion not in bought]
    total = sum(share[occasion] for occasion in nothing)
    for occasion in pl.concat([part.select("user_id", "period", "outside_rate") for part in (zeros, rated)]).rows():
        expected = len(bought) * (0.5 / len(nothing) + 0.5 * share[occasion[:2]] / total)
        assert occasion[2] == pytest.approx(min(expected, 1.0), rel=2e-3)
    assert rated["outside_rate"].n_unique() > 3


def test_no_zero_weighs_more_than_twice_what_it_would_in_an_even_sample(habits):
    purchases, visits, _ = habits

    zeros, _ = sampled_zeros(*habits, rule(zeros_per_purchase=0.5), seed=0)

    even = 0.5 * purchases.height / (visits.height - purchases.height)
    assert zeros["outside_rate"].min() >= even / 2 * (1 - 1e-3)
    assert zeros["outside_rate"].max() > 1.5 * even


def test_an_occasion_is_drawn_as_often_as_its_rate_says(habits):
    drawn = pl.concat([sampled_zeros(*habits, rule(), seed)[0] for seed in range(400)])

    seen = drawn.group_by("user_id", "period").agg(pl.len(), pl.col("outside_rate").first())
    rate = seen["outside_rate"].to_numpy()
    error = (seen["len"].to_numpy() / 400 - rate) / np.sqrt(rate * (1 - rate) / 400 + 1e-12)
    assert np.abs(error).max() < 4.5
    assert (1 / drawn["outside_rate"]).sum() / 400 == pytest.approx(60 * 8 - habits[0].height, rel=0.01)


def test_every_period_is_represented(habits):
    """What a period's zeros stand for is what it has, within the weight of one or two of them."""
    purchases, visits, _ = habits

    zeros, _ = sampled_zeros(*habits, rule(), seed=1)

    for period, part in by_period(zeros).items():
        there = visits.filter(period=period).height - purchases.filter(period=period).height
        assert abs((1 / part["outside_rate"]).sum() - there) < 2 / part["outside_rate"].min()


def test_no_buyer_is_among_the_occasions_without_purchase(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines(*({"user_id": user} for user in range(30))), shelf)

    zeros, _ = sampled_zeros(purchases, visits, shelf, rule(zeros_per_purchase=1.6), seed=0)

    assert zeros.join(purchases, on=OCCASION, how="semi").is_empty()
    assert zeros.select(OCCASION).is_unique().all()
    assert zeros.join(visits, on=["user_id", "period"], how="anti").is_empty()


def test_category_off_the_shelf_gives_no_occasion(lines, shop, weeks):
    shelf, visits = shop

    zeros, _ = sampled_zeros(purchases_on_shelf(lines({}), shelf), visits, shelf, rule(min_zeros=40), seed=0)

    assert zeros.filter(pl.col("category_id") == "B")["period"].unique().to_list() == [weeks(2)[1]]


def test_category_that_everybody_buys_has_rate_one(lines, shop):
    shelf, visits = shop
    week_1 = lines(*({"user_id": user, "product_id": 20, "week": 1} for user in range(40)))

    zeros, rated = sampled_zeros(purchases_on_shelf(week_1, shelf), visits, shelf, rule(), seed=0)

    assert zeros.filter(pl.col("category_id") == "B").is_empty()
    assert rated["outside_rate"].unique().to_list() == [1.0]


def test_equal_seeds_draw_equal_samples(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines(*({"user_id": user} for user in range(10))), shelf)

    first, again, other = (sampled_zeros(purchases, visits, shelf, rule(), seed)[0] for seed in (1, 1, 2))

    assert first.equals(again)
    assert not first.equals(other)


def test_choices_carry_their_rate_and_sum_to_one_per_occasion(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines({}, {"product_id": 11}, {"user_id": 2}), shelf)
    zeros, rated = sampled_zeros(purchases, visits, shelf, rule(min_zeros=3), seed=0)

    choices = arranged(rated, zeros)

    assert choices.group_by(OCCASION).agg(pl.col("weight").sum())["weight"].unique().to_list() == [1]
    assert choices.group_by(OCCASION).agg(pl.col("outside_rate").n_unique())["outside_rate"].unique().to_list() == [1]
    assert choices["product_id"].null_count() == zeros.height
    assert choices.schema["outside_rate"] == choices.schema["weight"] == pl.Float32


def test_choices_have_one_order_whatever_that_of_their_parts(lines, shop):
    shelf, visits = shop
    purchases = purchases_on_shelf(lines({}, {"product_id": 11}, {"user_id": 2}), shelf)
    zeros, rated = sampled_zeros(purchases, visits, shelf, rule(min_zeros=3), seed=0)

    choices = arranged(rated, zeros)

    assert arranged(rated.reverse(), zeros.reverse()).equals(choices)
    assert choices["period"].is_sorted()
