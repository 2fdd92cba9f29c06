"""Which products have a list price in a log, and which a copy of the price."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.network.encoding.list_prices import listed_products

WEEKS = 60


def rows(product_id, price, list_price, category="C", unseen=None):
    """The shelf rows of a product with the prices and list prices of week after week; unseen [weeks]."""
    unseen = np.zeros(len(price), bool) if unseen is None else unseen
    return pl.DataFrame(
        {
            "product_id": [product_id] * len(price),
            "category_id": [category] * len(price),
            "period": [date(2024, 1, 1) + timedelta(weeks=week) for week in range(len(price))],
            "price": pl.Series(price, dtype=pl.Float64),
            "list_price": pl.Series(list_price, dtype=pl.Float64),
            "price_age": pl.Series(unseen).cast(pl.Int64),
        }
    )


def steady_prices(rng, move=0.05):
    """Regular prices of WEEKS that move in so many of them, up or down."""
    return np.round(10 * np.exp(np.cumsum(rng.normal(0, 0.08, WEEKS) * (rng.random(WEEKS) < move))), 2)


def ladder_prices(rng):
    """Regular prices on three rungs, for ten weeks each, so that they often come back to a former one."""
    return np.repeat(rng.permutation([2.79, 2.99, 3.29, 2.79, 2.99, 3.29]), 10)


def cut_prices(rng, regular, share=0.15):
    return np.where(rng.random(WEEKS) < share, np.round(regular * 0.8, 2), regular)


def weekly_prices(rng):
    return np.round(10 * np.exp(rng.normal(0, 0.1, WEEKS)), 2)


def with_cuts(rng, regular=steady_prices, products=10):
    """Products with list prices, of which some prices are cut."""
    prices = [regular(rng) for _ in range(products)]
    return pl.concat(rows(f"cut {number}", cut_prices(rng, price), price) for number, price in enumerate(prices))


def listed(*shelves):
    """The listed products, without those of with_cuts, which must be among them."""
    shelf = pl.concat(shelves).sample(fraction=1.0, shuffle=True, seed=0)
    found = listed_products(shelf).to_list()
    assert found == sorted(found)
    cut = [name for name in found if name.startswith("cut")]
    assert cut == shelf.filter(pl.col("product_id").str.starts_with("cut"))["product_id"].unique().sort().to_list()
    return [name for name in found if name not in cut]


def test_a_product_with_cuts_has_a_list_price_whatever_its_moves():
    weekly = weekly_prices(np.random.default_rng(0))
    cut = weekly * np.where(np.arange(WEEKS) < 2, 0.9, 1)

    assert listed(rows("P", cut, weekly)) == ["P"]
    assert listed(rows("P", weekly, weekly)) == []
    assert listed(rows("P", [9, 10, 9], [10, None, 10])) == ["P"]


def test_a_single_cut_of_a_category_may_be_an_error():
    weekly = weekly_prices(np.random.default_rng(0))
    cut = weekly * np.where(np.arange(WEEKS) < 1, 0.9, 1)

    assert listed(rows("P", cut, weekly)) == []


@pytest.mark.parametrize("weeks", [8, 52])
def test_products_that_were_each_cut_once_have_list_prices(weeks):
    price = [9.0, *[10.0] * (weeks - 1)]
    assert len(listed(pl.concat(rows(f"P{k}", price, [10] * weeks) for k in range(50)))) == 50


def test_few_products_with_list_prices_beside_many_copies_have_them_where_their_cuts_are_no_chance():
    rng = np.random.default_rng(6)
    copies = pl.concat(
        rows(f"copy {k}", price, price)
        for k, price in enumerate(cut_prices(rng, steady_prices(rng)) for _ in range(195))
    )

    assert listed(with_cuts(rng, products=5), copies) == []


@pytest.mark.parametrize("share", [0.002, 0.005, 0.008])
def test_errors_that_fall_on_all_products_make_no_list_prices(share):
    """Of a log without list prices, in which some are wrong."""
    rng = np.random.default_rng(7)

    def without(number):
        price = cut_prices(rng, steady_prices(rng))
        wrong = rng.random(WEEKS) < share
        return rows(f"P{number}", price, np.where(wrong, price * 1.5, price))

    assert len(listed(pl.concat(without(number) for number in range(300)))) <= 2


@pytest.mark.parametrize("regular", [steady_prices, ladder_prices])
def test_products_that_were_never_cut_have_list_prices_where_others_are_cut(regular):
    rng = np.random.default_rng(1)
    never_cut = [regular(rng) for _ in range(100)]
    told = pl.concat(rows(f"P{number}", price, price) for number, price in enumerate(never_cut))

    assert len(listed(with_cuts(rng, regular), told)) >= 95
    assert listed(with_cuts(rng, regular), told.with_columns(category_id=pl.lit("D"))) == []
    assert listed(told) == []


@pytest.mark.parametrize("unseen", [0.0, 0.6])
@pytest.mark.parametrize("kind", ["cut", "cut in two steps", "cut, and dearer", "weekly"])
def test_a_copy_of_the_price_is_no_list_price(kind, unseen):
    rng = np.random.default_rng(3)

    def copied(number):
        price = cut_prices(rng, steady_prices(rng))
        if kind == "cut in two steps":
            price = cut_prices(rng, price)
        elif kind == "cut, and dearer":
            price *= np.linspace(1, 1.1, WEEKS)
        elif kind == "weekly":
            price = weekly_prices(rng)
        return rows(f"copy {number}", price, price, unseen=rng.random(WEEKS) < unseen)

    copies = pl.concat(copied(number) for number in range(100))

    assert len(listed(with_cuts(rng), copies)) <= (2 if unseen == 0 else 25)


def test_only_periods_count_that_show_the_price():
    unseen = np.arange(3) == 1

    assert listed(rows("P", [8, 8, 10], [10, 10, 10])) == ["P"]
    assert listed(rows("P", [8, 8, 10], [10, 10, 10], unseen=unseen)) == []


@pytest.mark.parametrize(("weeks", "is_told"), [(198, True), (200, False)])
def test_less_than_a_hundredth_of_a_category_that_is_cut_may_be_errors(weeks, is_told):
    """Prices without a list price do not count."""
    never_cut, two_cuts = rows("never", [10] * (weeks - 3), [10] * (weeks - 3)), rows("twice", [9, 9, 10], [10] * 3)
    rarely = rows("rarely", [10, *weekly_prices(np.random.default_rng(4))[1:]], [10, *[None] * (WEEKS - 1)])

    assert listed(never_cut, two_cuts, rarely) == (["never", "rarely", "twice"] if is_told else ["twice"])


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.19, 1 / 3, 7.45]))
def test_the_currency_does_not_matter(seed, rate):
    rng = np.random.default_rng(seed)
    makers = {"weekly": weekly_prices, "steady": steady_prices, "ladder": ladder_prices}
    others = [rows(name, price, price) for name, price in ((name, make(rng)) for name, make in makers.items())]
    shelf = pl.concat([with_cuts(rng, products=3), *others])

    assert listed(shelf) == listed(shelf.with_columns(pl.col("price") / rate, pl.col("list_price") / rate))
