"""Prior widths: where their learning starts, and how far they move."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.response.model import Layout
from gpu_pricer.network.response.priors.covariance import CompoundSymmetry
from gpu_pricer.network.response.priors.widths import START_SEASON, change_of, segments_widths, start_widths
from tests.network.response.drawn import a_covariance, some_widths

few = settings(max_examples=50, deadline=None)


@few
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 3))
def test_segments_start_with_the_widths_of_all_users(seed, segments, contexts):
    """What they share is correlated as in all users, how they differ is not."""
    one, layout = Layout(1, contexts), Layout(segments, contexts)
    covariance = a_covariance(np.random.default_rng(seed), one.width, 0.5)
    covariance[one.effect, : one.effect.start] = covariance[: one.effect.start, one.effect] = 0.0

    found = segments_widths(replace(start_widths(one), product=covariance), layout).product

    assert torch.linalg.eigvalsh(found)[0] > 0
    np.testing.assert_array_equal(found[layout.effect, layout.effect], covariance[one.effect, one.effect])
    for s in range(segments):
        own = [s, segments + s]
        np.testing.assert_allclose(found[own, own], covariance.diagonal()[:2])
    parts, correlation = CompoundSymmetry.of(found[: 2 * segments, : 2 * segments]), correlation_of(covariance)
    assert correlation_of(parts.common) == pytest.approx(correlation)
    assert correlation_of(parts.apart) == pytest.approx(0.0)


def correlation_of(covariance):
    """Of appeals and log sensitivities."""
    return float(covariance[0, 1] / (covariance[0, 0] * covariance[1, 1]).sqrt())


def test_what_differs_little_starts_with_narrow_levels_and_effects_of_periods_alone():
    layout = Layout(1, 2)

    wide, narrow = start_widths(layout), start_widths(layout, 0.1)

    assert (narrow.product / wide.product).diagonal().tolist() == pytest.approx([0.01, 1, 1, 1])
    assert narrow.season.spread == pytest.approx(0.1 * wide.season.spread)
    assert narrow.shock.spread == pytest.approx(0.1 * wide.shock.spread)


def test_change_of_widths_is_the_largest_one_of_any_of_them():
    before = start_widths(Layout(2, 1))
    scale = torch.diag(torch.tensor([1.0, 1.1, 1.0, 0.5, 1.0], dtype=torch.float64).sqrt())
    season = replace(START_SEASON, persistence=np.tanh(np.arctanh(START_SEASON.persistence) + 0.3))

    assert change_of(before, before) == 0.0
    assert change_of(before, replace(before, season=season)) == pytest.approx(0.3)
    assert change_of(before, replace(before, category=scale @ before.category @ scale)) == pytest.approx(np.log(2))


@few
@given(st.integers(0, 1000), st.floats(0, 1))
def test_widths_on_the_way_to_others_are_between_them(seed, share):
    layout = Layout(2, 1)
    before, after = (some_widths(k, layout) for k in (seed, seed + 2))

    found = before.towards(after, share)

    ends = np.stack([widths.coordinates() for widths in (before, after)])
    assert (found.coordinates().numpy() >= ends.min(axis=0) - 1e-9).all()
    assert (found.coordinates().numpy() <= ends.max(axis=0) + 1e-9).all()
    assert min(float(torch.linalg.eigvalsh(part)[0]) for part in (found.product, found.category)) > 0
    assert found.elasticity == before.elasticity


def test_ways_begin_and_end_where_they_should():
    before, after = (some_widths(seed, Layout(2, 1)) for seed in (0, 2))

    assert before.towards(after, 1.0) is after
    torch.testing.assert_close(before.towards(after, 0.0).coordinates(), before.coordinates())
