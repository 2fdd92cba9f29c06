"""Products that have left: against assortments whose ends are known, and against living goods that look like it."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gpu_pricer.data.shelf.departures import departed, sold_out
from gpu_pricer.tables.periods import Calendar

WEEKS = [date(2025, 1, 6) + timedelta(weeks=week) for week in range(104)]

NOBODY = pl.Series([], dtype=pl.Int64)


def lines_of(counts, weeks=WEEKS):
    """Lines [P, weeks] as the periods with any."""
    product, week = np.nonzero(counts)
    rows = {"product_id": product, "period": [weeks[number] for number in week], "lines": counts[product, week]}
    return pl.DataFrame(rows, schema_overrides={"period": pl.Date})


def since_of(counts, out=NOBODY, stock=None, begun=None):
    weeks = WEEKS[: counts.shape[1]]
    calendar = Calendar(weeks, None, 0.0) if begun is None else Calendar(weeks[:-1], weeks[-1], begun)
    stocks = pl.DataFrame({"product_id": range(len(counts))}).with_columns(stock=pl.lit(stock, pl.Float64))
    found = departed(stocks, lines_of(counts), calendar, out)
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

    found = since_of(np.concatenate([rare, once, ended]))

    assert sum(product < 400 for product in found) <= 2
    assert not any(400 <= product < 600 for product in found)


def test_two_ends_are_needed_to_believe_in_one():
    counts = np.full((4, 30), 6)
    counts[0, 20:] = 0

    assert since_of(counts) == {}
    counts[1, 10:] = 0
    assert since_of(counts) == {0: 20, 1: 10}


def test_products_without_stock_have_left_when_their_sales_end():
    counts = np.full((3, 30), 6)
    counts[0, 29] = counts[2, 28:] = 0
    counts = np.concatenate([counts, np.full((9, 30), 6)])

    assert since_of(counts) == {}
    assert since_of(counts, out=pl.Series([0, 1])) == {0: 29}
    counts[0, ::2] = counts[0, 1::4] = 0
    assert since_of(counts, out=pl.Series([0, 1])) == {}  # sold in a quarter of the weeks, so it may have been there


def test_a_sale_of_the_begun_period_says_that_a_product_is_there():
    counts = np.full((5, 31), 6)
    for product, end in enumerate((10, 15, 20, 25)):
        counts[product, end:] = 0

    assert since_of(counts, begun=0.3) == {0: 10, 1: 15, 2: 20, 3: 25}
    counts[3, 30] = 1
    assert since_of(counts, begun=0.3) == {0: 10, 1: 15, 2: 20}


def test_a_stock_of_zero_says_nothing_where_most_products_that_sell_state_it(caplog):
    products = pl.DataFrame({"product_id": [1, 2, 3, 4, 5], "stock": [0.0, 0.0, 4.0, None, 0.0]})
    counts = np.zeros((6, 50), np.int64)
    counts[1:5, 49] = 1

    assert sold_out(products, lines_of(counts), WEEKS[49]).to_list() == [5]
    assert not caplog.messages
    counts[4, 49] = 0
    assert sold_out(products, lines_of(counts), WEEKS[49]).to_list() == []
    assert "2 of the 3 products sold in the last period state a stock of 0" in caplog.text


@pytest.mark.parametrize("closed", [1, 3])
@pytest.mark.parametrize("since", [0, 1])
def test_a_closed_shop_has_lost_no_product(closed, since):
    """Beside products that end, others sell on; the shop is all but closed for weeks before the log's end."""
    rng = np.random.default_rng(3)
    ended, end = assortment(rng, 6.0, end=15, products=500, weeks=104)
    counts = np.concatenate([rng.poisson(np.geomspace(0.5, 20, 500)[:, None], (500, 104)), ended])
    weeks = slice(104 - since - closed, 104 - since)
    counts[:, weeks] = rng.binomial(counts[:, weeks], 0.05)
    is_living = np.concatenate([np.ones(500, bool), end >= 104]) & (counts.sum(1) > 0)

    found = since_of(counts)

    assert np.mean([product in found for product in np.flatnonzero(is_living)]) < 0.01
    assert len(found) > 300


def test_what_silences_mean_depends_on_how_often_a_product_sells():
    """Products of 40 lines a week end; those of 2 are away for 12 weeks at times, and one is now for the first time."""
    often, seldom = np.full((60, 60), 40), np.full((60, 60), 2)
    for product in range(40):
        often[product, product + 10 :] = 0
        seldom[product, product + 10 : product + 22] = 0
    seldom[50, 55:] = often[50, 55:] = 0

    found = since_of(np.concatenate([often, seldom]))

    assert found == {product: product + 10 for product in range(40)} | {50: 55}


def test_a_begun_period_adds_nothing_to_a_silence():
    counts = np.full((40, 31), 6)
    for product in range(10):
        counts[product, product + 10 :] = 0
    counts[20, 30] = 0

    found = since_of(counts, begun=0.9)

    assert found == {product: product + 10 for product in range(10)}
    assert since_of(counts)[20] == 30


def test_goods_that_sell_in_promotions_alone_have_not_left():
    rng = np.random.default_rng(4)
    counts = rng.poisson(0.05, (300, 104))
    for product in range(300):
        for start in np.cumsum(rng.integers(6, 16, 12)):
            counts[product, start : start + 2] += rng.poisson(15.0)
    ended, _ = assortment(rng, 6.0, end=15, products=600, weeks=104)

    found = since_of(np.concatenate([counts, ended]))

    assert sum(product < 300 for product in found) <= 3


def test_a_product_that_came_back_from_as_long_a_silence_has_not_left():
    counts = np.full((6, 60), 6)
    for product, end in enumerate((20, 25, 30)):
        counts[product, end:] = 0
    counts[3:5, 55:] = 0

    assert since_of(counts) == {0: 20, 1: 25, 2: 30, 3: 55, 4: 55}
    counts[4, 40:45] = 0
    assert since_of(counts) == {0: 20, 1: 25, 2: 30, 3: 55}


def test_a_stock_of_a_period_and_more_speaks_against_an_end():
    counts = np.full((4, 40), 6)
    for product, end in enumerate((20, 25, 30)):
        counts[product, end:] = 0

    assert since_of(counts, stock=5.0) == {0: 20, 1: 25, 2: 30}
    assert since_of(counts, stock=6.0) == {}
