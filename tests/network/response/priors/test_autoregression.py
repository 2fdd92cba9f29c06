"""Autoregressions: their covariance and its slopes, and what series that are seen with noise teach of them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from gpu_pricer.network.response.priors.autoregression import (
    LEAST_SPREAD,
    MOST_PERSISTENCE,
    PRIOR,
    PRIOR_WIDTH,
    Autoregression,
    OpenSeries,
)
from tests.network.response.dense import autoregressive_covariance
from tests.network.response.drawn import autoregression

few = settings(max_examples=50, deadline=None)
processes = st.builds(Autoregression, st.floats(0.05, 3), st.floats(0, MOST_PERSISTENCE))
TRUTH = Autoregression(0.3, 0.7)
NOISE = 0.6  # standard deviation: a period tells a fifth of its own effect


@pytest.fixture(scope="module")
def seen():
    rng = np.random.default_rng(0)
    series = autoregression(rng, 300, 12, TRUTH.spread, TRUTH.persistence)
    return series + rng.normal(0, NOISE, series.shape)


def open_series(seen, prior):
    """What the posteriors of series [n, W] leave open that are seen with noise."""
    periods = seen.shape[1]
    covariance = np.linalg.inv(prior.precision(periods).numpy() + np.eye(periods) / NOISE**2)
    mean = torch.from_numpy(seen @ covariance / NOISE**2)
    found = OpenSeries.none(periods)
    found.add(torch.from_numpy(covariance).expand(len(seen), periods, periods), torch.ones(len(seen)).double(), prior)
    found.second_moments += mean.T @ mean
    return found


def log_evidence(seen, process):
    """Of series that are seen with noise, and of the weak prior."""
    covariance = autoregressive_covariance(process, seen.shape[1]) + NOISE**2 * np.eye(seen.shape[1])
    away = (process.coordinates().numpy() - PRIOR) / PRIOR_WIDTH
    return multivariate_normal(np.zeros(seen.shape[1]), covariance).logpdf(seen).sum() - 0.5 * (away**2).sum()


def learned(seen, steps):
    start = Autoregression(1.0, 0.2)
    for _ in range(steps):
        start = open_series(seen, start).teach(start)
    return start


@few
@given(processes, st.integers(1, 12))
def test_precision_is_the_inverse_of_the_covariance(process, periods):
    found = process.precision(periods).numpy() @ autoregressive_covariance(process, periods)

    np.testing.assert_allclose(found, np.eye(periods), atol=1e-9)


@few
@given(processes)
def test_coordinates_are_those_of_the_process(process):
    found = Autoregression.at(process.coordinates())

    assert found.spread == pytest.approx(process.spread)
    assert found.persistence == pytest.approx(process.persistence, abs=1e-12)


@few
@given(st.floats(-40, 40), st.floats(-40, 40))
def test_autoregression_is_stationary_and_never_without_spread(log_variance, persistence):
    found = Autoregression.at(torch.tensor([log_variance, persistence], dtype=torch.float64))

    assert found.spread >= LEAST_SPREAD
    assert 0 <= found.persistence <= MOST_PERSISTENCE


@few
@given(st.floats(0.05, 3), st.floats(0.01, 0.9), st.integers(1, 8), st.sampled_from([0, 1]))
def test_slopes_are_those_of_the_covariance(spread, persistence, periods, coordinate):
    process, step = Autoregression(spread, persistence), 1e-6
    ends = []
    for sign in (-1, 1):
        at = process.coordinates()
        at[coordinate] += sign * step
        ends.append(autoregressive_covariance(Autoregression.at(at), periods))

    expected = (ends[1] - ends[0]) / (2 * step)

    np.testing.assert_allclose(process.slopes(periods)[coordinate], expected, rtol=1e-5, atol=1e-8)


def test_information_is_that_of_the_series_as_they_are_seen(seen):
    """Of a Gaussian with the covariance S + noise: tr(G S′ G S″) / 2 with G its inverse."""
    slopes = TRUTH.slopes(12).numpy()
    inverse = np.linalg.inv(autoregressive_covariance(TRUTH, 12) + NOISE**2 * np.eye(12))
    expected = [[len(seen) / 2 * np.trace(inverse @ a @ inverse @ b) for a in slopes] for b in slopes]

    np.testing.assert_allclose(open_series(seen, TRUTH).information, expected, rtol=1e-8)


def test_learning_rests_where_the_evidence_is_highest(seen):
    found = learned(seen, 60)

    best = log_evidence(seen, found)
    for step in 0.02 * torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1]]):
        assert log_evidence(seen, Autoregression.at(found.coordinates() + step)) < best


def test_a_dozen_steps_learn_what_periods_tell_little_of(seen):
    found = learned(seen, 12)

    assert found.spread == pytest.approx(TRUTH.spread, rel=0.15)
    assert found.persistence == pytest.approx(TRUTH.persistence, abs=0.1)
    assert float((found.coordinates() - learned(seen, 60).coordinates()).abs().max()) < 0.02


def test_series_without_news_stay_at_the_weak_prior():
    start = Autoregression(0.4, 0.3)
    for _ in range(60):
        left = OpenSeries.none(5)
        left.add(torch.linalg.inv(start.precision(5))[None], torch.ones(1).double(), start)
        start = left.teach(start)

    assert start.spread == pytest.approx(math.exp(PRIOR[0] / 2), rel=1e-3)
    assert start.persistence == pytest.approx(math.tanh(PRIOR[1]), rel=1e-3)


def test_persistence_stays_where_there_is_nothing_to_persist():
    start = Autoregression(LEAST_SPREAD, 0.3)

    assert open_series(np.zeros((300, 12)), start).teach(start) == start


def test_steps_of_a_small_spread_do_not_swing():
    calm = np.random.default_rng(2).normal(0, 0.9 * NOISE, (4, 120))

    assert learned(calm, 20).spread > LEAST_SPREAD
    assert float((learned(calm, 21).coordinates() - learned(calm, 20).coordinates()).abs().max()) < 0.05


def test_spread_is_learned_beside_a_persistence_at_its_limit():
    rng = np.random.default_rng(1)
    walk = np.repeat(rng.normal(0, 0.5, (300, 1)), 12, axis=1) + rng.normal(0, NOISE, (300, 12))

    found = learned(walk, 40)

    assert found.persistence == MOST_PERSISTENCE
    best = log_evidence(walk, found)
    for by in (0.95, 1.05):
        assert log_evidence(walk, Autoregression(by * found.spread, found.persistence)) < best


@few
@given(processes, st.integers(0, 3), st.integers(0, 3))
def test_effects_between_known_ones_are_those_of_the_joint_distribution(process, since, until):
    covariance = autoregressive_covariance(process, since + until + 1)
    known, values = [0, since + until], torch.tensor([0.3, -0.8], dtype=torch.float64)
    steps = [torch.tensor(float(of)) for of in (since, until)]

    mean, spread = process.between(values[0], steps[0], values[1], steps[1])

    if since and until:
        slope = np.linalg.solve(covariance[np.ix_(known, known)], covariance[known, since])
        np.testing.assert_allclose(mean, values.numpy() @ slope, atol=1e-7)
        np.testing.assert_allclose(spread**2, covariance[since, since] - covariance[known, since] @ slope, rtol=1e-5)
    else:
        assert (float(mean), float(spread)) == (float(values[0 if since == 0 else 1]), 0.0)


def test_effects_beside_one_known_or_none_are_forecasts():
    process, never, one = Autoregression(0.5, 0.8), torch.tensor(torch.inf), torch.tensor(0.4)

    found = [process.between(one, *steps) for steps in ((torch.tensor(2.0), one, never), (never, one, never))]

    assert [float(mean) for mean, _ in found] == pytest.approx([0.4 * 0.64, 0.0])
    assert [float(spread) for _, spread in found] == pytest.approx([0.5 * (1 - 0.8**4) ** 0.5, 0.5])
