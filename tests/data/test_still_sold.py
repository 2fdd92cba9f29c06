"""Products in stock or gone that are or are not on the shelf: by hand, and against draws of when products are sold."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.still_sold import LEAST_CHANCE, StillSold, departed, in_stock, sold_out
from gpu_pricer.tables.periods import Calendar

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


NOBODY = pl.Series([], dtype=pl.Int64)


def lines_of(counts, weeks=WEEKS):
    """Lines [P, weeks] as the periods with any."""
    product, week = np.nonzero(counts)
    rows = {"product_id": product, "period": [weeks[number] for number in week], "lines": counts[product, week]}
    return pl.DataFrame(rows, schema_overrides={"period": pl.Date})


def since_of(counts, none=NOBODY, begun=None):
    weeks = WEEKS[: counts.shape[1]]
    calendar = Calendar(weeks, None, 0.0) if begun is None else Calendar(weeks[:-1], weeks[-1], begun)
    found = departed(lines_of(counts), calendar, none)
    return {product: weeks.index(since) for product, since in found.rows()}


def assortment(rng, rate, end, products=300, weeks=50):
    """Lines of products that sell `rate` a week, from any week to `end` weeks later."""
    first = rng.integers(-end, weeks, products)
    is_there = (np.arange(weeks) >= first[:, None]) & (np.arange(weeks) < first[:, None] + end)
    return rng.poisson(rate, (products, weeks)) * is_there, first + end


@pytest.mark.parametrize("rate", [1.5, 6.0, 30.0])
def test_products_that_end_are_off_the_shelf_from_their_end(rate):
    counts, end = assortment(np.random.default_rng(0), rate, end=12)

    found = since_of(counts)

    sold = counts.sum(1) > 0
    long_ago = sold & (end <= 44) & (end >= 8)
    assert np.mean([product in found for product in np.flatnonzero(long_ago)]) > 0.95
    assert all(end[product] < 50 for product in found)
    late = np.array([since - end[product] for product, since in found.items()])
    assert np.abs(late).max() <= 4 / rate + 2
    assert np.mean(late == 0) > (0.9 if rate > 2 else 0.5)


def test_goods_that_sell_out_and_come_back_have_not_left():
    """Products of 5 lines a week are out of stock for 3 weeks at any time, one in eight now."""
    rng = np.random.default_rng(1)
    counts = rng.poisson(5.0, (200, 50))
    for product in range(200):
        for start in rng.choice(np.arange(5, 50, 5), 3, replace=False):
            counts[product, start : start + 3] = 0
    counts[:25, 47:] = 0
    counts[25:, 47:] += 1

    assert since_of(counts) == {}


def test_rare_and_new_products_have_not_left():
    rng = np.random.default_rng(2)
    rare = rng.poisson(0.2, (400, 50))
    once = np.zeros((200, 50), np.int64)
    once[np.arange(200), rng.integers(0, 44, 200)] = 9
    ended, _ = assortment(rng, 6.0, end=12)

    assert all(product >= 600 for product in since_of(np.concatenate([rare, once, ended])))


def test_two_ends_are_needed_to_believe_in_one():
    counts = np.full((4, 30), 6)
    counts[0, 20:] = 0

    assert since_of(counts) == {}
    counts[1, 10:] = 0
    assert since_of(counts) == {0: 20, 1: 10}


def test_products_without_stock_have_left_when_their_sales_end():
    counts = np.full((3, 30), 6)
    counts[0, 29] = counts[2, 28:] = 0

    assert since_of(counts) == {}
    assert since_of(counts, none=pl.Series([0, 1])) == {0: 29}


def test_a_sale_of_the_begun_period_says_that_a_product_is_there():
    counts = np.full((5, 31), 6)
    for product, end in enumerate((10, 15, 20, 25)):
        counts[product, end:] = 0

    assert since_of(counts, begun=0.3) == {0: 10, 1: 15, 2: 20, 3: 25}
    counts[3, 30] = 1
    assert since_of(counts, begun=0.3) == {0: 10, 1: 15, 2: 20}


def test_a_stock_of_zero_says_nothing_where_most_products_that_sell_state_it(caplog):
    products = pl.DataFrame({"product_id": [1, 2, 3, 4], "stock": [0.0, 0.0, 4.0, None]})
    counts = np.zeros((5, 50), np.int64)
    counts[1:5, 49] = 1

    assert sold_out(products, lines_of(counts), WEEKS[-1]).to_list() == [1, 2]
    assert not caplog.messages
    counts[4, 49] = 0
    assert sold_out(products, lines_of(counts), WEEKS[-1]).to_list() == []
    assert "2 of the 3 products sold in the last period state a stock of 0" in caplog.text


def test_nothing_follows_from_silences_where_offers_state_the_shelf():
    counts = np.full((5, 50), 6)
    for product, end in enumerate((10, 20, 30)):
        counts[product, end:] = 0
    products = pl.DataFrame({"product_id": range(5), "stock": [None, None, 3.0, 0.0, None]})
    calendar = Calendar(WEEKS, None, 0.0)

    told, stated = (StillSold.of(products, lines_of(counts), calendar, is_stated=said) for said in (False, True))

    assert told.left["product_id"].to_list() == [0, 1, 2]
    assert sorted(told.off_shelf) == [0, 1, 2, 3]
    assert stated.left.is_empty()
    assert stated.off_shelf.to_list() == [3]
    assert told.staying.to_list() == []
