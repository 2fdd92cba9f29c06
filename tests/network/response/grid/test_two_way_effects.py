"""Values less two-way effects, against least squares with dummies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.response.grid.two_way_effects import TwoWayEffects


def drawn(seed: int, rows: int, groups: tuple[int, int]) -> tuple[TwoWayEffects, np.random.Generator]:
    rng = np.random.default_rng(seed)
    one, other = (np.unique(rng.integers(0, count, rows), return_inverse=True)[1] for count in groups)
    return TwoWayEffects(one, other, rng.uniform(0.01, 5.0, rows)), rng


@given(st.integers(0, 99), st.integers(1, 60), st.integers(1, 12), st.integers(1, 12))
@settings(deadline=None, max_examples=60)
def test_residuals_are_those_of_weighted_least_squares_with_dummies(seed, rows, ones, others):
    effects, rng = drawn(seed, rows, (ones, others))
    values = rng.normal(3.0, 2.0, rows)

    found, is_settled = effects.residual(values)

    dummies = np.c_[np.eye(effects.one.max() + 1)[effects.one], np.eye(effects.other.max() + 1)[effects.other]]
    root = np.sqrt(effects.weight)
    slope = np.linalg.lstsq(root[:, None] * dummies, root * values, rcond=None)[0]
    assert is_settled
    assert found == pytest.approx(values - dummies @ slope, abs=1e-5)


def test_values_that_the_effects_explain_leave_nothing():
    effects, rng = drawn(1, 500, (20, 30))
    explained = rng.normal(size=20)[effects.one] + 1e4 * rng.normal(size=30)[effects.other]

    assert not effects.residual(explained)[0].any()
