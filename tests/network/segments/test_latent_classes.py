"""Latent classes of users whose types the test knows, and how many of them are chosen."""

import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from gpu_pricer.network.segments.choosing import Choice, _may_be_chance, _number_of_segments, choose
from gpu_pricer.network.segments.latent_classes import _climbed, fit_classes, fit_classes_of_each
from gpu_pricer.network.segments.user_scores import user_scores
from tests.network.segments.user_log import agreement, draw

MARKETS = {
    "one type": {"sensitivity": (2.5,)},
    "responses": {"sensitivity": (1.0, 4.0)},
    "tastes": {"sensitivity": (2.5, 2.5), "taste": 1.0},
    "four": {"sensitivity": (1.0, 2.0, 3.0, 5.0), "taste": 0.5},
}


@pytest.fixture(scope="module")
def markets():
    """Scores and types of the users of each market."""
    drawn = {name: draw(**settings) for name, settings in MARKETS.items()}
    return {name: (user_scores(market.pooled, market.log), market.type) for name, market in drawn.items()}


def most_likely(classes, scores):
    """The most likely class of each user."""
    return classes.memberships(scores).argmax(axis=1)


def test_types_that_differ_only_in_response_are_found_without_tastes(markets):
    scores, kind = markets["responses"]

    classes = fit_classes(scores.whole, 2, 0.0, seed=0)

    assert agreement(most_likely(classes, scores.whole), kind) > 0.95
    low, high = sorted(1 + classes.response.mean(axis=1))
    assert high / low == pytest.approx(4.0, rel=0.4)  # both are shrunk towards everybody's
    assert classes.share.sum() == pytest.approx(1)


@pytest.mark.parametrize(("taste_weight", "least", "most"), [(0.0, 0.5, 0.65), (0.1, 0.95, 1.0), (1.0, 0.95, 1.0)])
def test_types_that_differ_only_in_tastes_are_found_where_tastes_count(markets, taste_weight, least, most):
    scores, kind = markets["tastes"]

    classes = fit_classes(scores.whole, 2, taste_weight, seed=0)

    assert least <= agreement(most_likely(classes, scores.whole), kind) <= most
    assert np.abs(classes.response).max() < 0.2


def test_more_restarts_are_never_less_likely(markets):
    whole = markets["responses"][0].whole

    climbed = [_climbed(whole, 6, 0.1, seed) for seed in range(4)]

    assert len({likelihood for _, likelihood in climbed}) > 1
    best = max(climbed, key=lambda pair: pair[1])[0]
    np.testing.assert_array_equal(fit_classes(whole, 6, 0.1, seed=0, restarts=4).response, best.response)


def test_classes_do_not_ask_who_the_users_are(markets):
    scores, _ = markets["responses"]
    order = np.random.default_rng(1).permutation(scores.users)
    classes = fit_classes(scores.whole, 3, 0.1, seed=0)

    whole = scores.whole
    np.testing.assert_allclose(classes.memberships(whole.of_users(order)), classes.memberships(whole)[order], rtol=1e-9)


def test_classes_of_a_log_without_price_moves_respond_like_everybody(markets):
    still = markets["one type"][0].whole
    still = replace(still, score=still.score * 0, information=still.information * 0)

    classes = fit_classes(still, 3, 0.1, seed=0)

    np.testing.assert_array_equal(classes.response, 0.0)


@pytest.mark.parametrize(("market", "types"), [("responses", 2), ("four", 4)])
def test_at_least_as_many_classes_are_chosen_as_there_are_types(markets, market, types):
    choice = choose(markets[market][0], most=64, least_members=10, seed=0)

    assert types <= choice.classes <= 30
    assert 2 <= choice.segments <= 12


@pytest.mark.parametrize("market", ["one type", "tastes"])
def test_one_class_is_chosen_where_all_users_respond_alike(markets, market):
    choice = choose(markets[market][0], most=64, least_members=10, seed=0)

    assert (choice.classes, choice.segments) == (1, 1)


def test_threads_choose_alike_and_no_warning_of_alike_users_escapes(markets, in_threads):
    scores, filters = markets["responses"][0], [*warnings.filters]
    alike = replace(scores, score=0 * scores.score, bought=[0 * bought for bought in scores.bought])
    folds = [alike.without(fold) for fold in range(4)]

    one, several = (in_threads(number, lambda: choose(scores, 64, 10, seed=0)) for number in (1, 3))
    for seed in range(10):
        in_threads(4, partial(fit_classes_of_each, folds, 8, 0.0, seed))

    assert several == one
    assert warnings.filters == filters


@pytest.mark.parametrize(("most", "least_members", "limit"), [(3, 10, 3), (64, 100, 3), (64, 1000, 1), (1, 1, 1)])
def test_no_more_classes_are_chosen_than_users_and_settings_allow(markets, most, least_members, limit):
    choice = choose(markets["responses"][0], most, least_members, seed=0)

    assert choice.classes <= limit
    assert choice.segments <= limit


def test_a_single_fold_judges_nothing(markets):
    assert choose(markets["responses"][0].whole, 64, 10, seed=0) == Choice(1, 0.0, 1)


@pytest.mark.parametrize(("products", "count"), [(10, 24), (200, 24), (1000, 12), (1700, 12), (10_000, 6), (10**6, 6)])
def test_segments_are_more_where_learning_their_response_costs_little(products, count):
    """Of a gain whose best number is 32: .96 of it by 6 segments, .985 by 12, .995 by 24; no user is like another."""
    of_best = {1: 0.0, 2: 0.7, 6: 0.96, 12: 0.985, 24: 0.995, 32: 1.0}
    users = np.random.default_rng(0).normal(1, 0.001, 500)

    assert _number_of_segments({n: share * users for n, share in of_best.items()}, products) == count


def test_chance_of_the_best_number_makes_no_more_segments_where_they_cost_much():
    """Two numbers that differ by less than a standard error."""
    fewer, more = np.random.default_rng(0).normal([[1.0], [1.1]], 2, (2, 500))

    assert _number_of_segments({1: np.zeros(500), 4: fewer, 8: more}, products=10**6) == 4


@pytest.mark.parametrize(("better", "least", "most"), [(0.0, 0.0, 0.1), (0.25, 0.9, 1.0)])
def test_the_best_of_many_choices_is_held_against_the_best_by_chance(better, least, most):
    """30 choices of which none, or one, predicts better: each gain is chance of standard deviation .05."""
    rng = np.random.default_rng(0)

    def is_chance():
        gains = rng.normal(0, 1, (30, 400))
        gains[7] += better
        return _may_be_chance(gains, 0.95, seed=0)

    found = 1 - np.mean([is_chance() for _ in range(100)])

    assert least <= found <= most


def test_the_former_number_of_segments_stays_where_none_is_clearly_better():
    means, own = {4: 0.8, 8: 1.05, 22: 1.04, 32: 0.3}, np.random.default_rng(0).normal(0, 0.3, (4, 500))
    apart = own - own.mean(axis=1, keepdims=True)
    gains = {1: np.zeros(500)} | {n: mean + noise for (n, mean), noise in zip(means.items(), apart, strict=True)}

    assert _number_of_segments(gains, 1000) == 8
    assert _number_of_segments(gains, 1000, former=22) == 22
    assert _number_of_segments(gains, 1000, former=32) == 8
    assert _number_of_segments(gains, 1000, former=5) == 8


def test_the_former_number_is_tried_beside_others_and_no_larger_one_than_allowed(markets):
    scores = markets["four"][0]

    assert choose(scores, most=64, least_members=10, seed=0, former=7).segments == 7
    assert choose(scores, most=6, least_members=10, seed=0, former=7).segments <= 6
