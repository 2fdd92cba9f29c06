"""The dispersion of scores that the test drew, with users who respond alike and with users who do not."""

import pytest
import torch

from gpu_pricer.network.segments.dispersion import LEAST, MOST, dispersion_of


def drawn_scores(dispersion, spread, folds=4, users=3000, groups=3):
    generator = torch.Generator().manual_seed(0)
    information = torch.rand(folds, users, groups, generator=generator, dtype=torch.float64) * 2
    response = spread * torch.randn(users, groups, generator=generator, dtype=torch.float64)
    noise = torch.randn(folds, users, groups, generator=generator, dtype=torch.float64)
    return information * response + (dispersion * information).sqrt() * noise, information


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("dispersion", [0.5, 1.0, 2.5])
def test_dispersion_is_the_one_that_the_scores_were_drawn_with(dispersion, spread):
    found = dispersion_of(*drawn_scores(dispersion, spread))

    assert found == pytest.approx(dispersion, rel=0.08)


def test_a_single_fold_and_prices_that_never_moved_tell_nothing():
    score, information = drawn_scores(0.5, 0.3)

    assert dispersion_of(score[:1], information[:1]) == 1.0
    assert dispersion_of(torch.zeros_like(score), torch.zeros_like(information)) == 1.0


def test_dispersion_stays_in_its_range():
    score, information = drawn_scores(1.0, 0.0)

    assert dispersion_of(10 * score, information) == MOST
    assert dispersion_of(0.01 * score, information) == LEAST
