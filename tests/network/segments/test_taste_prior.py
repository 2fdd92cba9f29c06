"""What tastes say of price response, where the test drew how the two are related."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from gpu_pricer.network.segments.taste_prior import _left_out, with_taste_prior
from tests.network.segments.drawn_scores import scores_of

USERS, PRODUCTS = 2000, 12


def draw_users(related, seed=1):
    """Return slopes, information and purchases of users; thrifty ones prefer the first products by `related`."""
    rng = np.random.default_rng(seed)
    thrift = rng.normal(size=USERS)
    liking = np.exp(related * np.outer(thrift, np.linspace(1, -1, PRODUCTS)))
    return 1 + 0.4 * thrift, rng.gamma(1.0, 6.0, USERS), rng.poisson(5.0 * liking).astype(float)


def posterior_mean(scores):
    """Return E φ of every user with the variance that unrelated users have."""
    score, information = scores.score[0].sum(axis=1), scores.information[0].sum(axis=1)
    return score / (information + 1 / 0.16)


def test_tastes_that_go_with_thrift_sharpen_the_response():
    slope, information, purchases = draw_users(related=0.5)
    scores = scores_of(slope, information, purchases)

    alone, together = (posterior_mean(s) for s in (scores, with_taste_prior(scores)))

    assert np.square(together + 1 - slope).mean() < 0.6 * np.square(alone + 1 - slope).mean()
    assert np.polyfit(together, slope, 1)[0] == pytest.approx(1, abs=0.1)


def test_tastes_that_tell_nothing_change_nothing():
    slope, information, purchases = draw_users(related=0.0)
    scores = scores_of(slope, information, purchases)

    alone, together = (posterior_mean(s) for s in (scores, with_taste_prior(scores)))

    assert np.abs(together - alone).max() < 0.05


def test_tastes_that_fit_noise_do_not_pass_for_a_prediction():
    """With as many products as users a regression explains every response, and none of a user left out."""
    rng = np.random.default_rng(3)
    slope, information = 1 + 0.4 * rng.normal(size=40), rng.gamma(1.0, 6.0, 40)
    scores = scores_of(slope, information, rng.poisson(5.0, (40, 40)).astype(float))

    alone, together = (posterior_mean(s) for s in (scores, with_taste_prior(scores)))

    assert np.abs(together - alone).max() < 0.1


def test_a_night_with_few_new_sales_changes_the_prior_a_little():
    rng = np.random.default_rng(0)
    thrift = rng.normal(size=500)
    liking = np.exp(0.1 * np.outer(thrift, np.linspace(1, -1, 60)))
    score, information, bought, spreads = np.zeros(500), np.zeros(500), np.zeros((500, 60)), []
    for night in range(1, 56):
        added = rng.gamma(1.0, 0.3, 500)
        score, information = score + added * 0.3 * thrift + np.sqrt(added) * rng.normal(size=500), information + added
        bought = bought + rng.poisson(0.15 * liking)
        log = scores_of(np.ones(500), information, bought)
        log = replace(log, score=score[None, :, None], visits=[np.full(bought.shape, 0.15 * night)])
        spreads.append(with_taste_prior(log).score[0, :, -1].std())

    assert np.abs(np.diff(np.log(spreads[30:]))).max() < 0.2


def test_left_out_predictions_are_those_of_regressions_without_the_row():
    rng = np.random.default_rng(4)
    design, target, penalty = rng.normal(size=(30, 6)), rng.normal(size=30), 2.5

    expected = [
        design[row] @ Ridge(penalty, fit_intercept=False).fit(np.delete(design, row, 0), np.delete(target, row)).coef_
        for row in range(30)
    ]

    assert _left_out(design, target, penalty) == pytest.approx(np.array(expected))


def test_a_log_without_price_moves_has_no_prior():
    _, information, purchases = draw_users(related=0.5)
    still = scores_of(np.ones(USERS), 0 * information, purchases)

    beside = with_taste_prior(still)

    assert not beside.score.any()
    assert not beside.information.any()


def test_a_prior_adds_one_group_and_leaves_the_others():
    scores = scores_of(*draw_users(related=0.5))

    beside = with_taste_prior(scores)

    assert beside.score.shape == (1, USERS, 2)
    np.testing.assert_array_equal(beside.score[:, :, :1], scores.score)
    np.testing.assert_array_equal(beside.information[:, :, :1], scores.information)
    assert (beside.information[:, :, 1] > 0).all()
