"""List prices that can be none are left out or refused, and a missing one means what the log means by it."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.data.raw.logged_list_prices import ListPriceRule, warn_of_unlike_list_prices, with_regular_prices
from gpu_pricer.errors import InputError
from gpu_pricer.tables.list_price import is_cut, not_below_price

RULE = ListPriceRule(most_ratio=5, most_implausible=0.1)
LINES = 400


def log(rng, cut=0.2, several=0.3, quantity=3):
    """Lines of ten products at list prices of 1 to 20, of which some are cut, and some are of several units."""
    product = np.arange(LINES) % 10
    listed = np.round(rng.uniform(1, 20, 10), 2)[product]
    price = np.where(rng.random(LINES) < cut, np.round(listed * 0.7, 2), listed)
    units = np.where(rng.random(LINES) < several, quantity, 1)
    return pl.DataFrame({"product_id": product, "quantity": units, "price": price, "list_price": listed})


def test_list_prices_of_one_unit_stay_as_they_are():
    lines = log(np.random.default_rng(0))

    found, (count, _) = RULE.applied(lines, "transactions", "log.csv")

    assert count == 0
    assert found.equals(lines)


@pytest.mark.parametrize(
    ("wrong", "like"),
    [
        (pl.col("list_price") / 1.19, r"3\d\d of 400 below the price \(without VAT"),
        (pl.col("list_price") * 100, "400 of 400 more than 5 times the price \\(in cents"),
        (pl.col("list_price") * pl.col("quantity"), r"those of 1\d\d lines with several units to be of all units"),
        (pl.col("price") * 0.9, "400 of 400 below the price"),
        (
            pl.when(pl.int_range(pl.len()) < 60)
            .then(pl.col("price") * pl.when(pl.col("product_id") < 5).then(0.5).otherwise(9))
            .otherwise("list_price"),
            "30 of 400 below the price .* and 30 of 400 more than 5 times the price",
        ),
    ],
    ids=["without VAT", "in cents", "of the line", "below", "below and above"],
)
def test_list_prices_in_another_unit_than_the_price_are_refused_with_the_likely_reason(wrong, like):
    lines = log(np.random.default_rng(1)).with_columns(list_price=wrong)

    with pytest.raises(InputError, match=rf"log.csv must be prices of one unit before discounts, found {like}.*: mend"):
        RULE.applied(lines, "transactions", "log.csv")

    assert ListPriceRule(most_ratio=5, most_implausible=1).applied(lines, "transactions", "log.csv")[0].height == LINES


@pytest.mark.parametrize("cut", [0.08, 0.2])
def test_list_prices_that_are_exchanged_with_the_prices_are_refused(cut):
    lines = log(np.random.default_rng(3), cut).rename({"price": "list_price", "list_price": "price"})

    with pytest.raises(
        InputError,
        match=r"\d of 400 below the price, and hardly any above it \(are the two exchanged\?\).*implausible=1$",
    ):
        ListPriceRule(most_ratio=5, most_implausible=0.5).applied(lines, "transactions", "log.csv")

    accepted = ListPriceRule(most_ratio=5, most_implausible=1)
    assert accepted.applied(lines, "transactions", "log.csv")[1][0] == (lines["list_price"] < lines["price"]).sum()


@pytest.mark.parametrize(
    ("below", "above", "of_lines", "is_refused"),
    [(21, 0, True, True), (21, 2, True, True), (20, 0, True, False), (21, 3, True, False), (21, 0, False, False)],
)
def test_few_list_prices_below_the_price_or_some_above_do_not_mean_that_they_are_exchanged(
    below, above, of_lines, is_refused
):
    ratio = np.concatenate([np.full(below, 0.9), np.full(above, 1.1), np.ones(LINES - below - above)])
    lines = log(np.random.default_rng(4), cut=0.0, several=0.0).with_columns(list_price=pl.col("price") * ratio)
    rule = ListPriceRule(most_ratio=5, most_implausible=0.5)

    if is_refused:
        with pytest.raises(InputError, match="are the two exchanged"):
            rule.applied(lines, "transactions", "log.csv")
    else:
        assert rule.applied(lines if of_lines else lines.drop("quantity"), "any", "log.csv")[1][0] == below


@pytest.mark.parametrize(("depth", "is_refused"), [(0.05, False), (0.12, True)])
def test_list_prices_a_little_below_the_price_are_rounded_or_older_ones(depth, is_refused):
    lines = log(np.random.default_rng(6), cut=0.0, several=0.0)
    lines = lines.with_columns(
        list_price=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.col("price") * (1 - depth)).otherwise("price")
    )
    rule = ListPriceRule(most_ratio=5, most_implausible=0.5)

    if is_refused:
        with pytest.raises(InputError, match="are the two exchanged"):
            rule.applied(lines, "transactions", "log.csv")
    else:
        assert rule.applied(lines, "transactions", "log.csv")[1][0] == 134


def test_list_prices_are_exchanged_only_where_they_are_a_hundredth_of_all():
    ratio = np.concatenate([np.full(30, 0.9), np.ones(3970)])
    lines = pl.concat([log(np.random.default_rng(5), cut=0.0, several=0.0)] * 10)
    rule = ListPriceRule(most_ratio=5, most_implausible=0.5)

    assert rule.applied(lines.with_columns(list_price=pl.col("price") * ratio), "any", "log.csv")[1][0] == 30


@pytest.mark.parametrize("units", [2, 6])
@pytest.mark.parametrize("several", [0.3, 1.0])
def test_prices_cut_for_several_units_are_no_list_prices_of_the_line(units, several):
    """Two for the price of one, and such, in every line of several units; and logs without other lines."""
    lines = log(np.random.default_rng(2), quantity=units, several=several)
    fewer = pl.when(pl.col("quantity") > 1).then(pl.col("list_price") / min(units, 4)).otherwise("price")

    assert RULE.applied(lines.with_columns(price=fewer), "transactions", "log.csv")[1][0] == 0


@pytest.mark.parametrize(("factor", "is_kept"), [(0.991, True), (0.989, False), (5.0, True), (5.01, False)])
def test_plausible_list_prices_are_from_the_price_to_a_multiple_of_it(factor, is_kept):
    lines = log(np.random.default_rng(5)).with_columns(price=2.0, list_price=2.0)
    one = pl.when(pl.int_range(pl.len()) == 7).then(2 * factor).otherwise("list_price")

    found, (count, _) = RULE.applied(lines.with_columns(list_price=one), "transactions", "log.csv")

    assert (count == 0) == is_kept
    assert found["list_price"].null_count() == count


@pytest.mark.parametrize(
    ("lines", "wrong", "is_refused"), [(400, 40, False), (400, 41, True), (5, 3, False), (5, 4, True)]
)
def test_a_share_of_wrong_list_prices_is_refused_but_not_a_few(lines, wrong, is_refused):
    rows = pl.DataFrame(
        {"product_id": 1, "price": [2.0] * lines, "list_price": [9.0] * wrong + [2.0] * (lines - wrong)}
    )
    rows = rows.with_columns(list_price=pl.when(pl.col("list_price") > 5).then(20.0).otherwise("list_price"))

    if is_refused:
        with pytest.raises(InputError, match=f"found {wrong} of {lines} more than 5 times the price"):
            RULE.applied(rows, "transactions", "log.csv")
    else:
        assert RULE.applied(rows, "transactions", "log.csv")[1][0] == wrong


def test_rows_whose_price_is_none_do_not_count():
    rows = pl.DataFrame({"product_id": [1, 2], "price": [0.0, float("nan")], "list_price": [0.0, 3.0]})

    assert RULE.applied(rows, "transactions", "log.csv")[1][0] == 0


@pytest.mark.parametrize("none", [0.0, -1.0, float("nan"), float("inf")])
def test_a_list_price_of_0_is_none_however_many_there_are(none):
    lines = log(np.random.default_rng(3))
    is_cut = lines["price"] < lines["list_price"]
    lines = lines.with_columns(list_price=pl.when(is_cut).then("list_price").otherwise(none))

    found, (count, report) = RULE.applied(lines, "transactions", "log.csv")

    assert found["list_price"].count() == LINES - count == is_cut.sum()
    assert f"log.csv breaks list_price_is_plausible in {count} rows, such as (product_id=0, price=" in report


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.1))
def test_single_list_prices_far_from_the_price_count_as_not_known(seed, share):
    rng = np.random.default_rng(seed)
    lines = log(rng)
    wrong = np.arange(LINES) < int(share * LINES)
    factor = np.where(wrong, rng.choice([0.01, 0.5, 100], LINES), 1.0)
    lines = lines.with_columns(list_price=pl.col("list_price") * pl.Series(factor))

    found, (count, _) = RULE.applied(lines, "transactions", "log.csv")

    assert count == wrong.sum()
    assert found["list_price"].is_null().to_list() == wrong.tolist()


def test_products_without_a_price_may_have_any_list_price():
    products = pl.DataFrame({"product_id": [1, 2], "price": [None, 2.0], "list_price": [9.0, None]})

    assert RULE.applied(products, "products", "products.csv")[0].equals(products)


@pytest.mark.parametrize(("above", "is_price"), [(0.96, True), (0.94, False)])
def test_a_missing_list_price_is_the_price_only_where_the_log_states_those_of_discounted_lines(above, is_price):
    """And only of products that have any: another may have no list price."""
    lines = pl.DataFrame(
        {
            "price": [2.0] * 200,
            "list_price": [3.0] * round(100 * above) + [2.0] * round(100 - 100 * above) + [None] * 100,
        }
    )
    modal = pl.DataFrame({"product_id": [1, 1, 2], "price": [2.0, 1.5, 4.0], "list_price": [None, 2.0, None]})

    found = with_regular_prices(modal, lines)["list_price"].to_list()

    assert found == [2.0 if is_price else None, 2.0, None]


def of_periods(other, share):
    """Two lines in each of 100 periods of a product; in a share of these one list price is `other` times the other."""
    listed = [1.0, 1.0] * (100 - share) + [1.0, other] * share
    return pl.DataFrame({"product_id": "P", "period": np.repeat(np.arange(100), 2), "list_price": listed})


@pytest.mark.parametrize(("other", "share", "is_told"), [(1.2, 8, True), (1.2, 4, False), (1.05, 50, False)])
def test_list_prices_that_differ_within_a_period_are_warned_of(caplog, other, share, is_told):
    lines = of_periods(other, share)

    warn_of_unlike_list_prices(lines)

    said = f"list prices of one product differ by more than 10 % within {share} of 100 of its periods, as of ['P']"
    assert (said in caplog.text) == is_told


def test_a_log_with_all_list_prices_or_none_says_nothing_of_missing_ones():
    modal = pl.DataFrame({"product_id": [1, 1], "price": [2.0, 1.5], "list_price": [None, 2.0]})
    for listed in (None, 3.0):
        lines = pl.DataFrame({"price": [2.0], "list_price": pl.Series([listed], dtype=pl.Float64)})
        assert with_regular_prices(modal, lines).equals(modal)


def test_a_price_less_than_a_hundredth_below_the_list_price_is_no_cut():
    prices = pl.DataFrame({"price": [9.91, 9.89, 9.0], "list_price": [10.0, 10.0, None]})

    assert prices.select(is_cut()).to_series().to_list() == [False, True, None]


def test_a_list_price_is_never_below_the_price():
    prices = pl.DataFrame({"price": [2.0, 2.0, 2.0], "list_price": [1.0, 3.0, None]})

    assert prices.select(not_below_price())["list_price"].to_list() == [2.0, 3.0, None]


@pytest.mark.parametrize("rule", [{"most_ratio": 1}, {"most_implausible": -0.1}, {"most_implausible": 1.1}])
def test_impossible_settings_are_refused(rule):
    [name] = rule
    with pytest.raises(ValueError, match=rf"data\.list_prices\.{name} must be a number"):
        ListPriceRule(**{"most_ratio": 5, "most_implausible": 0.1} | rule)
