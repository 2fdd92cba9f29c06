"""Prices that change within a period: told apart from prices that differ between stores, and told in the log."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.shelf.price_changes import COUNTS, day_pairs, doubts_of_changes, share_changed, share_unlike

USERS = 40


def pairs_of(lines, price_of):
    """Two products that USERS users each buy on every day of two weeks, at price_of(week, day, user)."""
    days = [(week, day) for week in range(2) for day in range(7)]
    return day_pairs(
        lines(
            *(
                {"user_id": user, "product_id": product, "week": week, "day": day, "price": price_of(week, day, user)}
                for product in (10, 11)
                for week, day in days
                for user in range(USERS)
            )
        )
    )


def test_pairs_lie_within_a_day_or_between_the_days_of_a_period(lines):
    pairs = pairs_of(lines, lambda week, day, user: 2.0 + (week == 0 and day > 2))

    for product, within, within_agreeing, between, between_agreeing in pairs.sort("product_id").rows():
        assert product in (10, 11)
        assert within == within_agreeing == 2 * 7 * (USERS - 1)
        assert between == pytest.approx(2 * (7 * USERS - 1) * 6 / 7, rel=0.1)
        assert between_agreeing / between == pytest.approx((3 / 7 + 1) / 2, abs=0.08)


@pytest.mark.parametrize(
    ("price_of", "changed"),
    [
        (lambda week, day, user: 2.0 + week, 0.0),
        (lambda week, day, user: 2.0 + 0.005 * day, 0.0),
        (lambda week, day, user: 2.0 + (day > 2), 4 / 7),
        (lambda week, day, user: 2.0 + (day == 3), 2 / 7),
        (lambda week, day, user: 2.0 + day, 1.0),
    ],
)
def test_share_is_that_of_two_days_of_a_period_with_different_prices(lines, price_of, changed):
    """Of 21 pairs of days of a week, 12 lie on both sides of its fourth day, and 6 have that day."""
    assert share_changed(pairs_of(lines, price_of)) == pytest.approx(changed, abs=0.08)


def test_prices_of_stores_that_differ_on_every_day_are_no_change(lines):
    of_stores = np.random.default_rng(0).choice([2.0, 2.5], (2, 7, USERS))

    pairs = pairs_of(lines, lambda week, day, user: of_stores[week, day, user])

    assert pairs["between_agreeing"].sum() < 0.6 * pairs["between"].sum()
    assert share_changed(pairs) < 0.05


@pytest.mark.parametrize(("chance", "is_told"), [(0.05, False), (0.12, True)])
def test_discounts_that_only_some_buyers_have_are_told(lines, chance, is_told):
    """The coupons of one buyer in eight make successive sales differ in 2 · .12 · .88 of all pairs."""
    has_coupon = np.random.default_rng(0).random((2, 7, USERS)) < chance

    pairs = pairs_of(lines, lambda week, day, user: 2.0 - 0.4 * has_coupon[week, day, user])
    doubts = doubts_of_changes(pairs)

    assert share_unlike(pairs) == pytest.approx(2 * chance * (1 - chance), abs=0.03)
    assert is_told == any("pay different prices on the same day" in text for text in doubts)
    assert len(doubts) == is_told


def test_lines_of_price_groups_are_not_compared_with_each_other(lines):
    rows = lines(*({"user_id": user, "price": 2.0 + user, "day": day} for user in (0, 1) for day in (0, 1)))

    pairs = day_pairs(rows.with_columns(price_group=pl.col("user_id").cast(pl.Int32)))

    assert pairs.rows() == [(10, 0, 0, 2, 2)]


def test_few_pairs_tell_nothing(lines):
    pairs = pairs_of(lines, lambda week, day, user: 2.0 + day)
    few = pairs.with_columns((pl.col(name) / pl.col("between").sum() * 99).cast(pl.Int64) for name in COUNTS)

    assert share_changed(few) is None
    assert share_unlike(few.with_columns(within=pl.lit(20))) is None
    assert share_changed(pairs) == 1.0


def test_a_log_without_a_day_of_two_sales_tells_nothing(lines):
    pairs = day_pairs(lines(*({"week": week, "price": 2.0 + week} for week in range(4))))

    assert share_changed(pairs) is None


@pytest.mark.parametrize(("price_of", "told"), [(lambda week, day, user: 2.0 + day, 1), (lambda *_: 2.0, 0)])
def test_changes_within_periods_are_told_with_what_to_set(lines, price_of, told):
    doubts = doubts_of_changes(pairs_of(lines, price_of))

    assert len(doubts) == told
    assert all("100 % of the pairs of a product's sales on two days of a period differ" in text for text in doubts)
    assert all("set data.occasion_period to one in which prices stay" in text for text in doubts)
