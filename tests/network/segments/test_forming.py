"""Segments of the users of a market whose demand the test knows; segment ids stay as far as members do."""

from itertools import permutations

import numpy as np
import polars as pl
import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.network.segments.forming import Segmentation, SegmentsConfig, form_segments, keep_ids, overlap
from tests.network.small import all_members


def test_segments_number_from_the_most_visits_down_and_are_all_used(market, trained):
    visits = np.linspace(1, 20, 300)

    config = SegmentsConfig(count=8, price_spread=0.2, restarts=2)
    formed = form_segments(all_members(trained), config, visits, seed=0)

    total = np.bincount(formed.segment, weights=visits)
    assert len(total) == 8
    assert (total > 0).all()
    assert (np.diff(total) <= 0).all()


def test_more_segments_than_users_are_refused(trained):
    config = SegmentsConfig(count=301, price_spread=0.2, restarts=1)

    with pytest.raises(InputError, match=r"found 301 for 300: lower segments\.count"):
        form_segments(all_members(trained), config, np.ones(300), seed=0)


def segmentation(segment, count):
    """Segments whose centre is their number."""
    return Segmentation(np.array(segment), np.arange(count)[:, None] * 1.0, price_spread=0.2)


def table(user, segment):
    return pl.DataFrame({"user_id": user, "segment_id": segment})


USERS = pl.DataFrame({"user_id": np.arange(200)})


@pytest.mark.parametrize("seed", range(5))
def test_no_other_numbering_keeps_more_users(seed):
    rng = np.random.default_rng(seed)
    before, now = rng.integers(0, 4, 200), rng.integers(0, 4, 200)

    kept = keep_ids(table(USERS["user_id"], before), USERS, segmentation(now, 4)).segment

    best = max((np.array(order)[now] == before).sum() for order in permutations(range(4)))
    assert (kept == before).sum() == best
    assert len(np.unique(np.stack([now, kept]), axis=1).T) == 4


def test_centres_follow_their_segments():
    now = np.repeat([0, 1, 2], [50, 70, 80])
    before = np.array([2, 0, 1])[now]

    kept = keep_ids(table(USERS["user_id"], before), USERS, segmentation(now, 3))

    np.testing.assert_array_equal(kept.segment, before)
    np.testing.assert_array_equal(kept.centre[kept.segment, 0], now)


def test_more_or_fewer_segments_are_numbered_without_gaps():
    before = np.repeat([0, 4, 2, 7], 50)
    now = np.repeat([2, 1, 0], [50, 100, 50])

    kept = keep_ids(table(USERS["user_id"], before), USERS, segmentation(now, 3)).segment

    assert kept[0] == 0
    assert kept[120] == 2
    assert sorted(np.unique(kept)) == [0, 1, 2]


@pytest.mark.parametrize(
    "previous", [table(["a", "b"], [0, 1]), table([0, 1], ["s0", "s1"]), table([900, 901], [0, 1])]
)
def test_artefacts_of_others_leave_the_numbers_alone(previous):
    now = np.arange(200) % 3

    assert overlap(previous, USERS, now, 3).sum() == 0
    np.testing.assert_array_equal(keep_ids(previous, USERS, segmentation(now, 3)).segment, now)
