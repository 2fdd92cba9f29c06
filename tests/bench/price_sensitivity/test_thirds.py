"""The comparison of thirds finds differences in response where there are any, and none where there are none."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from tests.bench.price_sensitivity.moves import CUT, STILL
from tests.bench.price_sensitivity.thirds import Counts, counts_of, log_ratio_of_lifts, thirds

USERS, PRODUCTS = 900, 24
LIFTS = np.array([0.3, 0.6, 1.1])  # log lift of a cut, from the least to the most sensitive third
REFERENCE, CUT_PRICE = 2.0, 1.2


@pytest.fixture(scope="module")
def market():
    """Sensitivities [U, J] and the counts of a market whose third of users and products answers cuts by LIFTS.

    Whoever is sensitive buys less, and products differ in how often they are cut.
    """
    rng = np.random.default_rng(1)
    sensitivity = rng.normal(size=(USERS, PRODUCTS))
    third = thirds(sensitivity, rng)
    weeks_cut = rng.integers(1, 5, PRODUCTS)
    visits = {CUT: rng.binomial(weeks_cut, 0.6, (USERS, PRODUCTS)), STILL: rng.binomial(8, 0.6, (USERS, PRODUCTS))}
    rate = np.exp(rng.normal(-3.0, 0.5, PRODUCTS) - 0.4 * third)
    bought = {CUT: rng.poisson(visits[CUT] * rate * np.exp(LIFTS[third])), STILL: rng.poisson(visits[STILL] * rate)}
    price = {CUT: np.full(PRODUCTS, CUT_PRICE), STILL: np.full(PRODUCTS, REFERENCE)}
    counts = Counts(list(range(USERS)), list(range(PRODUCTS)), bought, visits, price)
    return sensitivity, counts, rate, LIFTS[third] / (1 - CUT_PRICE / REFERENCE)


def test_the_true_ratio_lies_inside_the_interval(market):
    sensitivity, counts, *_ = market

    found = log_ratio_of_lifts(counts, counts, sensitivity, seed=0)

    assert found.low < LIFTS[2] - LIFTS[0] < found.high
    assert 0 < found.low < found.log_ratio < found.high < 1.3


@pytest.mark.parametrize("told", [1.0, 0.5])
def test_slope_is_one_where_the_model_expects_the_lifts_that_there_are(market, told):
    """And the ratio over half of it where the model expects half of every user's elasticity."""
    sensitivity, counts, rate, elasticity = market
    expected = counts.expected(rate, told * elasticity, np.full(PRODUCTS, REFERENCE))

    found = log_ratio_of_lifts(counts, expected, sensitivity, seed=0)

    assert found.slope_low < 1 / told < found.slope_high
    assert found.slope == pytest.approx(1 / told, rel=0.25)


def test_nothing_is_expected_of_what_the_model_does_not_know(market):
    _, counts, rate, elasticity = market
    unknown = np.where(np.arange(PRODUCTS) == 0, np.nan, rate)

    found = counts.expected(unknown, elasticity, np.full(PRODUCTS, REFERENCE))

    assert not found.bought[CUT][:, 0].any()
    np.testing.assert_allclose(found.bought[STILL][:, 1:], (counts.visits[STILL] * rate)[:, 1:])


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
    assert [found.price[kind].tolist() for kind in (CUT, STILL)] == [[0.5], [1.0]]
