"""The comparison of thirds finds differences in response where there are any, and none where there are none."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from tests.bench.price_sensitivity.moves import CUT, STILL
from tests.bench.price_sensitivity.predicted import Nests
from tests.bench.price_sensitivity.thirds import Counts, counts_of, log_ratio_of_lifts, thirds

USERS, PRODUCTS, WEEKS = 900, 24, 12
LIFTS = np.array([0.3, 0.6, 1.1])  # log lift of a cut, from the least to the most sensitive third
CUT_BY = 0.4  # of the reference price


@pytest.fixture(scope="module")
def market():
    """Sensitivities [U, J] and the counts of a market whose third of users and products answers cuts by LIFTS.

    Whoever is sensitive buys less, and products differ in how often they are cut. Also what the market is drawn from.
    """
    rng = np.random.default_rng(1)
    sensitivity = rng.normal(size=(USERS, PRODUCTS))
    third = thirds(sensitivity, rng)
    is_cut = rng.random((PRODUCTS, WEEKS)).argsort(axis=1) < rng.integers(1, 5, PRODUCTS)[:, None]
    appeal = rng.normal(-3.0, 0.5, PRODUCTS) - 0.4 * third
    truth = Nests(appeal, LIFTS[third] / CUT_BY, np.zeros(PRODUCTS), np.arange(PRODUCTS), np.ones(PRODUCTS))
    return sensitivity, drawn_counts(truth, is_cut, rng), truth


def drawn_counts(truth, is_cut, rng):
    """Purchases of users who come in some of the weeks; a cut lowers the price from 1."""
    price = np.where(is_cut, 1 - CUT_BY, 1.0)
    users, products = truth.appeal.shape
    nothing = {kind: np.zeros((users, products)) for kind in (CUT, STILL)}
    came = rng.random((users, is_cut.shape[1])) < 0.6
    empty = Counts(list(range(users)), list(range(products)), came, {CUT: is_cut, STILL: ~is_cut}, price, nothing)
    expected = expected_of(truth, empty)
    return replace(expected, bought={kind: rng.poisson(values) for kind, values in expected.bought.items()})


def expected_of(model, counts):
    return counts.with_purchases(model.purchases(move) for move in (counts.price - 1).T)


def test_the_true_ratio_lies_inside_the_interval(market):
    sensitivity, counts, *_ = market

    found = log_ratio_of_lifts(counts, counts, sensitivity, seed=0)

    assert found.low < LIFTS[2] - LIFTS[0] < found.high
    assert 0 < found.low < found.log_ratio < found.high < 1.3


@pytest.mark.parametrize("told", [1.0, 0.5])
def test_slope_is_one_where_the_model_expects_the_lifts_that_there_are(market, told):
    """And the ratio over half of it where the model expects half of every user's sensitivity."""
    sensitivity, counts, truth = market
    expected = expected_of(replace(truth, sensitivity=told * truth.sensitivity), counts)

    found = log_ratio_of_lifts(counts, expected, sensitivity, seed=0)

    assert found.slope_low < 1 / told < found.slope_high
    assert found.slope == pytest.approx(1 / told, rel=0.25)


@pytest.mark.parametrize("dissimilarity", [1.0, 0.4])
def test_cuts_of_all_products_of_a_category_are_expected_to_lift_less(dissimilarity):
    """The products of each of two categories are cut in the same weeks, and buyers choose among them."""
    rng = np.random.default_rng(2)
    category = np.repeat([0, 1], PRODUCTS // 2)
    is_cut = (rng.random((2, WEEKS)).argsort(axis=1) < 4)[category]
    sensitivity = rng.uniform(0, 6, (USERS, 1)) * np.ones(PRODUCTS)
    appeal = rng.normal(-2.5, 0.5, (USERS, PRODUCTS))
    nests = np.full(2, dissimilarity)
    truth = Nests(appeal, sensitivity, np.zeros(PRODUCTS), category, nests)
    counts = drawn_counts(truth, is_cut, rng)
    alone = Nests(appeal, sensitivity, np.zeros(PRODUCTS), np.arange(PRODUCTS), np.ones(PRODUCTS))

    right, beside = (
        log_ratio_of_lifts(counts, expected_of(model, counts), sensitivity, seed=0) for model in (truth, alone)
    )

    assert right.slope_low < 1 < right.slope_high
    assert beside.slope_high < 0.8


def test_purchases_are_those_of_a_nested_logit():
    model = Nests(np.array([[0.2, -0.5]]), np.array([[1.0, 3.0]]), np.zeros(2), np.zeros(2, int), np.array([0.4]))

    found = model.purchases(np.array([0.1, -0.2]))

    weight = np.exp([0.2 - 0.1, -0.5 + 0.6])
    inside = weight.sum() ** 0.4
    np.testing.assert_allclose(found, [weight / weight.sum() * inside / (1 + inside)])


def test_purchases_leave_out_what_units_per_choice_add():
    """Where units per choice take all of the response, choices stay."""
    one = np.ones((1, 1))
    units = Nests(-8.0 * one, 2.0 * one, np.array([2.0]), np.zeros(1, int), np.ones(1))

    np.testing.assert_allclose(units.purchases(np.array([-0.3])), units.purchases(np.array([0.0])), rtol=1e-3)


def test_nothing_is_expected_off_the_shelf_or_of_what_the_model_does_not_know():
    appeal = np.array([[0.0, 0.0, np.nan]])
    model = Nests(appeal, np.ones((1, 3)), np.zeros(3), np.zeros(3, int), np.ones(1))

    found = model.purchases(np.array([0.0, np.nan, 0.0]))

    np.testing.assert_allclose(found, [[0.5, 0.0, 0.0]])


def test_a_split_by_chance_shows_no_difference(market):
    _, counts, *_ = market

    found = log_ratio_of_lifts(counts, counts, np.zeros((USERS, PRODUCTS)), seed=0)

    assert found.low < 0 < found.high


def test_users_are_split_evenly_and_unknown_ones_left_out():
    sensitivity = np.array([[3.0, 1.0], [1.0, np.nan], [2.0, 1.0], [np.nan, 1.0]])

    found = thirds(sensitivity, np.random.default_rng(0))

    assert found[:, 0].tolist() == [2, 0, 1, -1]
    assert sorted(found[:, 1].tolist()) == [-1, 0, 1, 2]


def test_counts_are_of_the_visits_and_purchases_of_the_weeks():
    weeks = [date(2017, 1, 2) + timedelta(weeks=week) for week in range(4)]
    prices = [1.0, 1.0, 1.0, 0.5]
    shelf = pl.DataFrame({"period": weeks, "product_id": "milk", "category_id": "milk", "price": prices})
    visits = pl.DataFrame({"user_id": [1, 1, 2, 1], "period": [weeks[2], weeks[3], weeks[3], weeks[0]]})
    choices = pl.DataFrame({"user_id": [1, 1], "period": [weeks[3], weeks[0]], "product_id": ["milk", "milk"]})

    found = counts_of(shelf, choices, visits, weeks[2:])

    assert found.users == [1, 2]
    assert [found.visits[kind].ravel().tolist() for kind in (CUT, STILL)] == [[1, 1], [1, 0]]
    assert [found.bought[kind].ravel().tolist() for kind in (CUT, STILL)] == [[1, 0], [0, 0]]
    assert found.price.tolist() == [[1.0, 0.5]]
