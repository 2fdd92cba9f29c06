"""Products that count in the verdict on a promise, in a shop that runs promotions beside the published prices."""

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.ledger.judged import COUNTS, LEAST_EXPECTED, with_counts

SCALE = 0.5
LEAST_APPLIED = 0.8


def counted(units, sold, applied, category="a"):
    """Which products count in their category and in total; units: promised, before SCALE. Unsold ones have no row."""
    names = [f"p{k}" for k in range(len(units))]
    products = pl.DataFrame({"product_id": names, "category_id": category, "units": np.asarray(units, float)})
    sales = {"sold_units": np.asarray(sold, float), "applied": np.asarray(applied, float)}
    known = pl.DataFrame({"product_id": names} | sales).filter(pl.col("sold_units") > 0)
    found = with_counts(products, known, SCALE, LEAST_APPLIED)
    assert found.drop(COUNTS).equals(products)
    return [found[name].to_numpy() for name in COUNTS]


def test_all_products_count_where_nearly_all_units_were_sold_at_the_prices():
    assert all(each.all() for each in counted([40, 20, 1], [20, 10, 5], [20, 10, 0]))


def test_promoted_products_do_not_count_and_neither_do_those_of_which_few_units_are_expected():
    few = (LEAST_EXPECTED - 0.1) / SCALE

    of_category, of_total = counted([40, 40, few, 40], [20, 60, 1, 0], [20, 0, 1, 0])

    assert of_category.tolist() == of_total.tolist() == [True, False, False, True]


def test_product_counts_if_most_of_its_units_were_sold_at_the_prices():
    assert counted([40, 40, 40], [40, 20, 20], [40, 11, 10])[1].tolist() == [True, True, False]


def test_all_products_count_and_leave_no_verdict_where_too_little_of_the_promise_would_remain():
    promised, sold = [40, 40, 40, 40], [20, 20, 20, 20]
    assert all(each.all() for each in counted(promised, sold, [20, 0, 0, 0]))
    assert not counted(promised, sold, [20, 20, 0, 0])[1].all()


def test_all_products_count_where_the_others_too_were_sold_at_many_prices():
    assert all(each.all() for each in counted([40, 40, 40], [20, 20, 20], [11, 11, 0]))


def test_all_products_count_where_nothing_was_promised():
    assert all(each.all() for each in counted([0, 0], [20, 20], [0, 20]))


def test_categories_are_decided_each_by_itself():
    category = ["a", "a", "b", "b"]

    of_category, of_total = counted([40, 40, 40, 40], [20, 20, 20, 60], [20, 20, 20, 0], category)
    assert of_category.tolist() == of_total.tolist() == [True, True, True, False]

    of_category, of_total = counted([40, 1, 40, 40], [20, 1, 20, 60], [20, 1, 20, 0], category)
    assert of_category.tolist() == [True, True, True, False]  # everything in a was sold at its price
    assert of_total.tolist() == [True, False, True, False]


@pytest.mark.parametrize(("share", "lift"), [(0.3, 1.0), (0.1, 2.5)])
def test_products_that_count_sell_what_is_promised_of_them_whatever_chance_does(share, lift):
    """Most products of a shop sell seldom; a share of them are promoted, which only their sales show."""
    rng = np.random.default_rng(4)
    expected = rng.lognormal(0.0, 1.2, 400)
    ratios = []
    for _ in range(200):
        is_promoted = rng.random(400) < share
        sold = rng.poisson(expected * np.where(is_promoted, lift, 1.0))
        counts = counted(expected / SCALE, sold, np.where(is_promoted, 0, sold))[1]
        if not counts.all():
            ratios.append(sold[counts].sum() / expected[counts].sum())

    assert len(ratios) > 10
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.015)
