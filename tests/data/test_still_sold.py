"""Products in stock that count as on the shelf: by hand, and against draws of when products are sold."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.still_sold import LEAST_CHANCE, StillSold, in_stock
from gpu_pricer.tables.periods import Calendar
from tests.data.test_departures import lines_of

WEEKS = [date(2025, 1, 6) + timedelta(weeks=week) for week in range(50)]


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
    products = pl.DataFrame({"product_id": range(5), "stock": [None, None, 3.0, 0.0, None]})
    counts[3, 49] = 0
    calendar = Calendar(WEEKS, None, 0.0)

    told, stated = (StillSold.of(products, lines_of(counts), calendar, is_stated=said) for said in (False, True))

    assert told.left["product_id"].to_list() == [0, 1, 2]
    assert sorted(told.off_shelf) == [0, 1, 2, 3]
    assert stated.left.is_empty()
    assert stated.off_shelf.is_empty()
    assert told.staying.to_list() == []
