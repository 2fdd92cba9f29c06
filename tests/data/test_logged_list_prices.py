"""List prices that can be none are left out or refused, and a missing one means what the log means by it."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.data.logged_list_prices import ListPriceRule, not_below_price, with_regular_prices
from gpu_pricer.errors import InputError

RULE = ListPriceRule(most_ratio=5, most_implausible=0.1)
LINES = 400


def log(rng, cut=0.2, several=0.3, quantity=3):
    """Lines at prices of 1 to 20, of which some are cut below the list price, and some are of several units."""
    listed = np.round(rng.uniform(1, 20, LINES), 2)
    price = np.where(rng.random(LINES) < cut, np.round(listed * 0.7, 2), listed)
    units = np.where(rng.random(LINES) < several, quantity, 1)
    return pl.DataFrame({"product_id": np.arange(LINES), "quantity": units, "price": price, "list_price": listed})


def test_list_prices_of_one_unit_stay_as_they_are():
    lines = log(np.random.default_rng(0))

    found, (count, _) = RULE.applied(lines, "log.csv")

    assert count == 0
    assert found.equals(lines)


@pytest.mark.parametrize(
    ("wrong", "like"),
    [
        (pl.col("list_price") / 1.19, r"found 3\d\d of 400 below the price, as without VAT"),
        (pl.col("list_price") * 100, "found 400 of 400 far above the price, as in cents"),
        (
            pl.col("list_price") * pl.col("quantity"),
            r"found those of 1\d\d lines with several units to be of all units",
        ),
        (pl.col("price") * 0.9, "found 400 of 400 below the price"),
    ],
    ids=["without VAT", "in cents", "of the line", "below"],
)
def test_list_prices_in_another_unit_than_the_price_are_refused_with_the_likely_reason(wrong, like):
    lines = log(np.random.default_rng(1)).with_columns(list_price=wrong)

    with pytest.raises(InputError, match=rf"log.csv must be prices of one unit before discounts, {like}.*such as \("):
        RULE.applied(lines, "log.csv")

    assert ListPriceRule(most_ratio=5, most_implausible=1).applied(lines, "log.csv")[0].height == LINES


def test_prices_halved_for_two_units_are_no_list_prices_of_the_line():
    """Two for the price of one, in less than half of the lines with two units."""
    lines = log(np.random.default_rng(2), quantity=2).with_row_index("line")
    halved = pl.when((pl.col("line") % 5 < 2) & (pl.col("quantity") == 2)).then(pl.col("list_price") / 2)
    lines = lines.with_columns(price=pl.coalesce(halved, "price"))

    assert RULE.applied(lines, "log.csv")[1][0] == 0


@pytest.mark.parametrize("none", [0.0, -1.0, float("nan"), float("inf")])
def test_a_list_price_of_0_is_none_however_many_there_are(none):
    lines = log(np.random.default_rng(3))
    is_cut = lines["price"] < lines["list_price"]
    lines = lines.with_columns(list_price=pl.when(is_cut).then("list_price").otherwise(none))

    found, (count, report) = RULE.applied(lines, "log.csv")

    assert found["list_price"].count() == LINES - count == is_cut.sum()
    assert f"log.csv breaks list_price_is_plausible in {count} rows, such as (product_id=0, price=" in report


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.1))
def test_single_list_prices_far_from_the_price_count_as_not_known(seed, share):
    rng = np.random.default_rng(seed)
    lines = log(rng)
    wrong = np.arange(LINES) < int(share * LINES)
    factor = np.where(wrong, rng.choice([0.01, 0.5, 100], LINES), 1.0)
    lines = lines.with_columns(list_price=pl.col("list_price") * pl.Series(factor))

    found, (count, _) = RULE.applied(lines, "log.csv")

    assert count == wrong.sum()
    assert found["list_price"].is_null().to_list() == wrong.tolist()


def test_products_without_a_price_may_have_any_list_price():
    products = pl.DataFrame({"product_id": [1, 2], "price": [None, 2.0], "list_price": [9.0, None]})

    assert RULE.applied(products, "products.csv")[0].equals(products)


def test_a_missing_list_price_is_the_price_only_where_the_log_states_those_of_discounted_lines():
    lines = log(np.random.default_rng(4))
    modal = lines.with_columns(list_price=pl.when(pl.col("product_id") >= 10).then("list_price"))
    of_cuts = lines.with_columns(pl.when(pl.col("price") < pl.col("list_price")).then("list_price"))

    filled, kept = (with_regular_prices(modal, shown)["list_price"].head(10) for shown in (of_cuts, lines))

    assert filled.to_list() == lines["price"].head(10).to_list()
    assert kept.null_count() == 10
    assert with_regular_prices(modal, lines.with_columns(list_price=None))["list_price"].null_count() == 10


def test_a_list_price_is_never_below_the_price():
    prices = pl.DataFrame({"price": [2.0, 2.0, 2.0], "list_price": [1.0, 3.0, None]})

    assert prices.select(not_below_price())["list_price"].to_list() == [2.0, 3.0, None]


@pytest.mark.parametrize("rule", [{"most_ratio": 1}, {"most_implausible": -0.1}, {"most_implausible": 1.1}])
def test_impossible_settings_are_refused(rule):
    [name] = rule
    with pytest.raises(ValueError, match=rf"data\.list_prices\.{name} must be a number"):
        ListPriceRule(**{"most_ratio": 5, "most_implausible": 0.1} | rule)
