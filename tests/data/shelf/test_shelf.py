"""The price on the shelf: one test for each trap of real sales logs."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.data.shelf.shelf import (
    ShelfRule,
    imputed_shelf,
    modal_prices,
    offered_shelf,
    period_context,
    with_context,
)
from gpu_pricer.data.shelf.still_sold import StillSold
from gpu_pricer.tables.periods import Period

WEEK = Period("1w")


def shelf_of(lines, weeks, min_lines=2, carry_periods=4, usual_of=5):
    return imputed_shelf(modal_prices(lines), weeks, WEEK, ShelfRule(min_lines, carry_periods, usual_of))


def test_price_is_the_most_frequent_one_of_all_stores(lines, weeks):
    sales = lines({"price": 2.5}, {"price": 2.0}, {"price": 2.5, "user_id": 2})

    shelf = shelf_of(sales, weeks(1))

    assert shelf["price"].to_list() == [2.5]


def test_a_list_price_below_the_price_is_the_price(lines):
    modal = modal_prices(lines({"list_price": 1.99}, {"product_id": 11, "list_price": 3.0}, {"product_id": 12}))

    assert modal["list_price"].to_list() == [2.0, 3.0, None]


def test_a_carried_list_price_is_not_below_the_carried_price(lines, weeks):
    """The list price was known before the price rose only."""
    sales = lines(
        {"list_price": 2.5}, {"week": 1, "price": 4.0}, {"week": 2, "price": 4.0}, {"week": 3, "product_id": 11}
    )

    shelf = shelf_of(sales, weeks(4), min_lines=1).filter(product_id=10)

    assert shelf.select("price", "list_price").rows()[-1] == (4.0, 4.0)


def test_tie_goes_to_the_higher_price_and_the_lower_list_price(lines, weeks):
    """A coupon lowers the price of a single line."""
    sales = lines(
        {"price": 2.5, "list_price": 4.0}, {"price": 2.0, "list_price": 3.0},
        {"price": 2.5, "list_price": 3.0}, {"price": 2.0, "list_price": 4.0},
    )  # fmt: skip

    shelf = shelf_of(sales, weeks(1))

    assert shelf.select("price", "list_price").rows() == [(2.5, 3.0)]


def test_list_price_follows_the_same_rule(lines, weeks):
    sales = lines({"list_price": 4.0}, {"list_price": 3.0}, {"list_price": 3.0}, {"list_price": None})

    shelf = shelf_of(sales, weeks(1))

    assert shelf["list_price"].to_list() == [3.0]


def test_lines_of_price_groups_tell_the_shelf_s_price_only_where_no_other_does(lines, weeks):
    low = {"price": 1.5, "list_price": 3.0}
    later, other = low | {"week": 1}, low | {"product_id": 11}
    sales = lines(*[low] * 3, {"price": 2.0, "list_price": 4.0}, later, later, other, other)
    sales = sales.with_columns(price_group=pl.Series([1, 1, 2, 0, 1, 2, 1, 2], dtype=pl.UInt16))

    seen = shelf_of(sales, weeks(2)).filter(pl.col("price_age") == 0)

    assert seen.select("product_id", "price", "list_price").rows() == [(10, 2.0, 4.0), (10, 1.5, 3.0), (11, 1.5, 3.0)]


def test_one_line_reveals_no_price(lines, weeks):
    sales = lines({"product_id": 10}, {"product_id": 11}, {"product_id": 11})

    shelf = shelf_of(sales, weeks(1))

    assert shelf["product_id"].to_list() == [11]


@pytest.mark.parametrize("carry_periods", [0, 1, 4])
def test_price_is_carried_forward_up_to_the_limit(lines, weeks, carry_periods):
    sales = lines({"price": 2.0}, {"price": 2.0})

    shelf = shelf_of(sales, weeks(8), carry_periods=carry_periods)

    assert shelf["period"].to_list() == weeks(1 + carry_periods)


@pytest.mark.parametrize(
    ("known", "usual_of", "carried"),
    [
        ([2.0, 3.0], 1, 3.0),
        ([3.0, 3.0, 2.0], 3, 3.0),  # a promotion in the last week is not carried over
        ([2.0, 3.0], 5, 3.0),  # the higher one of two middle prices
        ([9.0, 2.0, 2.5, 3.0], 3, 2.5),
    ],
)
def test_carried_price_is_the_usual_of_the_latest_known(lines, weeks, known, usual_of, carried):
    sales = lines(*({"week": week, "price": price} for week, price in enumerate(known) for _ in range(2)))

    shelf = shelf_of(sales, weeks(len(known) + 2), usual_of=usual_of)

    assert shelf["price"].to_list() == [*known, carried, carried]


def test_carried_list_price_is_the_usual_one_too(lines, weeks):
    known = [4.0, 4.0, 3.0]
    sales = lines(*({"week": week, "list_price": price} for week, price in enumerate(known) for _ in range(2)))

    shelf = shelf_of(sales, weeks(4), usual_of=3)

    assert shelf["list_price"].to_list() == [4.0, 4.0, 3.0, 4.0]


@pytest.mark.parametrize("elasticity", [0.0, -2.0])
def test_where_most_prices_are_seen_they_teach_the_true_response(lines, weeks, elasticity):
    """A fifth of the weeks at 25 % off; seven buyers a week at the usual price."""
    rng, products, periods = np.random.default_rng(0), 200, 50
    price = np.where(rng.random((products, periods)) < 0.2, 1.5, 2.0)
    sold = rng.poisson(7 * (price / 2) ** elasticity)
    product, week = (np.repeat(index.ravel(), sold.ravel()).tolist() for index in np.indices(sold.shape))
    rows = [{"product_id": p, "week": w, "price": price[p, w]} for p, w in zip(product, week, strict=True)]

    shelf = shelf_of(lines(*rows), weeks(periods))

    cells = shelf.with_columns(week=(pl.col("period") - weeks(1)[0]).dt.total_days() // 7)
    bought = sold[cells["product_id"].to_numpy(), cells["week"].to_numpy()]
    is_cut = cells["price"].to_numpy() < 2.0
    found = np.log(bought[is_cut].mean() / bought[~is_cut].mean()) / np.log(1.5 / 2)
    assert (cells["price_age"] == 0).mean() > 0.98
    assert found == pytest.approx(elasticity, abs=0.1)


def test_usual_price_is_the_product_s_own(lines, weeks):
    sales = lines(
        *({"product_id": product, "price": price} for product, price in ((10, 2.0), (11, 5.0)) for _ in range(2))
    )

    shelf = shelf_of(sales, weeks(2))

    assert shelf.sort("product_id", "period")["price"].to_list() == [2.0, 2.0, 5.0, 5.0]


def test_price_never_looks_ahead(lines, weeks):
    early = lines({"price": 2.0}, {"price": 2.0})
    later = pl.concat([early, lines({"week": 2, "price": 9.0}, {"week": 2, "price": 9.0})])

    before, after = shelf_of(early, weeks(2)), shelf_of(later, weeks(4))

    assert before.equals(after.filter(pl.col("period") < weeks(3)[2]))


def test_price_of_a_period_does_not_depend_on_who_asks(lines, weeks):
    """Trap 1: bought and unbought offers share one row, so that no price can tell the outcome."""
    sales = lines({"user_id": 1, "price": 1.0}, {"user_id": 2, "price": 2.0}, {"user_id": 3, "price": 2.0})

    shelf = shelf_of(sales, weeks(1))

    assert shelf.group_by("product_id", "period").agg(pl.col("price").n_unique())["price"].to_list() == [1]
    assert "user_id" not in shelf.columns


def test_no_price_outside_the_whole_periods(lines, weeks):
    sales = lines({"week": 0}, {"week": 0}, {"week": 1}, {"week": 1})

    shelf = shelf_of(sales, weeks(3)[1:])

    assert shelf["period"].min() == weeks(2)[1]


def offered(lines, weeks, min_lines=1, carry_periods=2, usual_of=1):
    """The rows (week, price, price_age) from which demand is learned."""
    rule = ShelfRule(min_lines, carry_periods, usual_of)
    shelf = offered_shelf(modal_prices(lines), weeks, WEEK, rule)
    week = (pl.col("period") - weeks[0]).dt.total_days() // 7
    return shelf.select(week, "price", "price_age").rows()


def test_sales_of_a_period_never_tell_that_the_product_was_on_offer_then(lines, weeks):
    """Sold in weeks 4 and 9 only: no week within two before tells of either, whatever they sold."""
    sales = lines({"week": 4}, {"week": 9})

    assert offered(sales, weeks(12)) == [(5, 2.0, 1), (6, 2.0, 2), (10, 2.0, 1), (11, 2.0, 2)]


def still_sold(staying=(), left=(), launched=()):
    return StillSold(
        pl.Series(staying, dtype=pl.Int64),
        pl.Series([], dtype=pl.Int64),
        pl.DataFrame(left, schema={"product_id": pl.Int64, "since": pl.Date}, orient="row"),
        pl.DataFrame(launched, schema={"product_id": pl.Int64, "on_sale": pl.Date}, orient="row"),
    )


@pytest.mark.parametrize("find", [imputed_shelf, offered_shelf])
def test_products_that_have_left_are_off_the_shelf_from_then_on(lines, weeks, find):
    sales = lines(*({"week": week, "product_id": product} for week in range(4) for product in (10, 11)))
    rule = ShelfRule(1, 3, 1)

    shelf = find(modal_prices(sales), weeks(8), WEEK, rule, still_sold(left=[(10, weeks(6)[5])]))

    assert shelf.filter(product_id=10)["period"].to_list() == weeks(5)
    assert shelf.filter(product_id=11)["period"].to_list() == weeks(7)


def weeks_on_offer(shelf, product):
    of_product = shelf.filter(product_id=product)
    weeks = (of_product["period"] - date(2024, 1, 1)).dt.total_days() // 7
    return list(zip(weeks.to_list(), of_product["price"].to_list(), of_product["price_age"].to_list(), strict=True))


def test_a_launch_puts_a_product_on_offer_before_a_sale_has_told_of_it(lines, weeks):
    """Products 10 and 11 sell in weeks 6 and 8; 10 is launched in week 5, and nothing is known of 11."""
    sold = ((week, price, product) for week, price in ((6, 2.0), (8, 3.0)) for product in (10, 11))
    sales = lines(*({"week": week, "price": price, "product_id": product} for week, price, product in sold))
    still = still_sold(launched=[(10, weeks(6)[5])])

    shelf = offered_shelf(modal_prices(sales), weeks(10), WEEK, ShelfRule(1, 2, 1), still)

    later = [(7, 2.0, 1), (8, 3.0, 0), (9, 3.0, 1)]
    assert weeks_on_offer(shelf, 11) == later
    assert weeks_on_offer(shelf, 10) == [(5, 2.0, 1), (6, 2.0, 0), *later]
    known = imputed_shelf(modal_prices(sales), weeks(10), WEEK, ShelfRule(1, 2, 1), still)
    assert weeks_on_offer(known, 11) == [(6, 2.0, 0), *later]
    assert weeks_on_offer(known, 10) == weeks_on_offer(shelf, 10)


@pytest.mark.parametrize(("week", "found"), [(5, [5, 6, 7]), (6, [5, 6, 7, 8]), (7, [5, 6, 8]), (8, [5, 6])])
def test_sales_tell_of_a_launched_product_as_those_of_any_other(lines, weeks, week, found):
    """Sold in one week, launched in week 5; a launch, or a sale, tells of carry_periods weeks."""
    still = still_sold(launched=[(10, weeks(6)[5])])

    shelf = offered_shelf(modal_prices(lines({"week": week})), weeks(9), WEEK, ShelfRule(1, 2, 1), still)

    assert [week for week, *_ in weeks_on_offer(shelf, 10)] == found


@pytest.mark.parametrize(("staying", "found"), [((), [2, 3, 8]), ((10,), [2, 3, 4, 5, 6, 7, 8])])
def test_a_launch_tells_of_the_next_carry_periods_and_of_all_if_the_product_stays(lines, weeks, staying, found):
    """First sold in week 7, two weeks of carry_periods after a launch in week 2 have passed."""
    still = still_sold(staying, launched=[(10, weeks(3)[2])])

    shelf = offered_shelf(modal_prices(lines({"week": 7})), weeks(9), WEEK, ShelfRule(1, 2, 1), still)

    assert [week for week, *_ in weeks_on_offer(shelf, 10)] == found


@pytest.mark.parametrize("weeks_before", [1, 4, 50])
def test_a_launch_before_the_log_tells_no_more_than_its_carry_periods(lines, weeks, weeks_before):
    launch = weeks(1)[0] - timedelta(weeks=weeks_before)

    shelf = offered_shelf(
        modal_prices(lines({"week": 6})), weeks(8), WEEK, ShelfRule(1, 3, 1), still_sold(launched=[(10, launch)])
    )

    assert [week for week, *_ in weeks_on_offer(shelf, 10)] == [*range(max(0, 3 - weeks_before)), 7]


def test_products_that_are_still_sold_are_on_offer_from_the_first_sale_to_the_end(lines, weeks):
    """One line each in weeks 2, 5 and 10, which reveal no price of another product with the same lines."""
    sold = ((week, price, product) for week, price in ((2, 2.0), (5, 3.0), (10, 4.0)) for product in (10, 11))
    sales = lines(*({"week": week, "price": price, "product_id": product} for week, price, product in sold))
    rule, still = ShelfRule(2, 1, 1), still_sold(staying=[10])

    shelf = offered_shelf(modal_prices(sales), weeks(13), WEEK, rule, still)

    assert shelf["product_id"].unique().to_list() == [10]
    week = (shelf["period"] - weeks(1)[0]).dt.total_days() // 7
    assert week.to_list() == list(range(3, 13))  # the first sale's own week tells of none
    assert shelf["price"].to_list() == [2.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0]
    assert shelf["price_age"].to_list() == [1, 2, 0, 1, 2, 3, 4, 0, 1, 2]
    known = imputed_shelf(modal_prices(sales), weeks(13), WEEK, rule, still)
    assert known.filter(pl.col("period") > weeks(3)[2]).equals(shelf)


def test_single_lines_of_what_often_has_more_reveal_no_price(lines, weeks):
    sales = lines(*[{"week": week, "price": 2.0} for week in (0, 1, 2) for _ in range(3)], {"week": 3, "price": 1.0})

    shelf = imputed_shelf(modal_prices(sales), weeks(5), WEEK, ShelfRule(2, 1, 1), still_sold(staying=[10]))

    assert shelf["price"].to_list() == [2.0] * 5


@settings(deadline=None, max_examples=30)
@given(sold=st.lists(st.booleans(), min_size=3, max_size=14), carry_periods=st.integers(1, 4), data=st.data())
def test_whether_a_product_is_on_offer_does_not_depend_on_the_period_s_own_sales(sold, carry_periods, data):
    asked = data.draw(st.integers(0, len(sold) - 1))
    periods = [date(2024, 1, 1) + timedelta(days=7 * week) for week in range(len(sold))]

    def is_on_offer(sold):
        weeks = [week for week, is_sold in enumerate(sold) if is_sold]
        modal = pl.DataFrame(
            {"product_id": [1] * len(weeks), "period": [periods[w] for w in weeks], "price": [2.0] * len(weeks)},
            schema={"product_id": pl.Int64, "period": pl.Date, "price": pl.Float64},
        ).with_columns(list_price=pl.lit(None, pl.Float64), lines=pl.lit(2, pl.UInt32))
        shelf = offered_shelf(modal, periods, WEEK, ShelfRule(2, carry_periods, 5))
        return periods[asked] in shelf["period"].to_list()

    found = is_on_offer(sold)

    assert is_on_offer([*sold[:asked], not sold[asked], *sold[asked + 1 :]]) == found
    before = [w for w in range(asked) if sold[w]]
    after = [w for w in range(asked + 1, len(sold)) if sold[w]]
    by_before = bool(before) and asked - before[-1] <= carry_periods
    by_after = bool(after) and after[0] - asked <= carry_periods and asked < carry_periods
    assert found == (by_before or by_after)


def test_a_price_that_was_known_the_longest_time_before_lets_the_own_price_count(lines, weeks):
    sales = lines({"week": 4, "price": 2.0}, {"week": 6, "price": 3.0})

    assert offered(sales, weeks(8)) == [(5, 2.0, 1), (6, 3.0, 0), (7, 3.0, 1)]


def test_weeks_of_an_early_gap_have_the_price_before_it_whichever_end_is_nearer(lines, weeks):
    sales = lines({"week": 0, "price": 2.0}, {"week": 4, "price": 3.0})

    shelf = offered(sales, weeks(6), carry_periods=4)

    assert shelf[:4] == [(0, 2.0, 0), (1, 2.0, 1), (2, 2.0, 2), (3, 2.0, 1)]


def test_a_new_product_is_not_on_offer_before_it_came(lines, weeks):
    sales = lines(*({"week": week} for week in (5, 6, 7)))

    assert [week for week, *_ in offered(sales, weeks(9))] == [6, 7, 8]


def test_before_its_first_price_in_a_log_s_first_periods_a_product_has_that_price(lines, weeks):
    sales = lines({"week": 1, "price": 3.0}, {"week": 2, "price": 2.0})

    assert offered(sales, weeks(3)) == [(0, 3.0, 1), (1, 3.0, 0), (2, 2.0, 0)]


@pytest.mark.parametrize(("weeks_of_log", "carry_periods"), [(1, 4), (3, 0)])
def test_own_sales_tell_where_no_other_period_can(lines, weeks, weeks_of_log, carry_periods):
    assert offered(lines({}), weeks(weeks_of_log), carry_periods=carry_periods) == [(0, 2.0, 0)]


def test_promotion_of_the_period_is_on_the_shelf_and_absent_means_none(lines, weeks):
    shelf = shelf_of(lines({}, {}), weeks(2))
    context = pl.DataFrame({"product_id": [10], "time": weeks(1), "display": [0.5], "mailer": [0.25]})

    with_promotion = with_context(
        shelf, [period_context(context.with_columns(pl.col("time").cast(pl.Datetime("us"))), WEEK)]
    )

    assert with_promotion["display"].to_list() == [0.5, 0.0]
    assert with_promotion["mailer"].to_list() == [0.25, 0.0]


def test_daily_context_counts_with_its_mean(weeks):
    days = [weeks(1)[0] + timedelta(days=day) for day in (0, 1)]
    context = pl.DataFrame({"product_id": [10, 10], "time": days, "display": [0.0, 1.0], "temperature": [10, 20]})

    mean = period_context(context.with_columns(pl.col("time").cast(pl.Datetime("us"))), WEEK)

    assert mean.select("display", "temperature").rows() == [(0.5, 15.0)]


def test_columns_of_the_shelf_are_no_context(weeks):
    context = pl.DataFrame({"product_id": [10], "time": weeks(1), "price": [1.0], "note": ["sunny"], "empty": [None]})

    mean = period_context(context.with_columns(pl.col("time").cast(pl.Datetime("us"))), WEEK)

    assert mean.columns == ["product_id", "period"]


@pytest.mark.parametrize(
    ("min_lines", "carry_periods", "usual_of"), [(0, 4, 5), (2, -1, 5), (2.0, 4, 5), (True, 4, 5), (2, 4, 0)]
)
def test_impossible_rule_is_refused(min_lines, carry_periods, usual_of):
    with pytest.raises(ValueError, match="whole number"):
        ShelfRule(min_lines, carry_periods, usual_of)
