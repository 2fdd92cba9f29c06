"""What attributes say of price sensitivities, learned from markets whose brands answer prices unlike each other."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.stats import multivariate_normal

from gpu_pricer.network.response.fitting.attribute_effects import (
    NOTHING,
    SPREADS,
    AttributeEffects,
    _expected,
    _within_categories,
)
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.grid.grid import Counts
from tests.network.response.drawn import Recipe, draw_market

CONFIG = FitConfig(passes=40, tolerance=0.05, prior_elasticity=None)
BRANDS = (-0.5, -0.2, 0.0, 0.2, 0.5)
RECIPE = Recipe(sizes=(6, 8, 7, 9) * 2, segments=1, periods=30, visits=600, product=0.1, brands=BRANDS)


def effects_of(market, more=0):
    """Return the products' brands as attributes, with so many more products of the last category behind them."""
    category = np.pad(market.grid.category.numpy(), (0, more), mode="edge")
    brand = np.eye(len(BRANDS))[np.arange(len(category)) % len(BRANDS)]
    weight = np.where(np.arange(len(category)) < len(market.grid.row), 1.0, 1e-9)
    return AttributeEffects(csr_array(brand), category, weight, np.zeros(len(BRANDS)), 0.0)


def errors_inside_categories(market, fit):
    """Return by how much the fit's log sensitivities are wrong beside those of the category, [P]."""
    category = market.grid.category.numpy()
    error = np.log(fit.sensitivity[0].numpy()) - np.log(market.sensitivity[:, 0])
    return error - (np.bincount(category, error) / np.bincount(category))[category]


@pytest.fixture(scope="module")
def branded():
    market = draw_market(0, RECIPE)
    effects = effects_of(market, more=len(BRANDS))
    return market, fit_response(market.grid, market.counts, CONFIG, attributes=effects), effects


def test_brands_are_found_to_answer_prices_as_they_do(branded):
    effect = branded[2].effect

    np.testing.assert_allclose(effect - effect.mean(), BRANDS, atol=0.12)


def test_products_answer_prices_more_nearly_as_they_do(branded):
    market, fit, _ = branded

    alone = fit_response(market.grid, market.counts, CONFIG)

    wrong, wrong_alone = (np.square(errors_inside_categories(market, found)).mean() for found in (fit, alone))
    assert wrong < 0.6 * wrong_alone


def test_new_products_are_expected_to_answer_prices_as_their_brands(branded):
    market, fit, _ = branded
    products = len(market.grid.row)

    told = fit.told_by_attributes(products + len(BRANDS) + 1)[products:].numpy()

    brand = np.array(BRANDS)[np.arange(products, products + len(BRANDS)) % len(BRANDS)]
    assert np.corrcoef(told[:-1], brand)[0, 1] > 0.98
    assert told[-1] == 0  # a row behind all products


def test_attributes_move_no_category(branded):
    market, fit, _ = branded

    total = np.bincount(market.grid.category.numpy(), fit.state.beside.numpy())

    np.testing.assert_allclose(total, 0, atol=1e-6)
    assert fit.state.beside.std() > 0.2


def test_products_without_attributes_are_told_nothing():
    market = draw_market(3, replace(RECIPE, periods=8))
    none = csr_array((len(market.grid.row), 0))
    effects = AttributeEffects(none, market.grid.category.numpy(), np.ones(len(market.grid.row)), np.zeros(0), 0.0)

    found = fit_response(market.grid, market.counts, CONFIG, attributes=effects)

    alone = fit_response(market.grid, market.counts, CONFIG)
    torch.testing.assert_close(found.sensitivity, alone.sensitivity)


def test_categories_whose_sensitivities_the_log_does_not_tell_yet_do_not_swing():
    """Most categories of a grocer have one product that teaches, and its log may tell nothing of its response."""
    market = draw_market(4, replace(RECIPE, sizes=(1,) * 20 + (3,) * 6, visits=30, periods=12))

    fit = fit_response(market.grid, market.counts, CONFIG, attributes=effects_of(market))

    assert np.isfinite(fit.sensitivity.numpy()).all()
    assert fit.state.beside.abs().max() < 1


def test_products_whose_sales_rise_with_their_prices_tell_little_of_attributes(caplog):
    """Prices follow demand there: sensitivities fall towards 0, where the log tells nothing of them any more."""
    market = draw_market(4, replace(RECIPE, brands=(0.0,)))
    is_mirrored = torch.from_numpy(np.arange(len(market.grid.row)) % len(BRANDS) < 2)
    grid = replace(market.grid, move=torch.where(is_mirrored[:, None], -market.grid.move, market.grid.move))

    with caplog.at_level(logging.WARNING):
        fit = fit_response(grid, market.counts, CONFIG, attributes=effects_of(market))

    assert not caplog.records
    assert fit.state.beside.abs().max() < 3


def test_segments_keep_what_all_users_taught(branded):
    market, fit, effects = branded
    halves = Counts((market.counts.bought / 2).expand(-1, 2, -1), (market.counts.visits / 2).expand(-1, 2, -1))

    found = fit_response(market.grid, halves, CONFIG, fit)

    assert found.attributes is effects
    torch.testing.assert_close(found.state.beside, fit.state.beside)


def test_brands_that_answer_alike_change_nothing():
    market = draw_market(1, replace(RECIPE, brands=(0.0,), product=0.3))
    effects = effects_of(market)

    found = fit_response(market.grid, market.counts, CONFIG, attributes=effects)

    alone = fit_response(market.grid, market.counts, CONFIG)
    assert effects.spread < 0.15
    wrong, wrong_alone = (np.square(errors_inside_categories(market, fit)).mean() for fit in (found, alone))
    assert wrong < 1.1 * wrong_alone


def test_the_search_settles_with_attributes_as_without(caplog):
    market = draw_market(2, replace(RECIPE, product=0.02))

    with caplog.at_level(logging.INFO):
        fit_response(market.grid, market.counts, CONFIG, attributes=effects_of(market))

    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert "attributes of products explain log price sensitivities within a category" in caplog.text


def test_effects_and_spread_are_those_of_a_regression_with_free_categories():
    """The oracle: y = X ψ + category + noise of variance 1 / weight, as one Gaussian."""
    rng = np.random.default_rng(5)
    category, value = np.repeat([0, 1, 2], [8, 9, 7]), rng.normal(size=(24, 4))
    weight = rng.uniform(2, 20, 24)
    y = value @ rng.normal(0, 0.4, 4) + rng.normal(size=3)[category] + rng.normal(size=24) / np.sqrt(weight)

    effect, spread = _expected(*_within_categories(csr_array(value), weight, weight * y, category))

    noise = np.diag(1 / weight) + 1e4 * np.equal.outer(category, category)
    evidence = [multivariate_normal(cov=s**2 * value @ value.T + noise).logpdf(y) for s in SPREADS]
    posterior = np.exp(evidence - np.max(evidence)) * np.where(SPREADS == 0, NOTHING, (1 - NOTHING) / len(SPREADS[1:]))
    posterior /= posterior.sum()
    assert spread == pytest.approx(posterior @ SPREADS, rel=1e-3)
    means = [s**2 * value.T @ np.linalg.solve(s**2 * value @ value.T + noise, y) for s in SPREADS]
    np.testing.assert_allclose(effect, posterior @ means, rtol=1e-3, atol=1e-4)
