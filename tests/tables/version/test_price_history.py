"""The history of today's prices, and what rules that count days read of it."""

import itertools
import math
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.errors import InputError
from gpu_pricer.tables.version.price_history import (
    LEAST,
    MOST,
    OWN,
    ROUNDING,
    EarlierPrices,
    anchor_prices,
    continued_history,
    days_since_change,
    prices_on,
    recorded_history,
    with_published,
    write_history,
)
from gpu_pricer.tables.version.seal import seal

FIRST = date(2026, 11, 1)


def day(number):
    return FIRST + timedelta(number)


def after(prices, days=28):
    """The history after nights with these prices; a night maps products to prices."""
    history = None
    for number, night in enumerate(prices):
        catalog = pl.DataFrame({"product_id": [*night], "price": [*night.values()]})
        earlier = None if history is None else EarlierPrices(history, day(number - 1))
        history = continued_history(earlier, catalog, day(number), days)
    return history


def told(history):
    return history.select("product_id", "price", "since").rows()


def test_history_has_a_row_per_price_that_a_product_had():
    found = after([{"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.5}, {"a": 1.1, "b": 2.5}, {"a": 1.0}])

    assert told(found) == [
        ("a", 1.0, day(0)), ("a", 1.1, day(2)), ("a", 1.0, day(3)), ("b", 2.0, day(0)), ("b", 2.5, day(1))
    ]  # fmt: skip


def test_run_that_is_repeated_on_a_day_replaces_the_prices_of_that_day():
    once = after([{"a": 1.0}, {"a": 1.5}])

    again = continued_history(
        EarlierPrices(once, day(1)), pl.DataFrame({"product_id": ["a"], "price": [1.0]}), day(1), 28
    )

    assert told(again) == [("a", 1.0, day(0))]


def test_mistyped_day_that_would_forget_all_that_is_asked_for_is_refused():
    known, catalog = after([{"a": 1.0}, {"a": 1.5}]), pl.DataFrame({"product_id": ["a"], "price": [1.5]})
    earlier = EarlierPrices(known, day(1))

    with pytest.raises(InputError, match=r"day must not lie more than 28 days before 2026-11-02, .* found 2025-11-02"):
        continued_history(earlier, catalog, date(2025, 11, 2), 28)

    assert told(continued_history(earlier, catalog, day(1 - 28), 28)) == [("a", 1.5, day(1 - 28))]


def test_day_before_a_published_one_of_a_mistyped_year_is_refused_though_no_price_changed_on_it():
    catalog = pl.DataFrame({"product_id": ["a"], "price": [1.5]})
    before = EarlierPrices(after([{"a": 1.0}, {"a": 1.5}]), day(1))
    mistyped = continued_history(before, catalog, day(2 + 365), 28)
    assert told(mistyped) == [("a", 1.5, day(1))], "it forgot the price of the first day"

    with pytest.raises(InputError, match=r"before 2027-11-03, the day of the published prices, found 2026-11-03: set"):
        continued_history(EarlierPrices(mistyped, day(2 + 365)), catalog, day(2), 28)


def test_damaged_history_is_refused_in_one_line(tmp_path):
    (tmp_path / "_record").mkdir()
    (tmp_path / "_record/price_history.parquet").touch()

    with pytest.raises(InputError, match=r"price_history\.parquet must be readable, found: .*; restore it"):
        recorded_history(tmp_path)


def test_lost_history_is_refused_where_the_seal_lists_it(tmp_path):
    (tmp_path / "_record").mkdir()
    seal(tmp_path)
    assert recorded_history(tmp_path) is None
    write_history(after([{"a": 1.0}]), tmp_path)
    seal(tmp_path)
    (tmp_path / "_record/price_history.parquet").unlink()

    with pytest.raises(InputError, match=r"_record/price_history\.parquet must be there, .* found none: restore it"):
        recorded_history(tmp_path)


def test_price_on_a_day_is_the_last_one_until_then_or_else_the_first_known():
    history = after([{"a": 1.0}, {"a": 1.1}, {"a": 1.1}, {"a": 1.3, "b": 5.0}])

    found = [dict(prices_on(history, day(number)).iter_rows()) for number in (-5, 0, 2, 3)]

    assert [prices["a"] for prices in found] == [1.0, 1.0, 1.1, 1.3]
    assert [prices["b"] for prices in found] == [5.0] * 4


@pytest.mark.parametrize("days", [1, 3, 28])
def test_what_is_left_out_is_never_asked_for(days):
    nights = [{"a": 1.0 + night % 5, "b": 2.0 + night // 7} for night in range(40)]
    whole, short = after(nights, days=366), after(nights, days=days)

    assert short.height < whole.height
    for back in range(days + 1):
        asked = day(39 - back)
        assert prices_on(short, asked).sort("product_id").equals(prices_on(whole, asked).sort("product_id"))
    known, kept = (dict(days_since_change(history, day(39)).iter_rows()) for history in (whole, short))
    assert all(kept[product] == known[product] or known[product] >= days for product in known)


def test_first_known_price_is_no_change():
    history = after([{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0, "c": 3.0}])

    assert dict(days_since_change(history, day(2)).iter_rows()) == {"a": None, "b": 1, "c": None}


def test_ids_of_another_kind_than_before_are_refused():
    catalog = pl.DataFrame({"product_id": [7], "price": [1.0]})

    with pytest.raises(InputError, match=r"product_id must be of the kind that the published prices have \(String\)"):
        continued_history(EarlierPrices(after([{"a": 1.0}]), day(0)), catalog, day(1), 28)


def anchors(nights, days=28):
    """The anchor of product a on each night; a night is today's price, and the lowest and highest published one."""
    history, found = None, []
    for number, (price, least, most) in enumerate(nights):
        catalog = pl.DataFrame({"product_id": ["a"], "price": [price]})
        earlier = None if history is None else EarlierPrices(history, day(number - 1))
        history = continued_history(earlier, catalog, day(number), days)
        found.append(anchor_prices(history, day(number - days))["price"].item())
        history = with_published(history, pl.DataFrame({"product_id": ["a"], LEAST: [least], MOST: [most]}))
    return found


def test_price_that_the_shop_sets_is_the_new_anchor():
    nights = [(10.0, 10.5, 10.5), (10.5, 10.5, 10.5), (8.0, 8.8, 8.8), (8.8, 9.0, 9.0), (8.8, 8.8, 8.8)]

    assert anchors(nights) == [10.0, 10.0, 8.0, 8.0, 8.0]


def test_end_of_a_promotion_is_a_price_of_the_shop_too():
    assert anchors([(10.0, 10.0, 10.0), (7.0, 7.7, 7.7), (7.0, 7.7, 7.7), (10.0, 10.0, 10.0)])[1:] == [7.0, 7.0, 10.0]


def test_anchor_of_a_product_that_was_never_published_is_the_price_that_the_shop_set_last():
    assert anchors([(10.0, None, None), (8.0, None, None), (8.0, None, None)]) == [10.0, 8.0, 8.0]


@pytest.mark.parametrize("today", [8.2, 9.0, 9.6, 10.0, 10.4, 11.0, 12.0])
def test_price_within_those_of_the_segments_or_rounded_is_a_published_one(today):
    assert anchors([(10.0, 9.0, 11.0), (today, 9.0, 11.0)]) == [10.0, 10.0]


def dearer_by(share):
    return lambda price: price * (1 + share)


def to_ending_above(price):
    """The lowest price that is not below and ends in 9 cents."""
    return (math.ceil((round(100 * price) - 9) / 10) * 10 + 9) / 100


def to_ending_below(price):
    """The highest price that is not above and ends in 9 cents."""
    return (math.floor((round(100 * price) - 9) / 10) * 10 + 9) / 100


ROUNDED = st.one_of(
    st.floats(-0.9 * ROUNDING, 0.9 * ROUNDING).map(dearer_by), st.sampled_from([to_ending_above, to_ending_below])
)


@settings(deadline=None)
@given(
    published=st.lists(st.tuples(st.floats(0.9, 1.1), st.floats(0.9, 1.1)), min_size=12, max_size=12),
    lag=st.integers(0, 3),
    start=st.sampled_from([2.0, 20.0]),
    rounded=ROUNDED,
    days=st.integers(4, 9),
)
def test_published_prices_move_no_anchor_however_late_and_rounded_they_are_applied(
    published, lag, start, rounded, days
):
    """A price that any segment saw up to `lag` nights before: the anchor is the price of so many days ago."""
    ranges = [(round(start * min(pair), 2), round(start * max(pair), 2)) for pair in published]
    today = [start, *(rounded(ranges[max(night - lag, 0)][night % 2]) for night in range(len(ranges) - 1))]

    found = anchors([(price, *known) for price, known in zip(today, ranges, strict=True)], days)

    assert found == pytest.approx([today[max(night - days, 0)] for night in range(len(today))], abs=0.006)


@pytest.mark.parametrize(
    "rounded",
    [to_ending_above, to_ending_below, *map(dearer_by, (-0.08, -0.035, 0.035, 0.08))],
    ids=["above", "below", "-8 %", "-3.5 %", "+3.5 %", "+8 %"],
)
def test_moves_that_the_shop_rounds_do_not_add_up(rounded):
    """Every night moves each price by a share, as far as 10 % around the anchor allow."""
    goods = [*itertools.product([1.0, 1.29, 2.0, 3.0, 100.0], [-0.1, -0.01, 0.0, 0.01, 0.1])]
    first, history = [price for price, _ in goods], None
    today = first
    for number in range(11):
        catalog = pl.DataFrame({"product_id": range(len(goods)), "price": today})
        earlier = None if history is None else EarlierPrices(history, day(number - 1))
        history = continued_history(earlier, catalog, day(number), 28)
        anchor = anchor_prices(history, day(number - 28)).sort("product_id")["price"].to_list()
        assert anchor == first
        published = [
            round(min(max(price * (1 + move), 0.9 * near), 1.1 * near), 2)
            for price, near, (_, move) in zip(today, anchor, goods, strict=True)
        ]
        known = {"product_id": range(len(goods)), LEAST: published, MOST: published}
        history = with_published(history, pl.DataFrame(known))
        today = [rounded(price) for price in published]


@settings(deadline=None)
@given(
    published=st.lists(st.tuples(st.floats(0.9, 1.1), st.floats(0.9, 1.1)), min_size=1, max_size=8),
    markdown=st.floats(0.15, 0.9),
)
def test_markdown_below_all_that_was_known_is_a_new_anchor_whatever_was_published(published, markdown):
    ranges = [(round(20 * min(pair), 2), round(20 * max(pair), 2)) for pair in published]
    nights = [(20.0, *known) for known in ranges]
    marked = round(min(20.0, *(least for least, _ in ranges)) * (1 - markdown), 2)

    assert anchors([*nights, (marked, marked, marked)]) == [20.0] * len(nights) + [marked]


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.6, 0.8, 1.0, 1.3]), min_size=2, max_size=10))
def test_anchor_is_the_price_of_the_last_change_where_the_shop_makes_all_of_them(factors):
    today = [10.0 * factor for factor in factors]

    found = anchors([(price, price, price) for price in today])

    assert found[-1] == pytest.approx(today[-1])


def test_run_that_is_repeated_on_a_day_finds_the_same_anchor():
    catalog = pl.DataFrame({"product_id": ["a"], "price": [8.0]})
    published = pl.DataFrame({"product_id": ["a"], LEAST: [8.2], MOST: [8.2]})
    earlier = EarlierPrices(
        with_published(after([{"a": 10.0}]), published.with_columns(pl.lit(10.0).alias(LEAST))), day(0)
    )
    once = continued_history(earlier, catalog, day(1), 28)

    again = continued_history(EarlierPrices(with_published(once, published), day(1)), catalog, day(1), 28)

    assert once[OWN].to_list() == again[OWN].to_list() == [False, True]
    assert again[MOST].to_list() == [8.2, 8.2]


def test_product_without_a_price_has_none_that_the_shop_set():
    known, catalog = (
        after([{"a": 1.0}]),
        pl.DataFrame({"product_id": ["a"], "price": pl.Series([None], dtype=pl.Float64)}),
    )

    found = continued_history(EarlierPrices(known, day(0)), catalog, day(1), 28)

    assert found[OWN].to_list() == [False, False]


def test_history_of_an_earlier_release_is_continued():
    old = after([{"a": 1.0}, {"a": 1.02}]).select("product_id", "price", "since")

    found = continued_history(
        EarlierPrices(old, day(1)), pl.DataFrame({"product_id": ["a"], "price": [1.04]}), day(2), 28
    )

    assert found[OWN].to_list() == [False] * 3
    assert anchor_prices(old, day(-27))["price"].to_list() == [1.0]
