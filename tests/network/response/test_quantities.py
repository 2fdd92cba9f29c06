"""The response of the units per choice, on quantities that answer prices as the test says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu_pricer.network.response.fitting.fit import FitConfig
from gpu_pricer.network.response.grid import grid as grid_module
from gpu_pricer.network.response.grid.grid import UserLog
from gpu_pricer.network.response.quantities import (
    PooledResponse,
    Quantities,
    dispersion,
    fit_quantities,
    fit_segments_quantities,
    pooled_response,
    quantities_of,
)
from tests.network.response.drawn import Recipe, draw_market

CONFIG = FitConfig(passes=60, tolerance=0.002, prior_elasticity=None)
RECIPE = Recipe(sizes=(6,) * 10, segments=1, periods=30, visits=4000, shock=0.0, category=0.0, product=0.0)
EXTRA = 1.0  # units beyond the first, at the reference price


def draw_quantities(response, seed=0, recipe=RECIPE, extra=EXTRA):
    """Return a market and a log of its purchases; the units beyond the first are Poisson, and fall by `response`."""
    market = draw_market(seed, recipe)
    rng = np.random.default_rng([seed, 1])
    count = market.counts.bought[:, 0].long()
    product, period = (place.repeat_interleave(count.flatten()) for place in _places(*count.shape))
    mean = extra * (1 + market.grid.move[product, period].numpy()) ** -response
    units = torch.from_numpy(1.0 + rng.poisson(mean))
    user, visits = torch.zeros_like(product), torch.ones(1, market.grid.columns.periods, dtype=torch.float64)
    return market, UserLog(user, product, period, torch.ones_like(units), units, visits, None)


def _places(products, periods):
    return (index.flatten() for index in torch.meshgrid(torch.arange(products), torch.arange(periods), indexing="ij"))


def true_response(response, extra=EXTRA):
    """Of the mean of 1 + Poisson(extra · (price / reference)^−response) at the reference price."""
    return response * extra / (1 + extra)


@pytest.mark.parametrize("response", [0.6, 1.2])
def test_response_of_the_units_is_recovered(response):
    market, log = draw_quantities(response)

    fit = fit_quantities(market.grid, log, CONFIG)

    assert float(fit.sensitivity.mean()) == pytest.approx(true_response(response), rel=0.1)


def test_units_per_choice_at_the_reference_price_are_recovered():
    market, log = draw_quantities(1.2)

    fit = fit_quantities(market.grid, log, CONFIG)

    found = fit.next_appeal(torch.zeros(len(market.grid.row), 1, dtype=torch.float64)).exp()
    np.testing.assert_allclose(found, 1 + EXTRA, rtol=0.05)


def test_products_whose_units_answer_more_are_told_apart():
    response = np.where(np.arange(60) % 6 < 3, 0.3, 1.5)
    market = draw_market(0, RECIPE)
    _, weak = draw_quantities(0.3)
    _, strong = draw_quantities(1.5)
    is_strong = torch.from_numpy(response > 1)
    parts = [(weak, ~is_strong[weak.product]), (strong, is_strong[strong.product])]
    joined = {
        name: torch.cat([getattr(part, name)[kept] for part, kept in parts])
        for name in ("user", "product", "column", "count", "units")
    }

    fit = fit_quantities(market.grid, UserLog(**joined, visits=weak.visits, seen=None), CONFIG)

    found = fit.sensitivity[0].numpy()
    assert found[response > 1].mean() > 0.5 > 0.35 > found[response < 1].mean()


def test_segments_answer_each_by_their_own_units():
    (market, low), (_, high) = (draw_quantities(response) for response in (0.4, 1.6))
    parts = {name: torch.cat([getattr(log, name) for log in (low, high)]) for name in ("product", "column", "count")}
    user = torch.cat([torch.zeros_like(low.user), torch.ones_like(high.user)])
    visits = torch.ones(2, market.grid.columns.periods, dtype=torch.float64)
    log = UserLog(user=user, **parts, units=torch.cat([low.units, high.units]), visits=visits, seen=None)
    pooled = fit_quantities(market.grid, log, CONFIG)

    fit = fit_segments_quantities(pooled, log, torch.tensor([[0], [1]]).expand(visits.shape), 2, CONFIG)

    found = fit.sensitivity.mean(1)
    assert float(found[0]) == pytest.approx(true_response(0.4), rel=0.15)
    assert float(found[1]) == pytest.approx(true_response(1.6), rel=0.15)
    assert found[0] < pooled.sensitivity.mean() < found[1]


def test_units_that_do_not_answer_prices_have_no_response_in_any_segment_and_it_is_said(caplog):
    market, log = draw_quantities(0.0)
    caplog.set_level("INFO")

    fit = fit_quantities(market.grid, log, CONFIG)
    segment = torch.zeros(1, market.grid.columns.periods, dtype=torch.int64)
    of_segments = fit_segments_quantities(fit, log, segment, 2, CONFIG)

    assert caplog.messages[0].startswith("the quantity sensitivity is 0: ")
    for found in (fit, of_segments):
        assert not found.sensitivity.any()
        assert not found.category_sensitivity().any()
        assert not found.common_sensitivity().any()
    np.testing.assert_allclose(fit.next_appeal(torch.zeros(60, 1, dtype=torch.float64)).exp(), 1 + EXTRA, rtol=0.05)


def test_search_for_no_response_does_not_start_from_one():
    (market, silent), (_, answering) = (draw_quantities(response) for response in (0.0, 1.2))
    later = replace(market.grid, move=market.grid.move.clone())
    none, some = (fit_quantities(market.grid, log, CONFIG) for log in (silent, answering))

    assert not fit_quantities(later, silent, CONFIG, some).sensitivity.any()
    assert torch.equal(
        fit_quantities(later, answering, CONFIG, none).sensitivity, fit_quantities(later, answering, CONFIG).sensitivity
    )


def test_pooled_response_of_products_is_that_of_a_regression_with_dummies():
    """Of units per choice, weighted by the expected units, on the move of the price."""
    market, log = draw_quantities(0.1, recipe=replace(RECIPE, sizes=(3, 4), periods=12))
    quantities = quantities_of(market.grid, log)
    units, choices = quantities.units[:, 0].numpy(), quantities.choices[:, 0].numpy()
    expected = choices * (units.sum(1) / choices.sum(1))[:, None]
    product, period = np.indices(units.shape)
    category = market.grid.category.numpy()[product]
    dummies = [np.eye(7)[product.ravel()], np.eye(24)[(12 * category + period).ravel()]]
    columns = np.hstack([-market.grid.move.numpy().reshape(-1, 1), *dummies])
    root = np.sqrt(expected.ravel())

    found = pooled_response(market.grid, quantities)

    residual = (units - expected).ravel() / np.where(root > 0, root, 1)
    assert found.sensitivity == pytest.approx(np.linalg.lstsq(root[:, None] * columns, residual, rcond=None)[0][0])
    precision = np.linalg.pinv(columns.T @ (expected.ravel()[:, None] * columns))
    assert found.standard_error == pytest.approx(precision[0, 0] ** 0.5)


def test_error_of_the_pooled_response_is_right():
    """Over 40 logs without a response; a standard deviation of 40 draws is known to 11 %."""
    recipe = replace(RECIPE, sizes=(4,) * 3, periods=20)
    drawn = [draw_quantities(0.0, seed, recipe) for seed in range(40)]

    found = [pooled_response(market.grid, quantities_of(market.grid, log)) for market, log in drawn]

    assert np.std([sensitivity / error for sensitivity, error in found]) == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize(
    ("sensitivity", "error", "is_none"),
    [
        (0.5, 0.1, False),
        (0.02, 0.02, True),
        (-0.3, 0.1, True),
        (0.08, 0.02, False),
        (0.4, 5.0, False),
        (0.0, float("inf"), False),
    ],
)
def test_weak_log_keeps_the_published_response_and_a_strong_one_decides(sensitivity, error, is_none):
    assert PooledResponse(sensitivity, error).is_none is is_none


def test_prices_that_rest_tell_no_response():
    market, log = draw_quantities(0.0, recipe=replace(RECIPE, sizes=(3,)))
    resting = replace(market.grid, move=torch.zeros_like(market.grid.move))

    assert pooled_response(resting, quantities_of(resting, log)) == PooledResponse(0.0, float("inf"))


def test_known_part_of_the_appeal_moves_choices_and_not_their_units():
    market, log = draw_quantities(1.0, recipe=replace(RECIPE, sizes=(3, 2), visits=400))
    shocks = torch.randn(market.grid.offset.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    plain, told = (fit_quantities(grid, log, CONFIG) for grid in (market.grid, replace(market.grid, offset=shocks)))

    assert torch.equal(plain.sensitivity, told.sensitivity)
    assert torch.equal(plain.utility(), told.utility())


def test_log_of_single_units_has_no_response_and_says_so(caplog):
    market, log = draw_quantities(0.0, recipe=replace(RECIPE, sizes=(2, 2)))
    caplog.set_level("INFO")

    assert fit_quantities(market.grid, replace(log, units=None), CONFIG) is None
    assert caplog.messages == ["every purchase is of one unit: the quantity sensitivity is 0"]


def test_score_is_the_gradient_of_the_poisson_likelihood():
    rng = torch.Generator().manual_seed(0)
    choices, units, utility = (torch.rand(3, 1, 4, generator=rng, dtype=torch.float64) for _ in range(3))
    utility.requires_grad_()
    torch.distributions.Poisson(choices * utility.exp(), validate_args=False).log_prob(units).sum().backward()
    market = draw_market(0, RECIPE)

    gradient, curvature = Quantities(units, choices).score(market.grid, utility.detach())

    torch.testing.assert_close(gradient, utility.grad)
    torch.testing.assert_close(curvature, choices * utility.detach().exp())


def test_dispersion_is_the_variance_over_the_mean():
    """1 + Poisson(1) has variance 1 and mean 2."""
    _, log = draw_quantities(0.0)

    found = dispersion(log, 60)

    np.testing.assert_allclose(found, 0.5, rtol=0.2)


def test_selling_by_tens_adds_no_information():
    """Ten times the units have ten times the mean and a hundred times the variance."""
    market, log = draw_quantities(0.0, recipe=replace(RECIPE, sizes=(6,)))
    packs = replace(log, units=10 * log.units)

    one, ten = quantities_of(market.grid, log), quantities_of(market.grid, packs)

    np.testing.assert_allclose(ten.units.sum() / one.units.sum(), 1, rtol=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_order_of_the_purchases_says_nothing(seed):
    market, log = draw_quantities(1.0, recipe=replace(RECIPE, sizes=(3, 2), visits=400))
    order = torch.randperm(len(log.user), generator=torch.Generator().manual_seed(seed))
    names = ("user", "product", "column", "count", "units")
    shuffled = replace(log, **{name: getattr(log, name)[order] for name in names})

    first, second = (fit_quantities(market.grid, rows, CONFIG).sensitivity for rows in (log, shuffled))

    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("at_once", [100, 999])
def test_a_log_counted_some_choices_at_a_time_has_the_same_counts_and_quantities(monkeypatch, at_once):
    market, log = draw_quantities(0.5)
    whole, quantities = log.pooled(market.grid), quantities_of(market.grid, log)

    monkeypatch.setattr(grid_module, "AT_ONCE", at_once)

    assert log.pooled(market.grid).equal(whole)
    assert quantities_of(market.grid, log).equal(quantities)
