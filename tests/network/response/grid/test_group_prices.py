"""The columns of price groups, of which those that saw like prices share one."""

import logging

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gpu_pricer.network.response.grid.grid_columns import GridColumns
from gpu_pricer.network.response.grid.group_prices import (
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
    assert "into 3 at their mean prices" in caplog.text


@example(np.array([[0.0, 1.0], [1.0, 0.0]]))  # which could be distances
@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 5)), elements=st.integers(-3, 3).map(float)))
def test_lists_are_merged_only_where_there_are_too_many(lists):
    cluster = price_clusters(lists)

    number = np.unique(lists, axis=0, return_inverse=True)[1].ravel()
    different = number.max() + 1
    assert set(cluster) == set(range(1, min(different, MOST_CLUSTERS) + 1))
    assert all(len(set(cluster[number == k])) == 1 for k in range(different))


def test_like_lists_are_merged_and_not_others():
    rng = np.random.default_rng(0)
    kind = rng.permutation(np.arange(24) % MOST_CLUSTERS)
    lists = rng.normal(size=(MOST_CLUSTERS, 50))[kind] + rng.normal(scale=0.1, size=(24, 50))

    cluster = price_clusters(lists)

    assert all(len(set(cluster[kind == k])) == 1 for k in range(MOST_CLUSTERS))


def test_products_count_by_what_was_sold():
    """Eight lists have four prices of the product that sells, and two others of one that hardly does."""
    lists = np.array([[0.1 * k, 0.3 * odd] for k in range(MOST_CLUSTERS) for odd in range(2)])
    rows = [(p, 0, g + 1, lists[g, p]) for g in range(len(lists)) for p in range(2)]

    columns = columns_of_groups(prices(rows), np.array([100.0, 1.0]), 1)

    pairs = columns.of_group[0, 1:].view(MOST_CLUSTERS, 2)
    assert torch.equal(pairs[:, 0], pairs[:, 1])
    assert len(pairs[:, 0].unique()) == MOST_CLUSTERS


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
