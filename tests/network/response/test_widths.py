"""Prior widths: where their learning starts, and how far they move."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pricer.network.response.model import Layout
from gpu_pricer.network.response.widths import START_SEASON, WidthSteps, change_of, segments_widths, start_widths
from tests.network.response.drawn import a_covariance

few = settings(max_examples=50, deadline=None)


@few
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 3))
def test_segments_start_with_the_widths_of_all_users(seed, segments, contexts):
    one, layout = Layout(1, contexts), Layout(segments, contexts)
    covariance = a_covariance(np.random.default_rng(seed), one.width, 0.5)
    covariance[one.effect, : one.effect.start] = covariance[: one.effect.start, one.effect] = 0.0

    found = segments_widths(replace(start_widths(one), product=covariance), layout).product

    effects = list(range(2 * layout.segments, layout.width))
    for s in range(layout.segments):
        own = torch.tensor([s, layout.segments + s, *effects])
        np.testing.assert_array_equal(found[own][:, own], covariance)
    assert torch.linalg.eigvalsh(found)[0] > 0


def test_change_of_widths_is_the_largest_one_of_any_of_them():
    before = start_widths(Layout(2, 1))
    scale = torch.diag(torch.tensor([1.0, 1.1, 1.0, 0.5, 1.0], dtype=torch.float64).sqrt())
    season = replace(START_SEASON, persistence=np.tanh(np.arctanh(START_SEASON.persistence) + 0.3))

    assert change_of(before, before) == 0.0
    assert change_of(before, replace(before, season=season)) == pytest.approx(0.3)
    assert change_of(before, replace(before, category=scale @ before.category @ scale)) == pytest.approx(np.log(2))


def scaled(widths, factor):
    """Widths with the variances of products and categories times a factor."""
    return replace(widths, product=widths.product * factor, category=widths.category * factor)


@pytest.mark.parametrize("length", [0.5, 1.0, 1.9, 2.5, 4.0])
def test_steps_of_widths_end_where_they_lead_though_they_are_too_long(length):
    """Each step is `length` times the way to the widths that are best: from 2 on, whole steps would never end."""
    best = start_widths(Layout(2, 1))
    widths, steps = scaled(best, 1.5), WidthSteps()

    for _ in range(40):
        ahead = float(best.product[0, 0].log() - widths.product[0, 0].log())
        widths = steps.next(widths, scaled(widths, np.exp(length * ahead)))

    torch.testing.assert_close(widths.coordinates(), best.coordinates(), atol=1e-3, rtol=0)


def test_steps_of_widths_that_lead_on_are_taken_whole():
    widths, steps = start_widths(Layout(2, 1)), WidthSteps()

    for _ in range(5):
        shown = scaled(widths, 1.1)
        widths = steps.next(widths, shown)
        torch.testing.assert_close(widths.coordinates(), shown.coordinates())


def test_steps_of_widths_grow_again_once_they_lead_on():
    widths, steps = start_widths(Layout(2, 1)), WidthSteps()

    for factor in (2.0, 0.5, 2.0, *[1.01] * 8):  # two leads back, then on
        before, shown = widths, scaled(widths, factor)
        widths = steps.next(before, shown)

    assert change_of(before, widths) == pytest.approx(change_of(before, shown))
