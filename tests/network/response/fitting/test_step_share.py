"""Shares of steps: searches whose steps are too long end all the same."""

import pytest
import torch

from gpu_pricer.network.response.fitting.step_share import StepShare


@pytest.mark.parametrize("length", [0.5, 1.0, 1.9, 2.5, 4.0])
def test_search_ends_though_its_steps_are_too_long(length):
    """Each step is `length` times the way: from 2 on, whole steps would lead farther away each time."""
    place, steps = torch.tensor([3.0, -2.0]), StepShare(0.05, 1.0)

    for _ in range(40):
        step = -length * place
        steps.after(step)
        place = place + steps.share * step

    assert float(place.abs().max()) < 1e-3


def test_steps_that_lead_on_are_taken_as_far_as_allowed():
    steps = StepShare(0.1, 0.8)

    for _ in range(5):
        steps.after(torch.ones(3))
        assert steps.share == 0.8


def test_share_falls_to_the_least_and_rises_again():
    steps, found = StepShare(0.1, 0.8), []

    for sign in (1, -1, 1, -1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1):
        steps.after(torch.full((2,), float(sign)))
        found.append(steps.share)

    assert found[:6] == pytest.approx([0.8, 0.4, 0.2, 0.1, 0.1, 0.125])
    assert found[-1] == 0.8
