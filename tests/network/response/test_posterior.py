"""Draws of a category's sensitivity, by hand where nothing is left uncertain but its untaught products."""

from types import SimpleNamespace

import numpy as np
import pytest

from gpu_pricer.network.segment_response.model import CategoryState
from gpu_pricer.network.segment_response.posterior import Untaught, draw_sensitivities

SURE = 1e16  # information


@pytest.fixture
def fit():
    """Two segments and a category of three products that taught, all known exactly; products differ by 0.2."""
    own = {
        "slope_here": np.array([0.1]), "slope_of_segment_here": np.array([0.0, -0.3]),
        "slope_of_product": np.array([0.2, 0.0, -0.1]),
    }  # fmt: skip
    equations = SimpleNamespace(own=SURE * np.eye(6), across=np.zeros((6, 3)))
    return SimpleNamespace(
        shared={"slope": np.zeros(1), "slope_of_segment": np.zeros(2)},
        categories=[CategoryState(own, np.zeros((3, 1)))],
        equations=[equations],
        covariance=np.eye(3) / SURE,
        priors=SimpleNamespace(spread={"slope_of_product": 0.2}),
    )


def drawn(fit, untaught):
    return draw_sensitivities(fit, [untaught], 4000, np.random.default_rng(0))


def test_what_is_known_of_every_product_leaves_nothing_open(fit):
    assert np.abs(drawn(fit, Untaught(0, 0.3))).max() < 1e-6


@pytest.mark.parametrize(("products", "price_spread"), [(1, 0.0), (2, 0.1), (3, 0.3)])
def test_untaught_products_differ_by_their_own_slopes_and_by_what_today_s_price_is_off(fit, products, price_spread):
    found = drawn(fit, Untaught(products, price_spread))

    everyone = np.array([1.1, 0.8])
    of_one = np.sqrt(
        0.2**2 * np.exp(2 * price_spread**2) + everyone**2 * (np.exp(2 * price_spread**2) - np.exp(price_spread**2))
    )
    mean = (3 * everyone + 0.1 + products * everyone) / (3 + products)
    expected = np.sqrt(products) * of_one / (3 + products) / mean
    np.testing.assert_allclose(np.exp(found[:, :, 0]).std(axis=0), expected, rtol=0.06)
