"""Which products teach: the best seen ones first, and more of them where the log is short."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.network.encoding.numbering import numbered_products
from gpu_pricer.network.encoding.teaching import TeachingRule

COVERAGE = np.array([0.9, 0.3, 0.0, 0.7, 0.5, 0.1])
PERIODS = np.array([50, 40, 30, 20, 10, 60])
LISTED = np.ones(6, bool)


@pytest.mark.parametrize(
    ("product_periods", "expected"),
    [
        (0, [True, False, False, True, False, False]),
        (79, [True, False, False, True, False, False]),
        (80, [True, False, False, True, True, False]),
        (120, [True, True, False, True, True, False]),
        (1000, [True, True, False, True, True, False]),
    ],
)
def test_next_best_seen_products_teach_while_there_is_room(product_periods, expected):
    rule = TeachingRule(0.7, product_periods, 0.2)

    assert rule.teaches(COVERAGE, PERIODS, LISTED).tolist() == expected


def test_a_product_whose_price_was_never_seen_does_not_teach():
    teaches = TeachingRule(0.0, 1000, 0.0).teaches(COVERAGE, PERIODS, LISTED)

    assert teaches.tolist() == (COVERAGE > 0).tolist()


def test_a_product_without_a_list_price_teaches_only_where_it_is_seen_often():
    is_listed = np.array([False, True, True, False, False, True])

    teaches = TeachingRule(0.7, 110, 0.2).teaches(COVERAGE, PERIODS, is_listed)

    assert teaches.tolist() == [True, True, False, True, False, False]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 60), st.booleans()), min_size=1, max_size=30),
    st.integers(0, 500),
)
def test_a_listed_product_that_is_seen_better_than_one_that_teaches_teaches(products, product_periods):
    coverage, periods, is_listed = (np.array(column) for column in zip(*products, strict=True))

    teaches = TeachingRule(0.7, product_periods, 0.2).teaches(coverage, periods, is_listed)

    if teaches.any():
        assert teaches[is_listed & (coverage > coverage[teaches].min())].all()
    assert teaches[coverage >= 0.7].all()
    assert periods[teaches & (coverage < 0.7)].sum() <= product_periods


def test_columns_by_which_products_teach_are_those_of_the_periods_that_show_prices():
    """Product 1 has two cuts, product 2 is of its category, product 3 of another, without a unit price.

    Product 4 was never on the shelf.
    """
    days = [date(2024, 1, 1) + timedelta(weeks=week) for week in range(4)]
    products = pl.DataFrame(
        {"product_id": [1, 2, 3, 4], "category_id": [*"CCDD"], "price": 2.0, "has_unit_price": [1.0, 1.0, 0.0, 1.0]}
    )
    shelf = pl.DataFrame(
        {
            "product_id": np.repeat([1, 2, 3], 4),
            "category_id": np.repeat(["C", "C", "D"], 4),
            "period": days * 3,
            "price": [2.0, 2.0, 1.5, 1.5, 2.0, 2.0 * (1 + 1e-15), 2.0, 2.0, 1.0, 1.0, 2.0, 2.0],
            "list_price": [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0],
            "price_age": [0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0],
        }
    )

    found = numbered_products(products, shelf, trained_to=days[1])

    assert found["whole_is_listed"].to_list() == [True, True, True, False]
    assert found["is_listed"].to_list() == [False, False, True, False]
    assert found["whole_price_coverage"].to_list() == [0.75, 0.5, 0.0, 0.0]
    assert found["price_coverage"].to_list() == [0.5, 1.0, 0.0, 0.0]
    assert found["shelf_periods"].to_list() == [2, 2, 2, 0]


@pytest.mark.parametrize("rule", [(0.7, -1, 0.2), (1.1, 0, 0.2), (0.7, 0, 0.8)])
def test_rule_that_cannot_hold_is_refused(rule):
    with pytest.raises(ValueError, match="teaching"):
        TeachingRule(*rule)
