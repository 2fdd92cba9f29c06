"""Logs that keep every rule line by line, and are unfit as a whole."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.raw.checks_of_log import (
    LEAST_OF_SEVERAL,
    PRODUCT_IS_KNOWN,
    doubts_of_unknown,
    require_once,
    require_unit_prices,
)
from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import Checked
from gpu_pricer.tables.periods import Period

WEEK = Period("1w")


def lines(totals, several=40, weeks=4):
    """Lines of one unit at 2, and as many of several units, of which the first state what all of them cost."""
    quantity = np.concatenate([np.ones(several), 2.0 + np.arange(several) % 3])
    price = np.where(np.arange(2 * several) < several + totals, 2.0 * quantity, 2.0)
    day = np.arange(2 * several) % several % weeks
    return pl.DataFrame(
        {
            "product_id": 10,
            "quantity": quantity,
            "price": price,
            "time": [datetime(2025, 1, 6) + timedelta(weeks=int(week)) for week in day],
        }
    ).sort("time", maintain_order=True)


def test_prices_of_all_units_of_a_line_are_refused():
    with pytest.raises(InputError, match=r"sales\.csv must be those of one unit, found what all units cost") as error:
        require_unit_prices(lines(totals=40), "sales.csv", WEEK)

    assert "in 40 of 40 lines of several units, such as 2 of product 10 at 4.00, of which one costs 2.00" in str(
        error.value
    )


@pytest.mark.parametrize("log", [
    lines(totals=0), lines(totals=20), lines(totals=LEAST_OF_SEVERAL - 1, several=LEAST_OF_SEVERAL - 1),
    lines(totals=40).filter(pl.col("quantity") > 1), lines(totals=40).with_columns(quantity=pl.col("quantity") - 0.5),
    lines(totals=40).filter(quantity=1),
])  # fmt: skip
def test_other_prices_pass(log):
    require_unit_prices(log, "sales.csv", WEEK)


def test_a_price_that_rises_from_week_to_week_is_compared_within_its_own():
    log = lines(totals=40).with_columns(price=pl.col("price") * (1 + (pl.col("time").dt.ordinal_day() - 6) // 7))

    with pytest.raises(InputError, match=r"in 40 of 40 lines of several units"):
        require_unit_prices(log, "sales.csv", WEEK)


def sales_of(day_sizes, copied_on=(), share=0.0, at=range(8 * 3600, 20 * 3600), products=7):
    """So many lines on each day at different times of `at`, and on some days copies of the first lines."""
    parts = []
    for day, size in enumerate(day_sizes):
        second = np.array(at)[np.arange(size) % len(at)]
        start = datetime(2025, 1, 6) + timedelta(days=day)
        own = pl.DataFrame(
            {"time": [start + timedelta(seconds=int(s)) for s in second], "product_id": np.arange(size) % products}
        )
        parts += [own, own.head(round(share * size)) if day in copied_on else own.clear()]
    return pl.concat(parts).sort("time", maintain_order=True)


@pytest.mark.parametrize(("share", "is_told"), [(0.09, False), (0.11, True), (0.6, True)])
def test_days_with_many_more_copies_than_usual_are_a_doubt(share, is_told):
    doubts = require_once(sales_of([200] * 10, copied_on=(8, 9), share=share), "sales.csv", WEEK)

    assert len(doubts) == is_told
    if is_told:
        told = (
            f"2 days have many lines of sales.csv twice, such as {share:.0%} of those of 2025-01-14, where 0% are usual"
        )
        assert doubts[0].startswith(told)


@pytest.mark.parametrize("log", [
    sales_of([200] * 10, copied_on=range(10), share=0.4),  # as in a shop whose tills write a line for each unit
    sales_of([200] * 9 + [290], at=[0], products=150),  # times are days: on a busy day more lines are equal by chance
    sales_of([200] * 9 + [290], at=range(8 * 3600, 9 * 3600, 60), products=40),  # times are whole minutes
    sales_of([500] * 9 + [530], at=[0], products=11),  # a kiosk that knows neither buyers nor hours
    sales_of([40] * 10, copied_on=(9,), share=0.8),
])  # fmt: skip
def test_usual_copies_are_no_doubt(log):
    assert require_once(log, "sales.csv", WEEK) == []


@pytest.mark.parametrize(("times", "sizes"), [(2, [6, 30]), (3, [6, 30]), (4, [6, 30]), (5, [6, 30]), (2, [300])])
def test_days_that_were_loaded_several_times_are_refused(times, sizes):
    log = pl.concat([sales_of([40, *sizes]).filter(pl.col("time") > datetime(2025, 1, 7))] * (times - 1))
    log = pl.concat([log, sales_of([40, *sizes])]).sort("time", maintain_order=True)

    with pytest.raises(InputError, match=rf"all lines of {len(sizes)} days more than once, the first day 2025-01-07"):
        require_once(log, "sales.csv", WEEK)


@pytest.mark.parametrize(("earlier", "lately", "is_told"), [
    (0, 6, True), (0, 5, False), (0, 4, False), (5, 12, True), (20, 6, False), (200, 20, False),
])  # fmt: skip
def test_products_that_the_list_has_no_more_are_a_doubt(earlier, lately, is_told):
    """400 lines of known products in four weeks; some lines of unknown ones before the last week and in it."""

    def times(*days):
        return pl.DataFrame({"time": [datetime(2025, 1, 6) + timedelta(days=day) for day in days]})

    valid = times(*(day % 28 for day in range(400)))
    unknown = times(*(day % 21 for day in range(earlier)), *(21 + day % 7 for day in range(lately)))
    invalid = unknown.with_columns(pl.lit("invalid").alias(PRODUCT_IS_KNOWN))

    doubts = doubts_of_unknown(
        Checked(valid, invalid, {PRODUCT_IS_KNOWN: earlier + lately}, frozenset()), "sales.csv", WEEK
    )

    assert len(doubts) == is_told
    assert all(
        " of the lines of the last 7 days of sales.csv are of products that the list" in doubt for doubt in doubts
    )


def test_a_line_in_the_future_does_not_hide_the_unknown_products_of_the_last_week():
    days = [datetime(2025, 1, 6) + timedelta(days=day) for day in range(28)]
    unknown = pl.DataFrame({"time": [*days[-7:], datetime(2035, 1, 1)]}).with_columns(
        pl.lit("invalid").alias(PRODUCT_IS_KNOWN), time_has_come=pl.Series(["valid"] * 7 + ["invalid"])
    )
    broken = {PRODUCT_IS_KNOWN: 8, "time_has_come": 1}

    (doubt,) = doubts_of_unknown(Checked(pl.DataFrame({"time": days}), unknown, broken, frozenset()), "s.csv", WEEK)

    assert doubt.startswith("50% of the lines of the last 7 days of s.csv")


def test_a_week_without_any_known_product_is_told():
    days = [datetime(2025, 1, 6) + timedelta(days=day) for day in range(28)]
    unknown = pl.DataFrame({"time": days[-7:]}).with_columns(pl.lit("invalid").alias(PRODUCT_IS_KNOWN))

    (doubt,) = doubts_of_unknown(
        Checked(pl.DataFrame({"time": days[:-7]}), unknown, {PRODUCT_IS_KNOWN: 7}, frozenset()), "s.csv", WEEK
    )

    assert doubt.startswith("100% of the lines of the last 7 days of s.csv are of products that the list of products")


def lines_of(known, unknown, late):
    """Lines of known and of unknown products in three weeks, and `late` of each in the week after them."""

    def times(count):
        days = [*(day % 21 for day in range(count)), *(21 + day % 7 for day in range(late))]
        return pl.DataFrame({"time": [datetime(2025, 1, 6) + timedelta(days=day) for day in days]})

    ended = times(unknown).with_columns(pl.lit("invalid").alias(PRODUCT_IS_KNOWN), product_id=pl.int_range(pl.len()))
    ended = ended.with_columns(pl.col("product_id") % 8)
    return Checked(times(known), ended, {PRODUCT_IS_KNOWN: ended.height}, frozenset())


@pytest.mark.parametrize(("unknown", "is_told"), [(100, True), (99, False), (910, True), (0, False)])
def test_a_list_of_products_that_lacks_most_of_those_in_the_log_is_a_doubt(unknown, is_told):
    doubts = doubts_of_unknown(lines_of(known=100, unknown=unknown, late=7), "sales.csv", WEEK)

    lost, lines = unknown + 7, unknown + 114
    told = (
        f"{lost:,} of the {lines:,} lines of sales.csv ({lost / lines:.0%}) are of 8 products that the list of "
        "products lacks: demand is learned from the other lines alone; list ended products too, with stock 0 or "
        "without a stock, so that their sales teach"
    )
    assert [doubt for doubt in doubts if "ended products" in doubt] == ([told] if is_told else [])


@pytest.mark.parametrize(("lines", "is_told"), [(3, False), (4, True)])
def test_a_few_lines_of_unknown_products_are_no_doubt_whatever_their_share(lines, is_told):
    assert len(doubts_of_unknown(lines_of(known=1, unknown=lines, late=0), "s.csv", Period("1d"))) == is_told


@pytest.mark.parametrize(("known", "is_told"), [(6, True), (0, True), (7, False)])
def test_a_log_of_one_period_has_nothing_before_and_is_judged_by_all_its_lines(known, is_told):
    """The list of products lacks six lines' products."""
    doubts = doubts_of_unknown(lines_of(known=known, unknown=6, late=0), "s.csv", Period("4w"))

    assert [" before" in doubt for doubt in doubts] == [False] * is_told
    assert all(f"6 of the {known + 6} lines of s.csv" in doubt for doubt in doubts)


def test_lines_without_any_time_give_no_doubt():
    checked = lines_of(known=0, unknown=6, late=0)
    untimed = Checked(
        checked.valid.clear(), checked.invalid.with_columns(time=pl.lit(None, pl.Datetime)), checked.broken, frozenset()
    )

    assert doubts_of_unknown(untimed, "s.csv", WEEK) == []


def test_a_list_that_never_had_most_products_and_lacks_the_new_ones_too_is_two_doubts():
    checked = lines_of(known=100, unknown=150, late=0)
    late = pl.DataFrame({"time": [datetime(2025, 2, 2)] * 9, "product_id": 9}).cast({"product_id": pl.Int64})
    invalid = pl.concat([checked.invalid, late.with_columns(pl.lit("invalid").alias(PRODUCT_IS_KNOWN))], how="diagonal")

    first, second = doubts_of_unknown(Checked(checked.valid, invalid, checked.broken, frozenset()), "s.csv", WEEK)

    assert first.startswith("100% of the lines of the last 7 days")
    assert second.startswith("159 of the 259 lines of s.csv (61%) are of 9 products")
