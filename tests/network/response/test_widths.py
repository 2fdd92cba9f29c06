"""Prior widths: the precision of an autoregression, and covariances learned from second moments."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.response.model import Layout
from gpu_pricer.network.response.widths import (
    LEAST_SPREAD,
    MOST_PERSISTENCE,
    MOST_SPREAD,
    Autoregression,
    change_of,
    learned_covariance,
    segments_widths,
    start_widths,
)
from tests.network.response.dense import autoregressive_covariance

few = settings(max_examples=50, deadline=None)
layouts = st.builds(Layout, segments=st.integers(1, 4), contexts=st.integers(1, 3))


def moments_of(seed, layout, count):
    """Second moments of `count` products' random coefficients."""
    coefficients = np.random.default_rng(seed).normal(0, 0.5, (count, layout.width))
    return torch.from_numpy(coefficients.T @ coefficients)


@few
@given(st.floats(0.02, 5), st.floats(0, MOST_PERSISTENCE), st.integers(1, 12))
def test_precision_of_an_autoregression_is_the_inverse_of_its_covariance(spread, persistence, periods):
    process = Autoregression(spread, persistence)

    found = process.precision(periods).numpy() @ autoregressive_covariance(process, periods)

    np.testing.assert_allclose(found, np.eye(periods), atol=1e-9)


@few
@given(st.floats(0.05, 3), st.floats(0, MOST_PERSISTENCE))
def test_autoregression_is_learned_from_its_own_moments(spread, persistence):
    found = Autoregression.learned(spread**2, persistence * spread**2)

    assert found.spread == pytest.approx(spread)
    assert found.persistence == pytest.approx(persistence, abs=1e-12)


@given(st.floats(0, 10), st.floats(-10, 10))
def test_learned_autoregression_is_stationary_and_never_without_spread(square, lagged):
    found = Autoregression.learned(square, lagged)

    assert found.spread >= LEAST_SPREAD
    assert 0 <= found.persistence <= MOST_PERSISTENCE


@few
@given(st.integers(0, 1000), layouts)
def test_segments_start_with_the_widths_of_all_users(seed, layout):
    one = Layout(1, layout.contexts)
    covariance = learned_covariance(moments_of(seed, one, 20), 20, start_widths(one).product, one)

    found = segments_widths(replace(start_widths(one), product=covariance), layout).product

    effects = list(range(2 * layout.segments, layout.width))
    for s in range(layout.segments):
        own = torch.tensor([s, layout.segments + s, *effects])
        np.testing.assert_array_equal(found[own][:, own], covariance)
    assert torch.linalg.eigvalsh(found)[0] > 0


@few
@given(st.integers(0, 1000), layouts, st.integers(1, 30))
def test_learned_covariance_is_positive_definite(seed, layout, count):
    before = start_widths(layout).product

    for _ in range(3):
        before = learned_covariance(moments_of(seed, layout, count), count, before, layout)

        assert torch.equal(before, before.T)
        assert torch.linalg.eigvalsh(before)[0] > 0


@few
@given(st.integers(0, 1000), layouts, st.integers(1, 30))
def test_effects_of_context_are_independent_of_each_other_and_of_the_rest(seed, layout, count):
    found = learned_covariance(moments_of(seed, layout, count), count, start_widths(layout).product, layout)

    effects = found[layout.effect]
    assert torch.equal(effects[:, layout.effect], torch.diag(found.diagonal()[layout.effect]))
    assert not effects[:, : layout.effect.start].any()


def test_many_products_teach_their_own_covariance():
    layout, count = Layout(3, 1), 10**7
    expected = moments_of(0, layout, 20) / 20
    expected[layout.effect] = expected[:, layout.effect] = 0.0
    expected[-1, -1] = 0.3

    found = learned_covariance(count * expected, count, expected, layout)

    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_one_product_teaches_hardly_more_than_one_variance_for_all_segments():
    """Of its second moments one part in six counts as it is, four parts symmetrised; the start is the sixth."""
    layout = Layout(2, 1)
    own = torch.diag(torch.tensor([4.0, 0.0, 1.0, 0.0, 0.0], dtype=torch.float64))
    symmetric = torch.diag(torch.tensor([2.0, 2.0, 0.5, 0.5, 0.0], dtype=torch.float64))
    expected = (own + 4 * symmetric + start_widths(layout).product) / 6

    found = learned_covariance(own, 1, expected, layout)

    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_steps_are_lengthened_where_the_result_stays_positive_definite():
    layout, count = Layout(2, 1), 10**7
    start = start_widths(layout).product

    wider = learned_covariance(count * 1.5 * start, count, start, layout)
    narrower = learned_covariance(count * 0.1 * start, count, start, layout)

    np.testing.assert_allclose(wider, (1 + 1.8 * 0.5) * start, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(narrower, 0.1 * start, rtol=1e-5, atol=1e-9)


def test_log_sensitivities_spread_no_further_than_allowed():
    layout, count = Layout(2, 1), 10**7
    wide = torch.diag(torch.tensor([9.0, 9.0, 9.0, 0.25, 9.0], dtype=torch.float64))
    wide[0, 2] = wide[2, 0] = 4.5  # a correlation of one half

    found = learned_covariance(count * wide, count, wide, layout)

    np.testing.assert_allclose(found.diagonal(), [9.0, 9.0, MOST_SPREAD**2, 0.25, 9.0], rtol=1e-4)
    assert float(found[0, 2]) == pytest.approx(0.5 * 3.0 * MOST_SPREAD, rel=1e-4)


@few
@given(st.integers(0, 1000), st.integers(2, 4), st.integers(1, 30))
def test_symmetric_moments_stay_symmetric(seed, segments, count):
    """Segments that are alike in the moments are alike in the widths."""
    layout = Layout(segments, 1)
    order = torch.cat([torch.arange(segments).roll(1), segments + torch.arange(segments).roll(1), torch.tensor([-1])])
    moments = moments_of(seed, layout, count)
    alike, turned = moments, moments
    for _ in range(segments - 1):
        turned = turned[order][:, order]
        alike = alike + turned

    found = learned_covariance(alike, count * segments, start_widths(layout).product, layout)

    np.testing.assert_allclose(found, found[order][:, order], atol=1e-12)


@few
@given(st.integers(0, 1000), st.integers(2, 4), st.integers(1, 30))
def test_learning_goes_with_the_order_of_the_segments(seed, segments, count):
    layout = Layout(segments, 2)
    turned = np.random.default_rng(seed).permutation(segments)
    order = np.concatenate([turned, segments + turned, 2 * segments + np.arange(2)])
    moments, start = moments_of(seed, layout, count), start_widths(layout).product

    found = learned_covariance(moments[order][:, order], count, start, layout)

    np.testing.assert_allclose(found, learned_covariance(moments, count, start, layout)[order][:, order], atol=1e-12)


def test_widths_that_the_moments_confirm_stay():
    """EM rests where a pass teaches what was believed, wherever extrapolation came from."""
    layout, count = Layout(2, 1), 12
    moments = moments_of(3, layout, count)
    covariance = start_widths(layout).product

    for _ in range(60):
        covariance = learned_covariance(moments, count, covariance, layout)

    np.testing.assert_allclose(learned_covariance(moments, count, covariance, layout), covariance, atol=1e-12)


def test_change_of_widths_is_the_largest_relative_one_of_a_variance():
    before = start_widths(Layout(2, 1))
    scale = torch.diag(torch.tensor([1.0, 1.1, 1.0, 0.5, 1.0], dtype=torch.float64).sqrt())

    assert change_of(before, before) == 0.0
    assert change_of(before, replace(before, category=scale @ before.category @ scale)) == pytest.approx(np.log(2))
