"""Histories: what is known before a period, against counting by hand, and never anything later."""

import numpy as np
import pytest
import torch

from gpu_pricer.network.encoding.history import build_history, half_lives_of
from gpu_pricer.network.encoding.purchase_events import Purchases

USERS, PRODUCTS, CATEGORIES, PERIODS = 6, 4, 2, 12
HALF_LIVES = [2.0, 8.0]
CATEGORY = np.arange(PRODUCTS) // 2
MOST_BYTES = 65
"""For each purchase, of a user with 100 of them in half a year: a log of 100 million lines has to fit a machine."""


def drawn(seed):
    """Visits and purchases of a few users, some products bought more than once in a period."""
    rng = np.random.default_rng(seed)
    is_visit = rng.random((USERS, PERIODS)) < 0.7
    user, period = np.nonzero(is_visit)
    user, period = np.repeat(user, 2), np.repeat(period, 2)
    product = rng.integers(0, PRODUCTS, len(user))
    return Purchases(user, product, CATEGORY[product], period), is_visit


def history_of(purchases, is_visit):
    return build_history(purchases, is_visit, PRODUCTS, CATEGORIES, HALF_LIVES)


def everything(history):
    """Features of every user, product and period, and what was bought before, [U, P, T + 1, ·]."""
    user, product, period = (
        torch.from_numpy(index.ravel()) for index in np.indices((USERS, PRODUCTS, PERIODS + 1)).astype(np.int64)
    )
    return history.features(user, product, torch.from_numpy(CATEGORY)[product], period).reshape(
        USERS, PRODUCTS, PERIODS + 1, -1
    )


@pytest.mark.parametrize("cut", [1, 5, 9])
def test_later_rows_cannot_change_the_past(cut):
    purchases, is_visit = drawn(0)
    kept = purchases.period < cut
    earlier = Purchases(*(column[kept] for column in vars(purchases).values()))

    whole = history_of(purchases, is_visit)
    short = history_of(earlier, is_visit & (np.arange(PERIODS) < cut))

    assert torch.equal(everything(whole)[:, :, : cut + 1], everything(short)[:, :, : cut + 1])
    before_cut = torch.arange(USERS), torch.full((USERS,), cut)
    bought = zip(whole.baskets(*before_cut), short.baskets(*before_cut), strict=True)
    assert all(torch.equal(*pair) for pair in bought)


def test_decayed_counts_are_the_sums_over_the_past():
    purchases, is_visit = drawn(1)
    history = history_of(purchases, is_visit)

    for user, product, period in [(0, 1, 12), (3, 2, 7), (5, 0, 4)]:
        rows = (purchases.user == user) & (purchases.product == product) & (purchases.period < period)
        when = np.unique(purchases.period[rows])
        expected = [np.sum(0.5 ** ((period - when) / half_life)) for half_life in HALF_LIVES]
        past = history.products.before(torch.tensor([user * PRODUCTS + product]), torch.tensor([period]))
        np.testing.assert_allclose(past.decayed[0], expected, rtol=1e-5)
        assert int(past.count) == len(when)


def test_baskets_hold_each_product_bought_before_with_its_decayed_rate():
    purchases, is_visit = drawn(3)
    history = history_of(purchases, is_visit)
    user, period = (torch.from_numpy(index.ravel()) for index in np.indices((USERS, PERIODS + 1)).astype(np.int64))

    product, weight, begin = (values.numpy() for values in history.baskets(user, period))

    ends = np.append(begin, len(product))[1:]
    for who, now, start, end in zip(user.numpy(), period.numpy(), begin, ends, strict=True):
        mine = (purchases.user == who) & (purchases.period < now)
        assert product[start:end].tolist() == np.unique(purchases.product[mine]).tolist()
        visits = np.sum(0.5 ** ((now - np.flatnonzero(is_visit[who, :now])) / HALF_LIVES[-1]))
        when = [np.unique(purchases.period[mine & (purchases.product == what)]) for what in product[start:end]]
        rate = [np.sum(0.5 ** ((now - periods) / HALF_LIVES[-1])) / (visits + 1) for periods in when]
        np.testing.assert_allclose(weight[start:end], np.log1p(np.array(rate) / 0.02), rtol=1e-5)


def test_no_user_has_no_basket():
    nobody = torch.empty(0, dtype=torch.int64)

    assert [len(values) for values in history_of(*drawn(3)).baskets(nobody, nobody)] == [0, 0, 0]


@pytest.mark.parametrize("first", [0, 3, 12])
def test_frequencies_and_visits_are_the_sums_over_the_past(first):
    purchases, is_visit = drawn(2)
    history = history_of(purchases, is_visit)

    for user, product, period in [(0, 1, 12), (3, 2, 7), (5, 0, 4), (1, 3, 0)]:
        numbers = (torch.tensor([n]) for n in (user, product, CATEGORY[product], period))
        who, what, category, now = numbers
        parts = history.of_category(who, category, now).decayed, history.of_product(who, what, now).decayed
        bought = torch.cat([history.bought[who, now], *parts]).numpy()
        visits = history.visits_since(*(torch.tensor([n]) for n in (user, first, period)))[0].numpy()

        mine = (purchases.user == user) & (purchases.period < period)
        events = np.stack([purchases.category, purchases.period])[:, mine]
        same = [mine & (purchases.category == CATEGORY[product]), mine & (purchases.product == product)]
        when = [np.unique(events, axis=1)[1], *(np.unique(purchases.period[rows]) for rows in same)]
        came = np.flatnonzero(is_visit[user, :period])
        for place, half_life in enumerate(HALF_LIVES):
            expected = [np.sum(0.5 ** ((period - periods) / half_life)) for periods in when]
            np.testing.assert_allclose(bought[:, place], expected, rtol=1e-5)
            since = np.sum(0.5 ** ((period - came[came >= first]) / half_life))
            np.testing.assert_allclose(visits[place], since, rtol=1e-4, atol=1e-5)


def test_half_lives_reach_as_far_as_the_log():
    assert [half_lives_of(periods)[-1] for periods in (1, 2, 20, 52, 2412)] == [2, 2, 32, 128, 8192]
    assert half_lives_of(52) == [2, 8, 32, 128]


def test_a_product_never_bought_has_the_features_of_no_product():
    is_visit = np.ones((USERS, PERIODS), dtype=bool)
    one = np.array([0])
    history = history_of(Purchases(one, one, one, one), is_visit)
    offer = torch.tensor([0]), torch.tensor([0]), torch.tensor([5])

    other = history.features(offer[0], torch.tensor([1]), *offer[1:])

    assert torch.equal(other, history.features(offer[0], None, *offer[1:]))
    assert not torch.equal(other, history.features(*offer[:1], torch.tensor([0]), *offer[1:]))


def test_features_are_finite_before_anything_happened():
    purchases, is_visit = drawn(2)

    features = everything(history_of(purchases, is_visit))

    assert torch.isfinite(features).all()
    assert features.shape[-1] == history_of(purchases, is_visit).width


def test_recency_counts_the_purchases_of_the_category_since_that_of_the_product():
    purchases, is_visit = drawn(4)
    history = history_of(purchases, is_visit)
    cells = [torch.from_numpy(index.ravel()) for index in np.indices((USERS, PRODUCTS, PERIODS + 1)).astype(np.int64)]
    user, product, period = cells
    category = torch.from_numpy(CATEGORY)[product]

    own, beside = history.of_product(user, product, period), history.of_category(user, category, period)
    found = history.recency(user, category, own, beside.count).numpy()

    expected = np.zeros_like(found)
    for row, (who, what, now) in enumerate(zip(*(cell.tolist() for cell in cells), strict=True)):
        mine = (purchases.user == who) & (purchases.period < now)
        bought = np.unique(purchases.period[mine & (purchases.product == what)])
        if len(bought):
            of_category = np.unique(purchases.period[mine & (purchases.category == CATEGORY[what])])
            since = (of_category > bought[-1]).sum()
            expected[row] = 1, since == 0, np.log(1 + since)
    assert len(np.unique(expected[:, 2])) > 3
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_history_takes_few_bytes_for_a_purchase():
    users, products, per_user, weeks = 200, 5000, 100, 26
    rng = np.random.default_rng(5)
    user = np.repeat(np.arange(users), per_user)
    product = rng.integers(products, size=len(user))
    purchases = Purchases(user, product, product // 50, rng.integers(weeks, size=len(user)))

    history = build_history(purchases, np.ones((users, weeks), dtype=bool), products, 100, half_lives_of(weeks))

    assert sum(tensor.nbytes for tensor in history.tensors()) / len(user) <= MOST_BYTES
