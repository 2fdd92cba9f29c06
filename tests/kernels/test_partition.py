"""The shares of the CPU's workers: every item once, and about equal work for all."""

import numpy as np
import pytest

from kernels.partition import worker_edges


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("items_per_category", [1, 5, 40])
def test_no_worker_does_more_than_one_item_above_its_share(workers, items_per_category):
    cost = np.random.default_rng(workers).integers(1, 30, 11)

    edges = worker_edges(cost, items_per_category, workers)

    done = np.concatenate([[0], np.cumsum(np.repeat(cost, items_per_category))])
    assert (edges[0], edges[-1]) == (0, 11 * items_per_category)
    assert len(edges) - 1 == min(workers, 11 * items_per_category)
    assert (np.diff(edges) >= 0).all()
    assert np.diff(done[edges]).max() <= done[-1] / (len(edges) - 1) + cost.max()


def test_item_that_ends_with_a_workers_share_goes_to_that_worker():
    assert worker_edges(np.array([5, 5, 5, 5]), 1, 2).tolist() == [0, 2, 4]


def test_nothing_to_do_is_one_workers_share():
    assert worker_edges(np.zeros(0, np.int64), 3, 4).tolist() == [0, 0]
    assert worker_edges(np.array([3, 4]), 0, 4).tolist() == [0, 0]
