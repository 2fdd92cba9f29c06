"""Elasticities against the truth: the error and the coverage of intervals."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from gpu_pricer.evaluation.demand.intervals import ElasticityIntervals
from gpu_pricer.evaluation.truth.learned_response import Elasticities


def elasticities(factor):
    """Return elasticities of two types, each a segment of its own, and of three products of two categories."""
    true = np.array([[-1.0, -2.0], [-3.0, -4.0], [-2.0, -2.0]])
    return Elasticities(
        learned=factor * true,
        true=true,
        share=np.full((3, 2), 0.1),
        visits=np.diag([3.0, 1.0]),
        segment_id=pl.Series(["a", "b"]),
        category_id=pl.Series(["x", "x", "y"]),
    )


def intervals(cells, categories):
    """Return intervals: cells by segment and category, categories by category, as pairs of ends."""
    drawn = [(*key, sum(ends) / 2, *ends) for key, ends in cells.items()]
    return ElasticityIntervals(
        cells=pl.DataFrame(drawn, schema=["segment_id", "category_id", "elasticity", "low", "high"], orient="row"),
        categories=pl.DataFrame(
            [(name, *ends) for name, ends in categories.items()],
            schema=["category_id", "posterior_low", "posterior_high"],
            orient="row",
        ),
        catalog={},
    )


def test_error_weighs_segments_by_their_visits():
    square = (3 * (1 + 9 + 4) / 3 + (4 + 16 + 4) / 3) / 4

    assert elasticities(1.1).rmse() == pytest.approx(0.1 * np.sqrt(square))
    assert elasticities(1.0).mean() == pytest.approx(-(3 * 2 + 8 / 3) / 4)


def test_coverage_is_the_share_of_intervals_that_hold_the_truth():
    # Both products of x are bought alike: -2 for a and -3 for b; both together three times as often by a, -2.25.
    found = elasticities(1.1)
    cells = {("a", "x"): (-2.1, -1.9), ("b", "x"): (-2.9, -2.5), ("a", "y"): (-2.1, -1.9), ("b", "y"): (-2.1, -1.9)}

    assert found.coverage(intervals(cells, {})) == 0.75
    assert found.category_coverage(intervals({}, {"x": (-2.3, -2.2), "y": (-1.9, -1.0)})) == 0.5


def test_truth_is_weighted_with_what_is_truly_bought():
    uneven = replace(elasticities(1.0), share=np.array([[0.3, 0.1], [0.1, 0.1], [0.1, 0.1]]))

    assert uneven.coverage(intervals({("a", "x"): (-1.51, -1.49)}, {})) == 1.0


def test_a_segment_of_two_types_responds_as_their_summed_demand():
    mixed = Elasticities(
        learned=np.array([[-1.25]]),
        true=np.array([[-1.0, -2.0]]),
        share=np.array([[0.3, 0.1]]),
        visits=np.array([[1.0, 1.0]]),
        segment_id=pl.Series(["a"]),
        category_id=pl.Series(["x"]),
    )

    assert mixed.coverage(intervals({("a", "x"): (-1.26, -1.24)}, {})) == 1.0


def test_products_off_the_shelf_do_not_count():
    found = elasticities(1.0)
    found.learned[1] = np.nan

    assert found.coverage(intervals({("a", "x"): (-1.01, -0.99), ("b", "x"): (-2.01, -1.99)}, {})) == 1.0
