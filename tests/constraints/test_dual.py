"""The search for multipliers, on functions whose minimum is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.constraints.dual import CAP, DualPoint, estimate_curvature, minimise_dual


def quadratic(bend: np.ndarray, lowest: np.ndarray):
    """Return (z − lowest) · bend (z − lowest) / 2 as a dual function that counts its calls."""

    def evaluate(z):
        evaluate.calls += 1
        away = z - lowest
        return DualPoint(z.copy(), float(away @ bend @ away) / 2, bend @ away)

    evaluate.calls = 0
    return evaluate


def random_bend(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return a positive definite matrix."""
    root = rng.normal(size=(size, size))
    return root @ root.T + 0.3 * np.eye(size)


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_minimum_over_multipliers_that_are_not_negative_is_found_in_few_calls(seed, size):
    rng = np.random.default_rng(seed)
    bend, lowest = random_bend(rng, size), rng.normal(0.2, 0.4, size)
    evaluate = quadratic(bend, lowest)

    best = minimise_dual(evaluate, np.zeros(size), np.ones(size, np.int64))

    assert (best.z >= 0).all()
    assert (best.slack >= -1e-3).all()
    assert abs(best.z @ best.slack) < 1e-3
    assert evaluate.calls <= 40


def test_priorities_cap_the_price_of_what_cannot_be_met():
    def evaluate(z):
        return DualPoint(
            z.copy(), float(z @ [-0.1, -0.2]), np.array([-0.1, -0.2])
        )  # never met, whatever the multipliers

    best = minimise_dual(evaluate, np.zeros(2), np.array([1, 2]))

    assert best.z == pytest.approx([30 * CAP, CAP], rel=1e-3)


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_curvature_is_that_of_the_points_along_their_steps(seed, size):
    rng = np.random.default_rng(seed)
    bend, lowest = random_bend(rng, size), rng.normal(0, 1, size)
    evaluate = quadratic(bend, lowest)
    points = [evaluate(rng.normal(0, 1, size)) for _ in range(6)]

    found = estimate_curvature(points, points[-1].z, None)

    nearest = sorted(points, key=lambda point: np.linalg.norm(point.z - points[-1].z))[1]
    step = points[-1].z - nearest.z
    assert found @ step == pytest.approx(bend @ step, rel=1e-6, abs=1e-9)
    assert (np.linalg.eigvalsh(found) > 0).all()


def test_what_was_known_is_kept_where_nothing_new_is_seen():
    known = np.array([[2.0, 0.5], [0.5, 1.0]])

    assert (estimate_curvature([], np.zeros(2), known) == known).all()
