"""The columns of price groups, of which those that saw like prices share one."""

import logging

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gpu_pricer.network.response.grid_columns import GridColumns
from gpu_pricer.network.response.group_prices import (
    LEAST_KEPT,
    MOST_CLUSTERS,
    columns_of_groups,
    mean_apart,
    price_clusters,
)

SOLD = np.array([4.0, 1.0])


def prices(rows):
    """A table of prices of groups from rows of product, period, group and distance to the usual price."""
    own = pl.DataFrame(rows, schema=["product", "index", "price_group", "apart"], orient="row")
    return own.cast({"product": pl.UInt32, "index": pl.UInt32, "price_group": pl.UInt16, "apart": pl.Float64})


def variance_within(lists, cluster):
    """The sum of squares around the means of the clusters."""
    return sum(((part - part.mean(axis=0)) ** 2).sum() for part in (lists[cluster == k] for k in np.unique(cluster)))


def test_groups_of_like_prices_in_a_period_share_a_column(caplog):
    low, high = [(0, 0.1), (1, 0.0)], [(0, -0.1), (1, 0.2)]
    rows = [(product, 1, group, apart) for group in (1, 3) for product, apart in low]
    rows += [(product, 1, group, apart + 0.001) for group in (2, 5) for product, apart in high]
    rows += [(0, 2, 3, 0.05)]

    with caplog.at_level(logging.INFO):
        columns = columns_of_groups(prices(rows), SOLD, 4)

    assert columns.period.tolist() == [0, 1, 1, 1, 2, 2, 3]
    first, second = columns.of_group[1, 1].item(), columns.of_group[1, 2].item()
    assert {first, second} == {2, 3}
    assert columns.of_group[1].tolist() == [1, first, second, first, 1, second]
    assert columns.of_group[2].tolist() == [4, 4, 4, 5, 4, 4]
    assert columns.of_group[[0, 3]].tolist() == [[0] * 6, [6] * 6]
    assert "price groups saw 5 price lists in 2 periods" in caplog.text
    assert "leaves 3" in caplog.text


@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 5)), elements=st.integers(-3, 3).map(float)))
def test_clusters_are_as_few_as_keep_most_of_the_variance_between_price_lists(lists):
    cluster = price_clusters(lists)

    whole = ((lists - lists.mean(axis=0)) ** 2).sum()
    count = cluster.max()
    assert set(cluster) == set(range(1, count + 1))
    assert count <= min(MOST_CLUSTERS, len(np.unique(lists, axis=0)))
    if count < MOST_CLUSTERS:
        assert variance_within(lists, cluster) <= (1 - LEAST_KEPT) * whole + 1e-9


def test_lists_that_all_lie_apart_keep_columns_of_their_own():
    lists = np.random.default_rng(0).normal(size=(MOST_CLUSTERS, 400))

    assert sorted(price_clusters(lists)) == [*range(1, MOST_CLUSTERS + 1)]


def test_products_count_by_what_was_sold():
    """Two pairs of groups agree on the product that sells, and two others on the one that hardly does."""
    lists = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    rows = [(p, 0, g + 1, lists[g, p]) for g in range(4) for p in range(2)]

    columns = columns_of_groups(prices(rows), np.array([100.0, 1.0]), 1)

    assert columns.of_group[0, 1:].tolist() in ([1, 1, 2, 2], [2, 2, 1, 1])


def test_a_column_has_the_mean_price_of_its_visits():
    columns = GridColumns.of_clusters(torch.tensor([[0, 0, 0, 0], [0, 1, 1, 2]]))
    own = prices([(0, 1, 1, 0.1), (1, 1, 1, 0.2), (0, 1, 2, -0.3), (1, 1, 3, 0.5)])
    visits = pl.DataFrame({"index": [0, *[1] * 6], "price_group": [1, 1, 1, 1, 2, 3, 0]})
    visits = visits.cast({"index": pl.UInt32, "price_group": pl.UInt16})

    apart = mean_apart(own, columns, visits, 3)

    expected = [[0, 0, 0.75 * 0.1 - 0.25 * 0.3, 0], [0, 0, 0.75 * 0.2, 0.5], [0, 0, 0, 0]]
    np.testing.assert_allclose(apart, expected, atol=1e-8)


def test_groups_whom_nobody_visited_count_alike():
    columns = GridColumns.of_clusters(torch.tensor([[0, 1, 1]]))
    visits = pl.DataFrame({"index": [0], "price_group": [0]}).cast({"index": pl.UInt32, "price_group": pl.UInt16})

    apart = mean_apart(prices([(0, 0, 1, 0.1), (0, 0, 2, 0.3)]), columns, visits, 1)

    assert apart.tolist() == [[0.0, pytest.approx(0.2)]]
