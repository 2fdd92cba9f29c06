"""Slopes of users whose true sensitivity the test drew."""

import numpy as np
import pytest

from gpu_pricer.network.segments.user_slopes import LEAST, MOST, user_slopes
from tests.network.segments.drawn_scores import scores_of


def test_slopes_are_calibrated():
    rng = np.random.default_rng(1)
    slope, information = 1 + 0.4 * rng.normal(size=4000), rng.gamma(1.0, 6.0, 4000)

    found = user_slopes(scores_of(slope, information))

    assert np.polyfit(found, slope, 1)[0] == pytest.approx(1, abs=0.1)
    assert np.square(found - slope).mean() < 0.8 * np.square(1 - slope).mean()


def test_users_who_are_alike_are_found_alike():
    information = np.random.default_rng(2).gamma(1.0, 6.0, 4000)

    found = user_slopes(scores_of(np.ones(4000), information))

    assert np.abs(found - 1).max() < 0.2


def test_prices_that_never_moved_tell_no_user_from_another():
    nothing = np.zeros(5)

    assert user_slopes(scores_of(np.ones(5), nothing)).tolist() == [1.0] * 5


def test_slopes_stay_in_their_range_whatever_a_user_did():
    found = user_slopes(scores_of(np.array([-50.0, 1.0, 90.0]), np.array([40.0, 1.0, 40.0])))

    assert found.min() >= LEAST
    assert found.max() <= MOST
