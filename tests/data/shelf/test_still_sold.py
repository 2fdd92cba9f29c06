"""Products in stock that count as on the shelf: by hand, and against draws of when products are sold."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.shelf.still_sold import LEAST_CHANCE, StillSold, in_stock
from gpu_pricer.tables.periods import Calendar, Period
from tests.data.shelf.test_departures import lines_of

WEEK = Period("1w")
WEEKS = [date(2025, 1, 6) + timedelta(weeks=week) for week in range(50)]


def products_of(stock=(), launched=()):
    count = max(len(stock), len(launched))
    return pl.DataFrame(
        {"product_id": range(count), "stock": stock or [None] * count, "launched": launched or [None] * count},
        schema_overrides={"stock": pl.Float64, "launched": pl.Datetime("us")},
    )


def sold(*weeks):
    schema = {"product_id": pl.Int64, "period": pl.Date}
    return pl.DataFrame([(1, WEEKS[week]) for week in weeks], schema=schema, orient="row")


def is_there(sales, stock=5.0):
    products = pl.DataFrame({"product_id": [1], "stock": [stock]}, schema_overrides={"stock": pl.Float64})
    return in_stock(products, sales, WEEKS).to_list() == [1]


@pytest.mark.parametrize(
    ("weeks", "expected"),
    [
        ((), True),  # new: never sold
        ((3,), True),  # sold once: nothing says how often it is
        ((0, 30), True),
        (tuple(range(0, 40, 10)), True),
        (tuple(range(46)), True),  # silent for 4 weeks: (45 / 49) ** 45 = .022
        (tuple(range(45)), False),  # and for 5: .0088
        ((49,), True),
        ((0, 1, 2, 3), False),  # (3 / 49) ** 3
    ],
)
def test_a_long_silence_of_what_was_sold_often_speaks_against_the_stock(weeks, expected):
    chance = ((max(weeks) - min(weeks)) / max(49 - min(weeks), 1)) ** (len(weeks) - 1) if weeks else 1.0

    assert is_there(sold(*weeks)) is expected
    assert (chance >= LEAST_CHANCE) is expected


@pytest.mark.parametrize("stock", [None, 0.0])
def test_nothing_is_known_of_products_without_stock(stock):
    assert not is_there(sold(*range(50)), stock)


def test_of_products_that_are_still_sold_one_in_a_hundred_is_missed():
    """Weekly sales with the chances of rare and of frequent sellers; all products are sold to the end."""
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.01, 0.6, 4000)
    product, week = np.nonzero(rng.random((4000, 50)) < chance[:, None])
    sales = pl.DataFrame({"product_id": product, "period": [WEEKS[number] for number in week]})
    products = pl.DataFrame({"product_id": np.arange(4000), "stock": np.ones(4000)})

    missed = 4000 - len(in_stock(products, sales, WEEKS))

    assert 0 < missed < 4000 * 2 * LEAST_CHANCE


def test_products_that_left_are_found_the_sooner_the_more_often_they_sold():
    rng = np.random.default_rng(1)
    found = {}
    for chance in (0.05, 0.3, 0.9):
        product, week = np.nonzero(rng.random((500, 40)) < chance)
        sales = pl.DataFrame({"product_id": product, "period": [WEEKS[number] for number in week]})
        products = pl.DataFrame({"product_id": np.arange(500), "stock": np.ones(500)})
        found[chance] = 500 - len(in_stock(products, sales, WEEKS))

    assert found[0.05] < found[0.3] < found[0.9] == 500


def test_nothing_follows_from_silences_where_offers_state_the_shelf():
    counts = np.full((5, 50), 6)
    for product, end in enumerate((10, 20, 30)):
        counts[product, end:] = 0
    products = products_of([None, None, 3.0, 0.0, None])
    counts[3, 49] = 0
    calendar = Calendar(WEEKS, None, 0.0)

    told, stated = (StillSold.of(products, lines_of(counts), calendar, WEEK, is_stated=said) for said in (False, True))

    assert told.left["product_id"].to_list() == [0, 1, 2]
    assert sorted(told.off_shelf) == [0, 1, 2, 3]
    assert stated.left.is_empty()
    assert stated.off_shelf.is_empty()
    assert told.staying.to_list() == []


def first_days(launched, counts=None, calendar=None, stock=()):
    """What follows from launches of products that sell so many lines a week, by default none."""
    modal = lines_of(np.zeros((len(launched), 50), int) if counts is None else counts)
    calendar = calendar or Calendar(WEEKS, None, 0.0)
    return StillSold.of(products_of(stock, launched), modal, calendar, WEEK, is_stated=False)


@pytest.mark.parametrize("is_begun", [False, True])
def test_new_products_are_on_the_shelf_and_those_to_come_are_not(is_begun):
    """Launches from six weeks before the week to price to two after it, each on a Wednesday; the last has stock."""
    calendar = Calendar(WEEKS[:-1], WEEKS[-1], 0.5) if is_begun else Calendar(WEEKS, None, 0.0)
    to_price = datetime(2025, 1, 6) + timedelta(weeks=49 if is_begun else 50)
    launched = [to_price + timedelta(weeks=week, days=2) for week in range(-6, 3)]

    found = first_days(launched, calendar=calendar, stock=[None] * 8 + [5.0])

    assert found.staying.to_list() == [1, 2, 3, 4, 5, 6]  # whole weeks on sale: 4 to 0, and the one to price
    assert sorted(found.off_shelf) == [7, 8]
    assert found.left.is_empty()


def test_the_first_whole_period_of_a_product_begins_on_or_after_its_launch():
    monday = datetime(2025, 3, 3)
    found = first_days([monday, monday + timedelta(hours=8), monday + timedelta(days=1), monday + timedelta(days=6)])

    days = found.launched["on_sale"].to_list()

    assert days == [date(2025, 3, 3)] * 2 + [date(2025, 3, 10)] * 2


def test_the_launch_of_what_was_sold_before_counts_as_not_known(caplog):
    counts = np.zeros((3, 50), int)
    counts[0, 10:] = 3
    counts[1, 20:] = 3
    caplog.set_level("WARNING")

    found = first_days([WEEKS[30], WEEKS[20], None], counts)

    assert found.launched.rows() == [(1, WEEKS[20])]
    assert found.off_shelf.is_empty()
    [said] = caplog.messages
    assert said.startswith("1 of 2 products with a launch were sold before it, such as [0]: their launch counts")


def test_a_new_product_whose_silence_is_telling_has_left_all_the_same():
    counts = np.zeros((40, 50), int)
    counts[:30, 20:40] = 20  # thirty that ended, so that silences are known to mean an end
    counts[30:, 46:] = 20
    counts[30, 49] = 0

    found = first_days([None] * 30 + [WEEKS[46]] * 10, counts)

    assert 30 in found.off_shelf
    assert sorted(found.staying) == list(range(31, 40))
