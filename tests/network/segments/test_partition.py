"""Segments of users of like expected response, where no two users respond quite alike."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from gpu_pricer.network.segments import partition
from gpu_pricer.network.segments.latent_classes import LatentClasses, fit_classes
from gpu_pricer.network.segments.partition import partition_users
from tests.network.segments.drawn_scores import scores_of

USERS = 600
INFORMATION = 30.0


@pytest.fixture(scope="module")
def slopes():
    return np.exp(np.random.default_rng(0).normal(0, 0.4, USERS))


@pytest.fixture(scope="module")
def scores(slopes):
    return scores_of(slopes, np.full(USERS, INFORMATION), seed=1)


def spread_inside(segment, slopes):
    """The mean variance of slopes inside the segments."""
    return sum(((slopes[segment == s] - slopes[segment == s].mean()) ** 2).sum() for s in np.unique(segment)) / USERS


def test_segments_follow_the_response_more_closely_than_the_most_likely_classes(scores, slopes):
    classes = fit_classes(scores, 4, 0.0, seed=0)

    segment = partition_users(classes, scores, 12, seed=0).segments_of(scores)

    most_likely = classes.memberships(scores).argmax(axis=1)
    assert len(np.unique(segment)) == 12
    assert spread_inside(segment, slopes) < 0.95 * spread_inside(most_likely, slopes)


def test_users_of_a_segment_have_neighbouring_scores(scores):
    """With one group of equal information a place follows the score, so that segments are intervals of it."""
    classes = fit_classes(scores, 4, 0.0, seed=0)

    segment = partition_users(classes, scores, 8, seed=0).segments_of(scores)

    along = segment[np.argsort(scores.score[0, :, 0])]
    assert (np.diff(along) != 0).sum() == len(np.unique(segment)) - 1


@pytest.mark.parametrize("taste_weight", [0.0, 0.3])
def test_classes_are_as_far_apart_as_their_response_and_tastes(scores, taste_weight):
    rng = np.random.default_rng(3)
    response, log_rate = rng.normal(size=(3, 1)), rng.normal(size=(3, 3))
    classes = LatentClasses(response, log_rate, np.full(3, 1 / 3), taste_weight)

    place = partition_users(classes, scores, 2, seed=0).class_place

    squares = ((place[:, None] - place) ** 2).sum(axis=2)
    expected = INFORMATION * ((response[:, None] - response) ** 2).sum(axis=2)
    expected += taste_weight * 5.0 * ((log_rate[:, None] - log_rate) ** 2).sum(axis=2)
    np.testing.assert_allclose(squares, expected, atol=1e-9)


def test_users_of_whom_the_log_says_nothing_form_no_segment_of_their_own(slopes):
    """They are where everybody is on average, however many they are."""
    known = np.where(np.arange(USERS) < 100, INFORMATION, 0.0)
    scores = scores_of(slopes, known, seed=1)
    classes = fit_classes(scores, 3, 0.0, seed=0)

    segment = partition_users(classes, scores, 4, seed=0).segments_of(scores)

    assert len(np.unique(segment[100:])) == 1
    assert len(np.unique(segment[:100])) == 4


def test_some_of_the_centres_part_the_users_among_them(scores):
    classes = fit_classes(scores, 3, 0.0, seed=0)
    parts = partition_users(classes, scores, 5, seed=0)

    fewer = parts.of(np.array([3, 1]))

    before, after = parts.segments_of(scores), fewer.segments_of(scores)
    assert (after[before == 3] == 0).all()
    assert (after[before == 1] == 1).all()


def test_former_segments_stay_unless_others_are_nearer(scores, slopes):
    classes, new = fit_classes(scores, 4, 0.0, seed=0), scores_of(slopes, np.full(USERS, INFORMATION / 30), seed=2)
    later = replace(scores, score=scores.score + new.score, information=scores.information + new.information)
    before = partition_users(classes, scores, 8, seed=0).segments_of(scores)

    def staying(now):
        """The share of users who stay, if segments take the ids that keep the most."""
        shared = np.histogram2d(now, before, np.arange(9))[0]
        return shared[linear_sum_assignment(-shared)].sum() / USERS

    alone, kept = (partition_users(classes, later, 8, 1, former).segments_of(later) for former in (None, before))
    again = partition_users(classes, scores, 8, 1, before).segments_of(scores)
    of_chance = partition_users(classes, scores, 8, 0, np.random.default_rng(0).permutation(before))

    assert (again == before).mean() > 0.99
    assert staying(kept) > staying(alone) + 0.05
    assert spread_inside(of_chance.segments_of(scores), slopes) < 1.1 * spread_inside(before, slopes)


def test_former_segments_stay_where_few_of_the_users_are_drawn(scores, monkeypatch):
    """One of them has three members, who are unlikely to be drawn."""
    classes = fit_classes(scores, 4, 0.0, seed=0)
    before = partition_users(classes, scores, 7, seed=0).segments_of(scores)
    before[(classes.memberships(scores) @ classes.response)[:, 0].argsort()[-3:]] = 7
    monkeypatch.setattr(partition, "PARTED", 60)

    again = partition_users(classes, scores, 8, 1, before).segments_of(scores)

    assert (again == before).mean() > 0.95


@pytest.mark.parametrize(
    "former", [np.arange(USERS) % 5, np.arange(USERS) % 3, np.full(USERS, -1), np.arange(USERS) % 2 * 3]
)
def test_another_number_of_former_segments_is_no_start(scores, former):
    classes = fit_classes(scores, 3, 0.0, seed=0)

    found, alone = (partition_users(classes, scores, 4, 0, of).segments_of(scores) for of in (former, None))

    np.testing.assert_array_equal(found, alone)


def test_users_could_stay_where_they_lose_little_of_what_segments_save_a_mean_user(scores):
    classes = fit_classes(scores, 4, 0.0, seed=0)
    parts = partition_users(classes, scores, 6, seed=0)
    place = classes.memberships(scores) @ parts.class_place
    distance = ((place[:, None] - parts.centre) ** 2).sum(axis=2)
    nearest, weight = distance.min(axis=1), partition.weights(scores)
    saved = np.average(((place - np.average(place, axis=0, weights=weight)) ** 2).sum(axis=1) - nearest, weights=weight)

    found = np.stack([parts.could_stay(scores, np.full(USERS, segment)) for segment in range(6)], axis=1)

    np.testing.assert_array_equal(found, distance - nearest[:, None] <= partition.WORTH_MOVING * saved)
    assert found[np.arange(USERS), parts.segments_of(scores)].all()
    assert 1 < found.sum(axis=1).mean() < 3
