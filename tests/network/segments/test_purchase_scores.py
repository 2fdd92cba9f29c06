"""Scores of choices, against all orders of few choices and against derivatives of the likelihood written out."""

from itertools import permutations

import numpy as np
import pytest
import torch

from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.grid.grid import Grid, UserLog
from gpu_pricer.network.response.grid.grid_columns import GridColumns
from gpu_pricer.network.segments.purchase_scores import _expected_choices, score_purchases
from gpu_pricer.network.segments.user_scores import user_scores
from gpu_pricer.network.segments.user_slopes import user_slopes
from tests.network.segments.user_log import expected_beyond

USERS, PERIODS = 80, 60
CATEGORY = np.array([0, 0, 0, 1, 1])
STEP = 1e-3


def draw(sensitivities, taste):
    """The pooled response and the log of users of spread tastes, who choose of both categories in every period.

    Also return whose b is which [U].
    """
    rng = np.random.default_rng(0)
    kind = rng.integers(0, len(sensitivities), USERS)
    move = np.where(rng.random((len(CATEGORY), PERIODS)) < 0.3, -0.3, 0.0)
    utility = rng.normal(0, taste, (USERS, len(CATEGORY), 1)) - np.array(sensitivities)[kind][:, None, None] * move
    found = []
    for number in range(2):
        products = np.flatnonzero(number == CATEGORY)
        noisy = utility[:, products] + rng.gumbel(size=(USERS, len(products), PERIODS))
        found.append(products[noisy.argmax(axis=1)])
    user, period = np.indices((USERS, PERIODS)).reshape(2, -1)
    place = [np.concatenate([part.ravel() for part in parts]) for parts in ((user, user), found, (period, period))]
    tensors = [torch.from_numpy(values) for values in place]
    log = UserLog(*tensors, torch.ones(len(place[0])).double(), None, torch.ones(USERS, PERIODS).double(), None)
    grid = Grid(
        columns=GridColumns.of_periods(PERIODS),
        row=torch.arange(len(CATEGORY)),
        category=torch.from_numpy(CATEGORY),
        on_shelf=torch.ones(len(CATEGORY), PERIODS).double(),
        move=torch.from_numpy(move),
        context=torch.zeros(len(CATEGORY), PERIODS, 1).double(),
        controls=0,
        offset=torch.zeros(len(CATEGORY), PERIODS).double(),
        unit_offset=torch.zeros(len(CATEGORY), PERIODS).double(),
        next_offset=torch.zeros(len(CATEGORY)).double(),
        next_ages=torch.zeros(len(CATEGORY), 0),
        price_information=torch.ones(len(CATEGORY)).double(),
        has_outside_option=False,
        periods_ahead=1,
    )
    return fit_response(grid, log.pooled(grid), FitConfig(20, 0.02, None)), log, kind


@pytest.fixture(scope="module")
def drawn():
    return draw((0.5, 8.0), taste=2.0)


def beyond(pooled, log, user, phi):
    """How far a user's choices go beyond what (1 + φ) times everybody's b lets expect, in each fold, [4, 2]."""
    weight = np.exp(pooled.utility()[:, 0].numpy())
    slope = -pooled.sensitivity[0].numpy()[:, None] * pooled.grid.move.numpy()
    mine = log.user.numpy() == user
    bought = np.zeros((len(CATEGORY), PERIODS))
    np.add.at(bought, (log.product.numpy()[mine], log.column.numpy()[mine]), 1.0)
    value = np.zeros((4, 2))
    for fold, number in np.ndindex(value.shape):
        here = np.ix_(number == CATEGORY, np.arange(PERIODS) % 4 == fold)
        share = weight[here] / weight[here].sum(axis=0)
        own = bought[here], np.ones(PERIODS // 4), share, slope[here]
        value[fold, number] = expected_beyond(*own, phi, has_outside_option=False)
    return value


def test_scores_and_information_are_derivatives_at_fitted_rates(drawn):
    pooled, log, _ = drawn
    low, here, high = (
        np.stack([beyond(pooled, log, user, phi) for user in range(USERS)], axis=1) for phi in (-STEP, 0.0, STEP)
    )
    information = (low - high) / (2 * STEP)

    found = user_scores(pooled, log)

    order = np.argsort(-information.sum((0, 1)))  # groups stand in the order of what the log says of them
    score = here - information * (here.sum(1, keepdims=True) / information.sum(1, keepdims=True))
    np.testing.assert_allclose(found.information[:4], information[..., order], atol=0.0001)
    np.testing.assert_allclose(found.score[:4], score[..., order], atol=0.0001)


def test_loyal_users_who_answer_prices_differently_are_told_apart(drawn):
    pooled, log, kind = drawn

    slope = user_slopes(user_scores(pooled, log))

    assert slope[kind == 1].mean() > 1.5 * slope[kind == 0].mean()


def test_users_who_are_all_alike_get_about_the_same_slope():
    pooled, log, _ = draw((4.0,), taste=0.0)

    slope = user_slopes(user_scores(pooled, log))

    assert np.log(slope).std() < 0.15


@pytest.mark.parametrize("has_outside_option", [True, False])
@pytest.mark.parametrize(("occasions", "accuracy"), [(2, 0.03), (3, 0.1), (4, 0.08), (6, 0.08)])
def test_scores_are_about_those_of_all_orders_of_the_choices(occasions, accuracy, has_outside_option):
    """How often each of two products was bought is given: what can differ is on which of few occasions."""
    rng, users = np.random.default_rng(0), 40
    product, count = np.arange(2), np.array([1, occasions - 1 - has_outside_option * (occasions > 2)])
    beyond, found, exact = np.zeros((3, users))
    for user in range(users):
        weight = np.exp(rng.normal(0, 1, (2 + has_outside_option, occasions)))
        chance = weight / weight.sum(axis=0)
        slope = 0.5 * np.log(weight[:2]) + rng.normal(0, 0.5, (2, occasions))
        mean, exact[user] = moments_over_orders(chance, slope, count)
        steep = np.array([mean, 0.0])  # as much as is to be expected
        here = np.ones(occasions), np.arange(occasions)
        beyond[user], found[user] = score_purchases(product, count.astype(float), steep, chance[:2], slope, *here)

    assert np.square(beyond).mean() < 0.15**2 * exact.mean()
    assert found.mean() == pytest.approx(exact.mean(), rel=accuracy)


def moments_over_orders(chance, slope, count):
    """The mean and variance of the sum of the chosen products' slopes, given how often each product is chosen."""
    occasions = chance.shape[1]
    choices = [0] * count[0] + [1] * count[1] + [2] * (occasions - sum(count))
    slope = np.vstack([slope, np.zeros(occasions)])
    orders = np.array(sorted(set(permutations(choices))))
    weight = chance[orders, np.arange(occasions)].prod(axis=1)
    total = slope[orders, np.arange(occasions)].sum(axis=1)
    mean = np.average(total, weights=weight)
    return mean, np.average((total - mean) ** 2, weights=weight)


def test_rates_of_who_nearly_always_buys_are_fitted_until_they_settle():
    rng, number = np.random.default_rng(0), np.array([12.0, 27.0])
    share = rng.dirichlet([0.3, 0.3, 30.0], 40)[:, :2].T

    expected = _expected_choices(np.arange(2), number, share, np.ones(40), np.arange(40), 40 / 39)

    np.testing.assert_allclose(expected.sum(axis=1), number, rtol=1e-3)
    assert (expected.sum(axis=0) <= 1 + 1e-9).all()
