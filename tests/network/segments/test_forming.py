"""Segments of the users of a market whose demand the test knows."""

import numpy as np
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.network.segments.forming import SegmentsConfig, form_segments
from tests.network.small import everybody


def test_segments_number_from_the_most_visits_down_and_are_all_used(market, trained):
    visits = np.linspace(1, 20, 300)

    config = SegmentsConfig(count=8, price_spread=0.2, restarts=2)
    formed = form_segments(everybody(trained), config, visits, seed=0)

    total = np.bincount(formed.segment, weights=visits)
    assert len(total) == 8
    assert (total > 0).all()
    assert (np.diff(total) <= 0).all()


def test_more_segments_than_users_are_refused(trained):
    with pytest.raises(InputError, match=r"found 301 for 300: lower segments\.count"):
        form_segments(everybody(trained), SegmentsConfig(count=301, price_spread=0.2, restarts=1), np.ones(300), seed=0)
