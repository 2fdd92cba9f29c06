"""The response that a log can tell is that of the closest logit, which is the truth where the truth is a logit."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

from tests.bench.markets.market import drawn_market
from tests.bench.markets.quantities import single_pieces
from tests.bench.markets.response import closest_logit
from tests.bench.markets.responses import Linear, Logarithmic
from tests.bench.markets.small import small_scenario

CUTS = (0.7, 0.8, 0.9, 1.0, 1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def truth():
    """The truth of three types who take one piece each."""
    scenario = small_scenario(6)
    one_piece = replace(scenario, quantity=single_pieces(scenario.goods.base, 0.0))
    return drawn_market(one_piece, np.random.default_rng(6)).truth


@pytest.fixture(scope="module")
def shelf(truth):
    """A log in which all products but the first have cuts from today's prices."""
    rows = [
        {"product_id": name, "period": period, "price": today / 100 * (1.0 if place == 0 else cut)}
        for place, (name, today) in enumerate(zip(truth.product_id.tolist(), truth.today.tolist(), strict=True))
        for period, cut in enumerate(CUTS)
    ]
    return pl.DataFrame(rows)


def test_a_logit_that_all_members_share_is_its_own_closest(truth, shelf):
    base, sensitivity = truth.choice.response.base, truth.choice.response.sensitivity
    assert isinstance(truth.choice.response, Linear)

    elasticity, share = closest_logit(truth, shelf, truth.types, 0.0)

    first = [int(np.flatnonzero(truth.types == kind)[0]) for kind in range(3)]
    own = truth.choice.probability(truth.today[:, None], truth.week_state)[:, first]
    expected = -sensitivity[:, first] * (truth.today / base)[:, None] * (1 - own)
    np.testing.assert_allclose(share, own, rtol=1e-6)
    np.testing.assert_allclose(elasticity, expected, rtol=1e-6)


def test_a_logarithmic_response_looks_steeper_from_cuts_than_it_is_today_unless_it_is_bent_as_much(truth, shelf):
    linear = truth.choice.response
    response = Logarithmic(linear.base, linear.sensitivity)
    curved = replace(truth, choice=replace(truth.choice, response=response))

    found, half, exact = (closest_logit(curved, shelf, truth.types, bend)[0] for bend in (0.0, 0.5, 1.0))

    first = [int(np.flatnonzero(truth.types == kind)[0]) for kind in range(3)]
    sensitivity = response.sensitivity[:, first]
    own = curved.choice.probability(truth.today[:, None], truth.week_state)[:, first]
    ratio = found / curved.elasticity(truth.today[:, None])[:, first]
    assert (ratio > 1.05).all()
    assert (ratio < 1 / min(CUTS)).all()
    np.testing.assert_allclose(exact, -sensitivity * (1 - own), rtol=1e-6)
    assert ((half < exact) & (half > found)).all()


@dataclass(frozen=True)
class PowerUnits:
    """Units that are a power function of the price."""

    base: np.ndarray
    elasticity: float

    def mean(self, price):
        return 3.0 * (price / self.base[:, None]) ** self.elasticity


def test_units_that_are_a_power_function_of_the_price_add_its_elasticity(truth, shelf):
    powers = replace(truth, quantity=PowerUnits(truth.choice.response.base, -0.8))

    alone, beside = (closest_logit(market, shelf, truth.types, 0.0)[0] for market in (truth, powers))

    np.testing.assert_allclose(beside - alone, -0.8, rtol=1e-6)


def test_a_mixed_segment_lies_between_its_types(truth, shelf):
    apart, _ = closest_logit(truth, shelf, truth.types, 0.0)

    together, _ = closest_logit(truth, shelf, np.zeros_like(truth.types), 0.0)

    slack = 0.05 * np.abs(apart).max(axis=1)
    assert (together[:, 0] >= apart.min(axis=1) - slack).all()
    assert (together[:, 0] <= apart.max(axis=1) + slack).all()
