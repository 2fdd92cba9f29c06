"""The numbers that the confounded market is judged by."""

import pytest

from tests.bench.confounded_market import numbers_of, summary_of

TRUTH = {
    "profit_per_1000_visits": {"today": 100.0, "ours": 110.0, "true_types": 88.0, "oracle": 120.0},
    "gain_share": {"warm": 0.8, "cold": 0.6},
    "elasticity_rmse": 0.5,
    "elasticity_coverage_90": 0.9,
    "mean_elasticity": -3.0,
    "optimism_gap": 0.1,
    "naive": {"elasticity_rmse": 2.0, "elasticity_coverage_90": 0.1, "mean_elasticity": -1.5},
}


def test_every_bar_is_a_ratio_of_what_the_run_measured():
    found = numbers_of(TRUTH)

    bars = ("rmse_over_naive", "profit_over_true_types", "gain", "cold_over_warm")
    assert [found[name] for name in bars] == pytest.approx([0.25, 1.25, 0.1, 0.75])


def test_seeds_are_listed_beside_their_mean():
    assert summary_of([{"gain": 0.1}, {"gain": 0.2}]) == {"gain": {"mean": 0.15, "seeds": [0.1, 0.2]}}
