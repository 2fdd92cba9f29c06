"""The history of today's prices, and what rules that count days read of it."""

from datetime import date, timedelta

import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.version.price_history import (
    EarlierPrices,
    continued_history,
    days_since_change,
    prices_on,
    recorded_history,
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


def test_history_has_a_row_per_price_that_a_product_had():
    found = after([{"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.5}, {"a": 1.1, "b": 2.5}, {"a": 1.0}])

    assert found.rows() == [
        ("a", 1.0, day(0)), ("a", 1.1, day(2)), ("a", 1.0, day(3)), ("b", 2.0, day(0)), ("b", 2.5, day(1))
    ]  # fmt: skip


def test_run_that_is_repeated_on_a_day_replaces_the_prices_of_that_day():
    once = after([{"a": 1.0}, {"a": 1.5}])

    again = continued_history(
        EarlierPrices(once, day(1)), pl.DataFrame({"product_id": ["a"], "price": [1.0]}), day(1), 28
    )

    assert again.rows() == [("a", 1.0, day(0))]


def test_mistyped_day_that_would_forget_all_that_is_asked_for_is_refused():
    known, catalog = after([{"a": 1.0}, {"a": 1.5}]), pl.DataFrame({"product_id": ["a"], "price": [1.5]})
    earlier = EarlierPrices(known, day(1))

    with pytest.raises(InputError, match=r"day must not lie more than 28 days before 2026-11-02, .* found 2025-11-02"):
        continued_history(earlier, catalog, date(2025, 11, 2), 28)

    assert continued_history(earlier, catalog, day(1 - 28), 28).rows() == [("a", 1.5, day(1 - 28))]


def test_day_before_a_published_one_of_a_mistyped_year_is_refused_though_no_price_changed_on_it():
    catalog = pl.DataFrame({"product_id": ["a"], "price": [1.5]})
    before = EarlierPrices(after([{"a": 1.0}, {"a": 1.5}]), day(1))
    mistyped = continued_history(before, catalog, day(2 + 365), 28)
    assert mistyped.rows() == [("a", 1.5, day(1))], "it forgot the price of the first day"

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
