"""What users' purchases say of their own response, against numeric derivatives of their log likelihood."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu_pricer.network.response.grid.grid import UserLog
from gpu_pricer.network.response.model import cells_of
from gpu_pricer.network.segments import category_groups, category_scores, purchase_scores
from gpu_pricer.network.segments import user_scores as module
from gpu_pricer.network.segments.choosing import choose
from gpu_pricer.network.segments.user_scores import user_scores
from tests.network.segments.user_log import CATEGORIES, PERIODS, PRODUCTS, SIZE, draw, expected_beyond

STEP = 1e-3
USERS = 25
FOLD = np.arange(PERIODS) % 4
PARTS = [*np.eye(4, dtype=bool)[FOLD].T, *~np.eye(4, dtype=bool)[FOLD].T, np.full(PERIODS, True)]


@pytest.fixture(scope="module", params=["users see all categories", "users see some categories"])
def drawn(request):
    found = draw(sensitivity=(1.0, 4.0), users=USERS)
    return found if request.param == "users see all categories" else replace(found, log=log_of_seen(found.log))


def log_of_seen(log):
    """The log of users who saw a category on some of their visits, at least on those on which they bought of it."""
    looks = torch.from_numpy(np.random.default_rng(1).random((CATEGORIES, *log.visits.shape)) < 0.5) * log.visits
    bought = torch.zeros_like(looks)
    bought.index_put_((log.product // SIZE, log.user, log.column), log.count, accumulate=True)
    looks = torch.maximum(looks, bought)
    category, user, period = looks.nonzero(as_tuple=True)
    order = torch.from_numpy(np.random.default_rng(2).permutation(len(user)))
    count = looks[category, user, period][order]
    seen = UserLog(user[order], category[order], period[order], count, None, log.visits, None)
    return replace(log, seen=seen)


def occasions(log):
    """The occasions on which users saw each category, [G, U, W]."""
    if log.seen is None:
        return np.repeat(log.visits.numpy()[None], CATEGORIES, axis=0)
    found, seen = np.zeros((CATEGORIES, *log.visits.shape)), log.seen
    np.add.at(found, (seen.product.numpy(), seen.user.numpy(), seen.column.numpy()), seen.count.numpy())
    return found


def beyond(drawn, phi):
    """How far users' choices go beyond what (1 + φ) times everybody's b lets expect, in every part, [9, U, G]."""
    utility = drawn.pooled.utility()[:, 0].numpy()
    weight = np.exp(utility) * drawn.grid.on_shelf.numpy()
    category = np.repeat(np.arange(CATEGORIES), SIZE)
    share = weight / (1 + np.stack([weight[category == g].sum(0) for g in range(CATEGORIES)]))[category]
    slope = -drawn.pooled.sensitivity[0].numpy()[:, None] * drawn.grid.move.numpy()
    bought = np.zeros((USERS, PRODUCTS, PERIODS))
    log = drawn.log
    np.add.at(bought, (log.user.numpy(), log.product.numpy(), log.column.numpy()), log.count.numpy())
    value, looks = np.zeros((9, USERS, CATEGORIES)), occasions(log)
    for part, user, g in np.ndindex(value.shape):
        inside = PARTS[part]
        here = np.ix_(category == g, inside)
        own = bought[user][here], looks[g, user, inside], share[here], slope[here]
        value[part, user, g] = expected_beyond(*own, phi, has_outside_option=True)
    return value


def test_scores_and_information_are_derivatives_at_fitted_rates(drawn):
    low, here, high = (beyond(drawn, phi) for phi in (-STEP, 0.0, STEP))
    information = (low - high) / (2 * STEP)

    found = user_scores(drawn.pooled, drawn.log)

    order = np.argsort(-information.sum((0, 1)))  # groups stand in the order of what the log says of them
    score = here - information * (here.sum(1, keepdims=True) / information.sum(1, keepdims=True))
    np.testing.assert_allclose(found.score, score[..., order], atol=1e-4)
    np.testing.assert_allclose(found.information, information[..., order], atol=1e-3)


def test_blocks_of_users_and_products_change_no_score(drawn, monkeypatch):
    monkeypatch.setattr(category_groups, "PRECISION", torch.float64)
    whole = user_scores(drawn.pooled, drawn.log)

    monkeypatch.setattr(purchase_scores, "AT_ONCE", 7)
    monkeypatch.setattr(category_scores, "PRODUCTS", 5)
    blocks = user_scores(drawn.pooled, drawn.log)

    np.testing.assert_allclose(blocks.score, whole.score, atol=1e-10)
    np.testing.assert_allclose(blocks.information, whole.information, atol=1e-10)


def test_categories_that_tell_least_share_the_last_group(drawn, monkeypatch):
    monkeypatch.setattr(category_groups, "PRECISION", torch.float64)
    monkeypatch.setattr(module, "_centre", lambda *_: None)  # sums add up before
    apart = user_scores(drawn.pooled, drawn.log)

    monkeypatch.setattr(module, "GROUPS", 2)
    grouped = user_scores(drawn.pooled, drawn.log)

    assert (np.diff(apart.information.sum((0, 1))) <= 0).all()
    for name in ("score", "information"):
        parts = getattr(apart, name)
        expected = np.stack([parts[..., 0], parts[..., 1:].sum(2)], axis=2)
        np.testing.assert_allclose(getattr(grouped, name), expected)


@pytest.mark.parametrize("cells", [0, 50_000_000])
def test_purchases_of_folds_add_up(drawn, cells, monkeypatch):
    monkeypatch.setattr(module, "DENSE_CELLS", cells)
    scores = user_scores(drawn.pooled, drawn.log)

    whole, without = scores.whole, scores.without(2)

    for part, place in ((whole, 8), (without, 6)):
        np.testing.assert_array_equal(part.score[0], scores.score[place])
        np.testing.assert_array_equal(part.information[0], scores.information[place])
    assert isinstance(whole.bought[0], np.ndarray) == (cells > 0)
    assert abs(whole.bought[0] - (without.bought[0] + scores.bought[2])).max() == 0
    np.testing.assert_allclose(whole.visits[0] @ whole.share, expected_purchases(drawn))
    assert whole.bought[0].sum() == float(drawn.log.count.sum())


@pytest.mark.parametrize("periods", [8, 24])
def test_visits_and_share_tell_what_everybody_would_buy(periods):
    """With fewer and with more periods than the twelve products."""
    drawn = draw(sensitivity=(1.0, 4.0), users=25, periods=periods)

    scores = user_scores(drawn.pooled, drawn.log).whole

    assert scores.visits[0].shape == (25, min(periods, 12))
    np.testing.assert_allclose(scores.visits[0] @ scores.share, expected_purchases(drawn))


def expected_purchases(drawn):
    """By the pooled response, of the best sellers first, [U, J]."""
    share = cells_of(drawn.grid, drawn.pooled.state, drawn.pooled.layout).share[:, 0]
    sold = torch.zeros(len(share), dtype=torch.float64).index_add(0, drawn.log.product, drawn.log.count)
    looks = occasions(drawn.log)[np.repeat(np.arange(CATEGORIES), SIZE)]
    expected = np.einsum("juw,jw->uj", looks, share.numpy())
    return expected[:, torch.argsort(sold, descending=True, stable=True).numpy()]


def test_scores_of_some_users_are_theirs(drawn):
    scores, users = user_scores(drawn.pooled, drawn.log), np.array([3, 4, 17])

    some = scores.of_users(users)

    assert some.users == 3
    np.testing.assert_array_equal(some.score, scores.score[:, users])
    np.testing.assert_array_equal(some.visits[2], scores.visits[2][users])
    np.testing.assert_array_equal(some.bought[1].toarray(), scores.bought[1].toarray()[users])


@pytest.mark.parametrize(("sensitivity", "periods"), [(2.0, 8), (2.0, 24), (8.0, 24)])
def test_scores_of_users_who_are_all_alike_vary_as_their_information_says(sensitivity, periods):
    drawn = draw(sensitivity=(sensitivity,), users=1500, periods=periods)

    scores = user_scores(drawn.pooled, drawn.log)

    for part in (slice(0, 4), slice(4, 8), slice(8, 9)):
        assert np.square(scores.score[part]).sum() == pytest.approx(scores.information[part].sum(), rel=0.05)


def test_a_single_fold_has_the_scores_of_all_periods(drawn):
    folded, single = user_scores(drawn.pooled, drawn.log), user_scores(drawn.pooled, drawn.log, folds=1)

    for found in (single, single.whole, single.without(0)):
        np.testing.assert_array_equal(found.score, folded.whole.score)
        np.testing.assert_array_equal(found.information, folded.whole.information)


def test_only_purchases_on_one_of_several_visits_tell_something(drawn):
    """The first user comes once, the second has no purchase in fold 1."""
    log, period = drawn.log, int(drawn.log.column[drawn.log.user == 0][0])
    is_kept = ((log.user != 0) | (log.column == period)) & ((log.user != 1) | (log.column % 4 != 1))
    columns = {name: getattr(log, name)[is_kept] for name in ("user", "product", "column", "count")}
    visits = log.visits.clone()
    visits[0] = torch.arange(PERIODS) == period
    alone = replace(log, **columns, visits=visits)

    scores = user_scores(drawn.pooled, alone if log.seen is None else replace(alone, seen=None))

    assert not scores.information[:, 0].any()
    assert not scores.information[1, 1].any()
    assert scores.information[8, 1].any()


@pytest.mark.parametrize("seed", range(3))
def test_users_who_are_all_alike_form_one_segment(seed):
    """With two periods in a fold, whose mean prices differ: users who buy more in a fold do not answer its prices."""
    drawn = draw(sensitivity=(2.0,), users=1500, periods=8, seed=seed)

    choice = choose(user_scores(drawn.pooled, drawn.log), most=64, least_members=20, seed=0)

    assert choice.segments == 1
