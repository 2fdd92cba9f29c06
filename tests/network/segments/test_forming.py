"""Segments of users whose types the test knows; no purchase tells the segment it is counted in; ids stay."""

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.errors import InputError
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.segments import members as members_module
from gpu_pricer.network.segments.choosing import Choice
from gpu_pricer.network.segments.forming import (
    AUTO,
    Membership,
    SegmentsConfig,
    _large_enough,
    count_former,
    form_segments,
    former_segments,
    keep_ids,
    segmentation_of,
    segments_to_keep,
    user_coordinates,
)
from gpu_pricer.network.segments.user_scores import user_scores
from tests.network.segments.user_log import PERIODS, agreement, draw, of_users
from tests.network.small import all_members

ALIKE_SEEDS = (1, 2, 5)  # with which users of one type fall into two segments
FOLD = np.arange(PERIODS) % 4


def formed(drawn, count=4, min_members=10, visits=None):
    visits = drawn.visits if visits is None else visits
    scores = user_scores(drawn.pooled, drawn.log)
    return form_segments(scores, SegmentsConfig(count, 64, min_members), visits, seed=0)


@pytest.fixture(scope="module")
def two_types():
    return draw(sensitivity=(1.0, 4.0))


def test_users_who_answer_prices_unlike_come_apart(two_types):
    found = formed(two_types, count=2)

    assert agreement(found.segment, two_types.type) > 0.95
    counts = two_types.log.counts(two_types.grid, found.by_period, found.count)
    response = fit_response(two_types.grid, counts, FitConfig(20, 0.02, None), two_types.pooled).sensitivity.mean(1)
    assert sorted(response) == pytest.approx([1.0, 4.0], rel=0.2)  # some users are misplaced


def test_segments_number_from_the_most_visits_down(two_types):
    visits = np.linspace(1, 20, 300)

    found = formed(two_types, visits=visits)

    total = np.bincount(found.segment, weights=visits, minlength=found.count)
    assert len(total) > 2
    assert (np.diff(total) <= 0).all()


@pytest.fixture(scope="module")
def with_guests():
    """300 users of two types and 1,200 guests, of whom each came in one period: the types, the log, who is a guest."""
    drawn = draw(sensitivity=(1.0, 4.0), taste=0.8, users=1500)
    is_guest = np.arange(1500) >= 300
    came = torch.from_numpy(np.random.default_rng(3).integers(0, PERIODS, 1500))
    kept = ~torch.from_numpy(is_guest)[drawn.log.user] | (came[drawn.log.user] == drawn.log.column)
    others = torch.from_numpy(is_guest)[:, None] & (torch.arange(PERIODS) != came[:, None])
    parts = {name: getattr(drawn.log, name)[kept] for name in ("user", "product", "column", "count")}
    log = replace(drawn.log, **parts, visits=drawn.log.visits.masked_fill(others, 0.0))
    return drawn, log, is_guest


def test_guests_form_no_segment_and_are_where_a_user_is_of_whom_nothing_is_known(with_guests):
    drawn, log, is_guest = with_guests
    pooled = fit_response(drawn.grid, log.pooled(drawn.grid), FitConfig(20, 0.02, None))
    scores, came = user_scores(pooled, log), (log.visits > 0).sum(1).numpy()

    found = form_segments(scores, SegmentsConfig(AUTO, 64, 10), came, 0, Choice(2, 0.5, 2))

    assert agreement(found.segment[~is_guest], drawn.type[~is_guest]) > 0.95
    assert len(set(found.segment[is_guest])) == 1
    assert bool((found.by_period[torch.from_numpy(is_guest)] == int(found.segment[is_guest][0])).all())


def test_segments_of_guests_buy_as_much_per_visit_as_what_their_levels_are_learned_from(with_guests):
    drawn, log, _ = with_guests
    pooled = fit_response(drawn.grid, log.pooled(drawn.grid), FitConfig(20, 0.02, None))
    scores, came = user_scores(pooled, log), (log.visits > 0).sum(1).numpy()

    found = form_segments(scores, SegmentsConfig(AUTO, 64, 10), came, 0, Choice(2, 0.5, 2))

    of_users = torch.from_numpy(found.segment)[:, None].expand(-1, PERIODS)
    sold, learned = (
        counts.bought.sum(2) / counts.visits.sum((0, 2))
        for counts in (log.counts(drawn.grid, segment, found.count) for segment in (of_users, found.by_period))
    )
    assert sold.flatten().tolist() == pytest.approx(learned.flatten().tolist(), rel=0.03)


@pytest.mark.parametrize("least", [1, 40, 90, 1000])
def test_no_segment_has_fewer_members_than_it_must(two_types, least):
    found = formed(two_types, count=6, min_members=least)

    size = np.bincount(found.segment, minlength=found.count)
    assert size.min() >= min(least, 300)
    assert len(size) == found.count
    assert found.by_period.shape == (300, PERIODS)
    assert 0 <= int(found.by_period.min()) <= int(found.by_period.max()) < found.count
    by_fold = found.by_period[:, :4].numpy()
    assert np.bincount(by_fold.ravel(), minlength=found.count).min() >= 4 * min(least, 300)


@dataclass(frozen=True)
class OnALine:
    """Parts of users whose scores are places on a line."""

    centre: np.ndarray

    @property
    def count(self):
        return len(self.centre)

    def segments_of(self, place):
        return np.abs(place[:, None] - self.centre).argmin(axis=1)

    def of(self, numbers):
        return OnALine(self.centre[numbers])


@pytest.mark.parametrize(("moved", "left"), [(9, [0.0, 1.0, 2.0]), (11, [0.0, 1.0])])
def test_a_segment_in_which_other_periods_place_too_few_is_dissolved(moved, left):
    """Twenty users each are at 0, 1 and 2; without a fold some of those at 2 are nearer to 1."""
    whole = np.repeat([0.0, 1.0, 2.0], 20)
    without_fold = whole.copy()
    without_fold[-moved:] = 1.3

    found = _large_enough(OnALine(np.array([0.0, 1.0, 2.0])), [whole, without_fold, without_fold], 10, np.ones(60))

    assert sorted(found.centre) == left


@pytest.mark.parametrize("seed", ALIKE_SEEDS)
def test_a_period_s_own_purchases_do_not_pass_for_response(seed):
    drawn = draw(sensitivity=(2.5,), seed=seed)
    scores = user_scores(drawn.pooled, drawn.log)

    found = form_segments(scores, SegmentsConfig(4, 64, 10), drawn.visits, seed)

    assert found.count > 1
    by_fold = found.by_period[:, :4].numpy()
    assert _surprise(scores, by_fold, found.count) < 3  # it is about 1 where nothing but chance tells segments apart
    assert _surprise(scores, np.repeat(found.segment[:, None], 4, axis=1), found.count) > 6


def _surprise(scores, by_fold, count):
    """Mean square of the segments' scores over their information, for the segment by_fold [U, K] of every user."""
    score, information = np.zeros((2, count, scores.score.shape[2]))
    for k in range(by_fold.shape[1]):
        np.add.at(score, by_fold[:, k], scores.score[k])
        np.add.at(information, by_fold[:, k], scores.information[k])
    return (score**2 / information).mean()


def test_purchases_of_a_fold_do_not_move_their_user_in_its_periods(two_types):
    log, few = two_types.log, 6
    before = formed(two_types, count=2)
    is_moved = (log.user < few) & (torch.from_numpy(FOLD)[log.column] == 1)
    cheap = _periods_by_price(two_types)
    moved = replace(log, column=torch.where(is_moved, cheap[log.product], log.column))

    after = keep_ids(before.segment, formed(replace(two_types, log=moved), count=2))

    in_fold = FOLD == 1
    assert (after.segment[:few] != before.segment[:few]).any()
    assert (after.by_period[:few, ~in_fold] != before.by_period[:few, ~in_fold]).any()
    np.testing.assert_array_equal(after.by_period[:few, in_fold], before.by_period[:few, in_fold])


def _periods_by_price(drawn):
    """Return the period of fold 1 in which each product is cheapest, [P]."""
    move = torch.where(torch.from_numpy(FOLD == 1) & (drawn.grid.on_shelf > 0), drawn.grid.move, torch.inf)
    return move.argmin(1)


def test_former_segments_are_formed_again(two_types):
    """Of ten segments of users of two types, it is chance which ones form."""
    scores, chosen = user_scores(two_types.pooled, two_types.log), Choice(4, 0.1, 10)
    config = SegmentsConfig("auto", 64, 1)
    before = form_segments(scores, config, two_types.visits, 1, chosen)
    again = form_segments(scores, config, two_types.visits, 0, chosen, before.segment)
    alone = form_segments(scores, config, two_types.visits, 0, chosen)

    kept, other = (keep_ids(before.segment, now).segment == before.segment for now in (again, alone))

    assert kept.mean() > 0.9
    assert kept.mean() > other.mean()


@pytest.mark.parametrize("least", [1, 25])
def test_users_move_to_the_nearest_segment_where_that_is_worth_it(two_types, least):
    scores, chosen = user_scores(two_types.pooled, two_types.log), Choice(4, 0.1, 8)
    config = SegmentsConfig("auto", 64, least)
    nearest = form_segments(scores, config, two_types.visits, 1, chosen)
    chance = np.random.default_rng(0)
    former = np.where(chance.random(300) < 0.5, chance.integers(0, 10, 300), nearest.segment)
    former[:3] = -1

    found = form_segments(scores, config, two_types.visits, 1, chosen, former)

    stays = found.segment == former
    assert found.count == nearest.count
    assert stays[former == nearest.segment].mean() > 0.9
    assert stays[former != nearest.segment].mean() < 0.5
    assert (found.segment != nearest.segment).any() == (least == 1)  # with more, no two segments are near each other
    assert np.bincount(found.segment, minlength=found.count).min() >= least


@pytest.mark.parametrize(
    ("former", "count"),
    [(None, 1), ([0, 1, 2, 1], 3), ([0, 1, 2, -1], 3), ([0, 3, 1, 1], 1), ([23, -1, -1, -1], 1), ([0, 1, -1, -1], 2)],
)
def test_former_segments_count_where_most_users_had_one_and_none_is_gone(former, count):
    assert count_former(None if former is None else np.array(former)) == count


@pytest.mark.parametrize(
    ("former", "kept"),
    [
        (None, [0, 1, 1, 2, 2]),
        ([0, 1, 2, 2, 1], [0, 1, 2, 2, 1]),  # as many as were judged
        ([1, 0, 0, 0, -1], [1, 0, 0, 2, 2]),  # fewer, whose ids the judged ones take
        ([-1, 0, 0, 1, 1], [2, 0, 0, 1, 1]),
    ],
)
def test_published_segments_are_formed_near_former_ones_if_as_many_or_else_near_the_judged(former, kept):
    judged = Membership(np.array([0, 1, 1, 2, 2]), torch.zeros(5, 1, dtype=torch.int64), 3, Choice(4, 0.1, 3))

    found = segments_to_keep(None if former is None else np.array(former), judged)

    np.testing.assert_array_equal(found, kept)


def test_segments_of_a_given_number_are_formed_near_former_ones_only():
    judged = Membership(np.array([0, 1, 1]), torch.zeros(3, 1, dtype=torch.int64), 2)

    assert segments_to_keep(None, judged) is None


def test_the_order_of_the_users_does_not_matter(two_types):
    order = np.random.default_rng(0).permutation(300)
    reordered = replace(two_types, log=of_users(two_types.log, order))

    here, there = formed(two_types, count=2), formed(reordered, count=2)

    np.testing.assert_array_equal(there.segment, here.segment[order])
    np.testing.assert_array_equal(there.by_period, here.by_period[order])


def test_what_was_chosen_before_is_not_chosen_anew(two_types):
    scores = user_scores(two_types.pooled, two_types.log)
    config = SegmentsConfig("auto", 64, 10)

    first = form_segments(scores, config, two_types.visits, 0)
    again = form_segments(scores, config, two_types.visits, 0, first.choice)
    other = form_segments(scores, config, two_types.visits, 0, Choice(2, 0.1, 2))

    assert first.choice is not None
    np.testing.assert_array_equal(again.segment, first.segment)
    assert (other.choice, other.count) == (Choice(2, 0.1, 2), 2)
    assert formed(two_types, count=2).choice is None


def test_the_same_seed_forms_the_same_segments(two_types):
    here, there = (formed(two_types, count="auto") for _ in range(2))

    np.testing.assert_array_equal(here.by_period, there.by_period)
    assert here.count >= 2


def test_a_single_period_can_be_segmented():
    drawn = draw(sensitivity=(1.0, 4.0), periods=1)

    found = formed(drawn, count="auto")

    assert found.by_period.shape == (300, 1)
    assert found.count == 1


def test_fewer_segments_than_asked_for_are_said(two_types, caplog):
    with caplog.at_level("INFO"):
        found = formed(two_types, count=6, min_members=90)

    assert f"segments: {found.count}; others of the 6 had fewer than train.segments.min_members users" in caplog.text


def test_more_segments_than_users_are_refused(two_types):
    with pytest.raises(InputError, match=r"^segments\.count .* found 301 for 300: lower segments\.count$"):
        formed(two_types, count=301)


def test_a_centre_is_where_its_members_are_on_average(trained):
    visits, segment = np.linspace(1, 20, 300), np.arange(300) % 3
    membership = Membership(segment, torch.from_numpy(segment)[:, None], 3)

    centre = segmentation_of(membership, all_members(trained), visits, 100).centre

    points = np.concatenate(list(user_coordinates(all_members(trained), 0.2)))
    expected = [np.average(points[segment == s], axis=0, weights=visits[segment == s]) for s in range(3)]
    np.testing.assert_allclose(centre, expected)


def test_blocks_of_users_change_no_centre(trained, monkeypatch):
    visits, segment = np.linspace(1, 20, 300), np.arange(300) % 3
    given = Membership(segment, torch.from_numpy(segment)[:, None], 3), all_members(trained), visits, 100
    whole = segmentation_of(*given).centre

    monkeypatch.setattr(members_module, "USERS", 64)

    np.testing.assert_allclose(segmentation_of(*given).centre, whole, rtol=1e-6)  # float32 products of other shapes


def test_centre_of_many_members_is_that_of_a_draw(trained):
    visits, segment = np.linspace(1, 20, 300), np.arange(300) % 3
    given = Membership(segment, torch.from_numpy(segment)[:, None], 3), all_members(trained), visits

    whole, drawn = (segmentation_of(*given, most).centre for most in (100, 50))

    points = np.concatenate(list(user_coordinates(all_members(trained), 0.2)))
    apart = np.linalg.norm(drawn - whole, axis=1)
    assert (apart > 0).all()
    assert apart.max() < 0.3 * np.linalg.norm(points - points.mean(axis=0), axis=1).mean()


def membership(segment, count):
    """Segments of two periods; in the second one everybody is where the user before is in the first."""
    return Membership(np.array(segment), torch.from_numpy(np.stack([segment, np.roll(segment, 1)], axis=1)), count)


def table(user, segment):
    return pl.DataFrame({"user_id": user, "segment_id": segment})


USERS = pl.DataFrame({"user_id": np.arange(200)})


@pytest.mark.parametrize("seed", range(5))
def test_no_other_numbering_keeps_more_users(seed):
    rng = np.random.default_rng(seed)
    before, now = rng.integers(0, 4, 200), rng.integers(0, 4, 200)

    kept = keep_ids(before, membership(now, 4)).segment

    best = max((np.array(order)[now] == before).sum() for order in permutations(range(4)))
    assert (kept == before).sum() == best
    assert len(np.unique(np.stack([now, kept]), axis=1).T) == 4


def test_segments_by_period_take_the_same_numbers():
    now = np.repeat([0, 1, 2], [50, 70, 80])
    before = np.array([2, 0, 1])[now]

    kept = keep_ids(before, membership(now, 3))

    np.testing.assert_array_equal(kept.segment, before)
    np.testing.assert_array_equal(kept.by_period, np.stack([before, np.array([2, 0, 1])[np.roll(now, 1)]], axis=1))


def test_more_or_fewer_segments_are_numbered_without_gaps():
    before = np.repeat([0, 4, 2, 7], 50)
    now = np.repeat([2, 1, 0], [50, 100, 50])

    kept = keep_ids(before, membership(now, 3)).segment

    assert kept[0] == 0
    assert kept[120] == 2
    assert sorted(np.unique(kept)) == [0, 1, 2]


@pytest.mark.parametrize(
    "previous", [table(["a", "b"], [0, 1]), table([0, 1], ["s0", "s1"]), table([900, 901], [0, 1])]
)
def test_artefacts_of_others_leave_the_numbers_alone(previous):
    assert former_segments(previous, USERS) is None


def test_users_keep_their_former_segments_in_their_own_order():
    previous = table([7, 3, 900, 5, 5], [2, 0, 1, 1, 2])

    former = former_segments(previous, USERS)

    assert former[7] == 2
    assert former[3] == 0
    assert (np.delete(former, [3, 7]) == -1).all()
