"""The choices of a log, made one period at a time, are those of the log as a whole."""

from functools import partial

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.choices.choices import (
    ChoiceRule,
    occasion_sums,
    purchases_from_offers,
    purchases_on_shelf,
    total_sums,
    zeros_from_offers,
)
from gpu_pricer.data.choices.logged_choices import logged_choices
from gpu_pricer.data.choices.period_log import period_log

DATES = {"period": pl.Date}
COLUMNS = ["user_id", "period", "category_id", "product_id", "quantity"]


@pytest.fixture
def shelf(weeks):
    products = pl.DataFrame({"product_id": range(10), "category_id": list("AAABBBCCCD")})
    periods = pl.DataFrame({"period": weeks(4)}, schema={"period": pl.Date})
    return periods.join(products, how="cross").filter((pl.col("category_id") != "D") | (pl.col("period") > weeks(1)[0]))


@pytest.fixture
def sales(lines, weeks):
    """Lines of three of four weeks, of fractional quantities and often repeated."""
    rng = np.random.default_rng(0)
    rows = [
        {"user_id": int(u), "product_id": int(p), "week": int(w), "quantity": q / 3}
        for u, p, w, q in zip(*rng.integers([[20], [10], [3], [9]], size=(4, 900)), strict=True)
    ]
    return lines(*rows).sort("period", maintain_order=True).with_columns(occasion_id=pl.int_range(pl.len()) % 7)


def made(sales, shelf, weeks, is_offers=False, outside_option=True, keep_all_below=0):
    rule = ChoiceRule(outside_option, zeros_per_purchase=1, min_zeros=3, keep_all_below=keep_all_below, shrinkage=1)
    category_of = shelf.select("product_id", "category_id").unique()
    return logged_choices(period_log(sales, shelf, category_of, weeks(4), is_offers), rule, seed=0)


def test_purchases_are_those_of_the_whole_log(sales, shelf, weeks):
    found = made(sales, shelf, weeks)

    whole = purchases_on_shelf(sales, shelf)
    choices = pl.concat(found.parts()).filter(pl.col("product_id").is_not_null())
    assert choices.select(COLUMNS).sort(COLUMNS).equals(whole.select(COLUMNS).sort(COLUMNS))
    assert found.bought == whole.height
    sums = total_sums(list(found.sums.values())).sort("category_id")
    expected = occasion_sums(whole).sort("category_id")
    for name in ("occasions", "products", "units"):
        np.testing.assert_allclose(sums[name], expected[name], rtol=1e-12)


def test_all_zeros_are_kept_where_they_are_few(sales, shelf, weeks):
    choices = pl.concat(made(sales, shelf, weeks, keep_all_below=10_000).parts())

    visits = sales.select("user_id", "period").unique()
    looked = visits.join(shelf.select("period", "category_id").unique(), on="period")
    expected = looked.join(purchases_on_shelf(sales, shelf), on=["user_id", "period", "category_id"], how="anti")
    zeros = choices.filter(pl.col("product_id").is_null())
    assert zeros.select(COLUMNS[:3]).sort(COLUMNS[:3]).equals(expected.select(COLUMNS[:3]).sort(COLUMNS[:3]))


def test_who_bought_only_what_is_off_the_shelf_is_no_occasion_without_purchase(lines, weeks):
    """User 2 buys product 11 of category A, which is on no shelf; user 3 buys nothing of it."""
    sales = lines({"user_id": 1}, {"user_id": 2, "product_id": 11}, {"user_id": 3, "product_id": 20})
    shelf = pl.DataFrame({"period": weeks(1), "product_id": [10], "category_id": ["A"]}, schema_overrides=DATES)
    category_of = pl.DataFrame({"product_id": [10, 11, 20], "category_id": ["A", "A", "B"]})
    rule = ChoiceRule(True, zeros_per_purchase=1, min_zeros=3, keep_all_below=100, shrinkage=1)

    found = logged_choices(period_log(sales, shelf, category_of, weeks(1), False), rule, seed=0)

    choices = pl.concat(found.parts())
    assert choices.select("user_id", "product_id").sort("user_id").rows() == [(1, 10), (3, None)]
    assert choices["outside_rate"].to_list() == [1.0, 1.0]


def test_offers_are_those_of_the_whole_table(sales, shelf, weeks):
    offers = sales.with_columns(quantity=pl.col("quantity").clip(0, 1).floor(), weight=pl.lit(2.0))

    found = made(offers, shelf, weeks, is_offers=True)

    choices = pl.concat(found.parts())
    bought, nothing = purchases_from_offers(offers, shelf), zeros_from_offers(offers, shelf)
    expected = pl.concat([part.select(COLUMNS) for part in (bought, nothing)])
    assert choices.select(COLUMNS).sort(COLUMNS).equals(expected.sort(COLUMNS))
    assert (found.bought, found.nothing) == (bought.height, nothing.height)


def test_a_period_without_a_shelf_has_neither_visits_nor_choices(sales, shelf, weeks):
    gap = weeks(2)[1]

    found = made(sales, shelf.filter(pl.col("period") != gap), weeks, keep_all_below=10_000)

    assert found.log.without_shelf == [gap]
    others = made(sales.filter(pl.col("period") != gap), shelf, weeks, keep_all_below=10_000)
    assert found.visits.equals(others.visits)
    assert found.visits["period"].unique().sort().to_list() == [weeks(1)[0], weeks(3)[2]]
    assert pl.concat(found.parts()).equals(pl.concat(others.parts()))


@pytest.mark.parametrize("is_offers", [False, True])
@pytest.mark.parametrize("outside_option", [False, True])
def test_sizes_are_known_before_the_choices_are_made(sales, shelf, weeks, is_offers, outside_option):
    offers = sales.with_columns(quantity=pl.col("quantity").floor(), weight=pl.lit(None, pl.Float64))

    found = made(offers if is_offers else sales, shelf, weeks, is_offers, outside_option)

    choices = pl.concat(found.parts())
    assert found.height == choices.height
    assert found.nothing == choices["product_id"].null_count()
    assert (found.nothing > 0) == outside_option


def test_choices_are_equal_to_the_last_bit_each_time(sales, shelf, weeks):
    """Polars sums groups in an order that threads decide, unless it is told to keep that of the rows."""
    many = pl.concat([sales] * 40).sort("period", maintain_order=True)
    find = partial(made, many, shelf, weeks)

    first, others = find(), [find() for _ in range(5)]

    for other in others:
        assert pl.concat(other.parts()).equals(pl.concat(first.parts()))
        assert all(other.sums[period].equals(sums) for period, sums in first.sums.items())


def test_categories_that_every_visit_bought_from_are_named(lines, weeks):
    """Both users buy of A in every week; user 2 leaves out B in the second."""
    sales = lines(
        {"user_id": 1}, {"user_id": 1, "product_id": 20}, {"user_id": 2}, {"user_id": 2, "product_id": 20},
        {"user_id": 1, "week": 1}, {"user_id": 1, "product_id": 20, "week": 1}, {"user_id": 2, "week": 1},
    ).sort("period")  # fmt: skip
    periods = pl.DataFrame({"period": weeks(2)}, schema={"period": pl.Date})
    category_of = pl.DataFrame({"product_id": [10, 20], "category_id": ["A", "B"]})
    log = period_log(sales, periods.join(category_of, how="cross"), category_of, weeks(2), False)

    found = {has: logged_choices(log, ChoiceRule(has, 1, 3, 100, 1), seed=0) for has in (True, False)}

    assert (found[True].always_bought, found[True].nothing) == (["A"], 1)
    assert (found[False].always_bought, found[False].nothing) == ([], 0)
