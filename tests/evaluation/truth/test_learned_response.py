"""Elasticities against the truth: the error and the coverage of intervals."""

import numpy as np
import polars as pl
import pytest

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


def posterior(spread):
    rng = np.random.default_rng(0)
    cells = pl.DataFrame({"segment_id": ["a", "b"]}).join(pl.DataFrame({"category_id": ["x", "y"]}), how="cross")
    draws = cells.join(pl.DataFrame({"draw": np.arange(200)}), how="cross")
    return draws.with_columns(log_deviation=pl.Series(rng.normal(0, spread, draws.height), dtype=pl.Float32))


def test_error_weighs_segments_by_their_visits():
    square = (3 * (1 + 9 + 4) / 3 + (4 + 16 + 4) / 3) / 4

    assert elasticities(1.1).rmse() == pytest.approx(0.1 * np.sqrt(square))
    assert elasticities(1.0).mean() == pytest.approx(-(3 * 2 + 8 / 3) / 4)


@pytest.mark.parametrize(("factor", "spread", "covered"), [(1.0, 0.1, 1.0), (1.2, 0.02, 0.0), (1.2, 0.5, 1.0)])
def test_an_interval_covers_what_its_width_reaches(factor, spread, covered):
    assert elasticities(factor).coverage(posterior(spread)) == covered


def test_a_segment_of_two_types_responds_as_their_summed_demand():
    mixed = Elasticities(
        learned=np.array([[-1.25]]),
        true=np.array([[-1.0, -2.0]]),
        share=np.array([[0.3, 0.1]]),
        visits=np.array([[1.0, 1.0]]),
        segment_id=pl.Series(["a"]),
        category_id=pl.Series(["x"]),
    )
    narrow = posterior(0.001).filter(pl.col("category_id") == "x")

    assert mixed.coverage(narrow) == 1.0
