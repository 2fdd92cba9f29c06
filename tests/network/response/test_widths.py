"""Prior widths: covariances learned from second moments."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.response.model import Layout
from gpu_pricer.network.response.widths import (
    MOST_SPREAD,
    START_SEASON,
    change_of,
    learned_covariance,
    segments_widths,
    start_widths,
)

few = settings(max_examples=50, deadline=None)
layouts = st.builds(Layout, segments=st.integers(1, 4), contexts=st.integers(1, 3))


def moments_of(seed, layout, count):
    """Second moments of `count` products' random coefficients."""
    coefficients = np.random.default_rng(seed).normal(0, 0.5, (count, layout.width))
    return torch.from_numpy(coefficients.T @ coefficients)


def settled(layout, count):
    """The settled shares of coefficients of which the log leaves nothing open."""
    return torch.full((layout.width,), float(count), dtype=torch.float64)


@few
@given(st.integers(0, 1000), layouts)
def test_segments_start_with_the_widths_of_all_users(seed, layout):
    one = Layout(1, layout.contexts)
    covariance = learned_covariance(moments_of(seed, one, 20), 20, settled(one, 20), start_widths(one).product, one)

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
        before = learned_covariance(moments_of(seed, layout, count), count, settled(layout, count), before, layout)

        assert torch.equal(before, before.T)
        assert torch.linalg.eigvalsh(before)[0] > 0


@few
@given(st.integers(0, 1000), layouts, st.integers(1, 30))
def test_effects_of_context_are_independent_of_each_other_and_of_the_rest(seed, layout, count):
    found = learned_covariance(
        moments_of(seed, layout, count), count, settled(layout, count), start_widths(layout).product, layout
    )

    effects = found[layout.effect]
    assert torch.equal(effects[:, layout.effect], torch.diag(found.diagonal()[layout.effect]))
    assert not effects[:, : layout.effect.start].any()


def test_many_products_teach_their_own_covariance():
    layout, count = Layout(3, 1), 10**7
    expected = moments_of(0, layout, 20) / 20
    expected[layout.effect] = expected[:, layout.effect] = 0.0
    expected[-1, -1] = 0.3

    found = learned_covariance(count * expected, count, settled(layout, count), expected, layout)

    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_one_product_teaches_hardly_more_than_one_variance_for_all_segments():
    """Of its second moments one part in six counts as it is, four parts symmetrised; the start is the sixth."""
    layout = Layout(2, 1)
    own = torch.diag(torch.tensor([4.0, 0.0, 1.0, 0.0, 0.0], dtype=torch.float64))
    symmetric = torch.diag(torch.tensor([2.0, 2.0, 0.5, 0.5, 0.0], dtype=torch.float64))
    expected = (own + 4 * symmetric + start_widths(layout).product) / 6

    found = learned_covariance(own, 1, settled(layout, 1), expected, layout)

    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_no_variance_moves_further_in_a_pass_than_allowed():
    layout, count = Layout(2, 1), 10**7
    start, told = start_widths(layout).product, settled(layout, count) / 100

    wider, narrower = (learned_covariance(count * by * start, count, told, start, layout) for by in (1.5, 0.1))

    np.testing.assert_allclose(wider, np.e * start, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(narrower, start / np.e, rtol=1e-5, atol=1e-9)


def test_log_sensitivities_spread_no_further_than_allowed():
    layout, count = Layout(2, 1), 10**7
    wide = torch.diag(torch.tensor([9.0, 9.0, 9.0, 0.25, 9.0], dtype=torch.float64))
    wide[0, 2] = wide[2, 0] = 4.5  # a correlation of one half

    found = learned_covariance(count * wide, count, settled(layout, count), wide, layout)

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

    found = learned_covariance(
        alike, count * segments, settled(layout, count * segments), start_widths(layout).product, layout
    )

    np.testing.assert_allclose(found, found[order][:, order], atol=1e-12)


@few
@given(st.integers(0, 1000), st.integers(2, 4), st.integers(1, 30))
def test_learning_goes_with_the_order_of_the_segments(seed, segments, count):
    layout = Layout(segments, 2)
    turned = np.random.default_rng(seed).permutation(segments)
    order = np.concatenate([turned, segments + turned, 2 * segments + np.arange(2)])
    moments, start = moments_of(seed, layout, count), start_widths(layout).product

    told = torch.from_numpy(np.random.default_rng(seed).uniform(0, count, layout.width))

    found = learned_covariance(moments[order][:, order], count, told[order], start, layout)

    expected = learned_covariance(moments, count, told, start, layout)[order][:, order]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_widths_that_the_moments_confirm_stay():
    """EM rests where a pass teaches what was believed, however long the steps that led there."""
    layout, count = Layout(2, 1), 12
    moments, told = moments_of(3, layout, count), settled(layout, count)
    covariance = start_widths(layout).product

    for _ in range(200):
        covariance = learned_covariance(moments, count, told, covariance, layout)

    np.testing.assert_allclose(learned_covariance(moments, count, told, covariance, layout), covariance, atol=1e-12)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_a_dozen_steps_learn_what_products_tell_little_of(share):
    """Of 2,000 effects each is seen with so much noise that it settles about this share of its variance."""
    layout, count, truth = Layout(1, 1), 2000, 0.2**2
    noise = truth * (1 / share - 1)
    seen = np.random.default_rng(0).normal(0, np.sqrt(truth + noise), count)
    covariance, after = start_widths(layout).product, []

    for _ in range(200):
        variance = float(covariance[-1, -1])
        left = 1 / (1 / variance + 1 / noise)
        moments = count * covariance.clone()
        moments[-1, -1] = ((left / noise * seen) ** 2).sum() + count * left
        told = settled(layout, count)
        told[-1] = count * (1 - left / variance) ** 2
        covariance = learned_covariance(moments, count, told, covariance, layout)
        after.append(float(covariance[-1, -1]))

    assert after[11] == pytest.approx(after[-1], rel=0.02)
    assert after[-1] == pytest.approx(truth, rel=0.2)


def test_change_of_widths_is_the_largest_one_of_any_of_them():
    before = start_widths(Layout(2, 1))
    scale = torch.diag(torch.tensor([1.0, 1.1, 1.0, 0.5, 1.0], dtype=torch.float64).sqrt())
    season = replace(START_SEASON, persistence=np.tanh(np.arctanh(START_SEASON.persistence) + 0.3))

    assert change_of(before, before) == 0.0
    assert change_of(before, replace(before, season=season)) == pytest.approx(0.3)
    assert change_of(before, replace(before, category=scale @ before.category @ scale)) == pytest.approx(np.log(2))
