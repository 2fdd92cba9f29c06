"""The fit, on choices drawn from the model itself."""

import logging
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu_pricer.errors import InputError
from gpu_pricer.network.response.fitting.dissimilarity import Nests
from gpu_pricer.network.response.fitting.fit import DAMPING, FitConfig, fit_response
from gpu_pricer.network.response.fitting.newton import newton_pass
from gpu_pricer.network.response.grid.grid import Counts
from gpu_pricer.network.response.model import MEANS, Layout
from tests.network.response.drawn import Recipe, draw_market

CONFIG = FitConfig(passes=60, tolerance=0.002, prior_elasticity=None)
MUCH = Recipe(sizes=(3, 3, 3), periods=14, visits=40_000, shock=0.05)
LITTLE = replace(MUCH, visits=100)


def slope(x, y):
    """Of y on x, both around their means."""
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x * x).sum())


def within(values, category):
    """Values [P, S] less the mean of their category."""
    return values - np.stack([values[category == own].mean(axis=0) for own in category])


def fit_market(market, config=CONFIG):
    return fit_response(market.grid, market.counts, config)


def only(grid, kept):
    """The grid of some of its products."""
    names = ("row", "category", "on_shelf", "move", "context", "offset")
    return replace(grid, **{name: getattr(grid, name)[kept] for name in names})


@pytest.fixture(scope="module")
def taught():
    market = draw_market(0, MUCH)
    return market, fit_market(market)


def test_sensitivities_of_segments_and_products_are_recovered(taught):
    market, fit = taught

    error = np.log(fit.sensitivity.numpy().T / market.sensitivity)

    assert np.abs(error).mean() < 0.1
    assert abs(error.mean()) < 0.03
    assert 0.9 < slope(np.log(fit.sensitivity.numpy().T), np.log(market.sensitivity)) < 1.1


def test_appeals_are_recovered(taught):
    """Up to what a product's shock and a category's season are on average, which nothing tells apart."""
    market, fit = taught
    layout = fit.layout

    found = fit.state.z[:, layout.appeal].numpy()

    assert slope(found[:, 0] - found[:, 1], market.appeal[:, 0] - market.appeal[:, 1]) == pytest.approx(1, abs=0.05)


def test_expected_purchases_are_those_made(taught):
    market, fit = taught
    weight = fit.utility().exp() * market.grid.on_shelf[:, None]
    total = 1 + market.grid.sum_by_category(weight)
    expected = (market.counts.visits / total)[market.grid.category] * weight

    np.testing.assert_allclose(expected.sum((1, 2)), market.counts.bought.sum((1, 2)), rtol=0.02)


def test_relative_shares_and_sensitivities_are_recovered_without_an_outside_option():
    market = draw_market(1, replace(MUCH, has_outside_option=False, on_shelf=1.0))

    fit = fit_market(market)

    assert np.abs(np.log(fit.sensitivity.numpy().T / market.sensitivity)).mean() < 0.1
    weight = fit.utility().exp()
    share = weight / market.grid.sum_by_category(weight)[market.grid.category]
    seen = market.counts.bought / market.counts.visits[market.grid.category]
    assert float((share.mean(2) - seen.mean(2)).abs().max()) < 0.005


def test_little_data_leaves_products_near_their_category():
    """Products' estimates differ by less than the truth does, and so far as they differ the truth does too."""
    market = draw_market(0, replace(LITTLE, sizes=(6,) * 12))

    fit = fit_market(market)

    category = market.grid.category.numpy()
    found, truth = (within(np.log(b), category) for b in (fit.sensitivity.numpy().T, market.sensitivity))
    assert found.std() < 0.7 * truth.std()
    assert 0.8 < slope(found, truth) < 1.4


def test_product_whose_price_never_moves_has_its_categorys_sensitivity():
    market = draw_market(2, replace(MUCH, product=0.05))
    move = market.grid.move.clone()
    move[4] = 0.0

    fit = fit_response(replace(market.grid, move=move), market.counts, CONFIG)

    expected = fit.category_sensitivity()[:, market.grid.category[4]]
    np.testing.assert_allclose(fit.sensitivity[:, 4], expected, rtol=0.05)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_sensitivity_stays_above_0_whatever_prices_seem_to_do(sign):
    """With the signs of all price moves turned, people seem to buy more of what is dear."""
    market = draw_market(3, LITTLE)

    fit = fit_response(replace(market.grid, move=sign * market.grid.move), market.counts, CONFIG)

    assert bool((fit.sensitivity > 0).all())
    assert bool(fit.sensitivity.isfinite().all())


def test_segments_without_any_visit_take_what_the_others_teach():
    market = draw_market(4, replace(MUCH, segments=3))
    bought, visits = market.counts.bought.clone(), market.counts.visits.clone()
    bought[:, 2], visits[:, 2] = 0.0, 0.0

    fit = fit_response(market.grid, Counts(bought, visits), CONFIG)

    assert bool(fit.sensitivity.isfinite().all())
    assert float(fit.state.variance[:, 2].min()) > float(fit.state.variance[:, :2].max())


def test_period_without_visits_is_forecast_by_the_autoregressions():
    """So periods that do not teach may lie in the same grid as those that do."""
    market = draw_market(5, MUCH)
    bought, visits = market.counts.bought.clone(), market.counts.visits.clone()
    bought[:, :, -2:], visits[:, :, -2:] = 0.0, 0.0

    fit = fit_response(market.grid, Counts(bought, visits), replace(CONFIG, tolerance=1e-6, passes=100))

    for values, process in ((fit.state.shock, fit.widths.shock), (fit.state.season, fit.widths.season)):
        for age in (1, 2):
            expected = process.persistence**age * values[:, -3]
            np.testing.assert_allclose(values[:, age - 3], expected, atol=2e-3)


def test_next_appeal_is_that_of_the_forecast_season_and_shock(taught):
    _, fit = taught
    context = torch.full((len(fit.grid.row), 1), 0.5, dtype=torch.float64)

    found = fit.next_appeal(context)

    state, widths = fit.state, fit.widths
    for s, j in np.ndindex(tuple(found.shape)):
        expected = state.z[j, s] + 0.5 * state.z[j, -1] + widths.shock.persistence * state.shock[j, -1]
        expected = expected + widths.season.persistence * state.season[fit.grid.category[j], -1]
        assert float(found[s, j]) == pytest.approx(float(expected))


def test_start_from_the_pooled_fit_ends_where_a_cold_start_does():
    market = draw_market(6, replace(MUCH, visits=4000))
    config = FitConfig(passes=300, tolerance=1e-5, prior_elasticity=None)
    pooled = fit_response(
        market.grid, Counts(market.counts.bought.sum(1, True), market.counts.visits.sum(1, True)), config
    )
    before = pooled.state.season.clone()

    cold = fit_response(market.grid, market.counts, config)
    warm = fit_response(market.grid, market.counts, config, pooled)

    assert torch.equal(pooled.state.season, before)
    np.testing.assert_allclose(warm.sensitivity, cold.sensitivity, rtol=0.01)
    assert warm.layout == Layout(2, 1)


def test_start_from_the_pooled_fit_takes_fewer_passes(caplog):
    market = draw_market(6, Recipe(sizes=(4,) * 20, segments=3, periods=20, visits=500))
    config = FitConfig(passes=40, tolerance=0.05, prior_elasticity=None)
    pooled = fit_response(
        market.grid, Counts(market.counts.bought.sum(1, True), market.counts.visits.sum(1, True)), config
    )

    with caplog.at_level(logging.INFO):
        fit_response(market.grid, market.counts, config)
        fit_response(market.grid, market.counts, config, pooled)

    cold, warm = (int(re.search(r"(\d+) passes", record.getMessage())[1]) for record in caplog.records[-2:])
    assert warm <= cold - 2


def test_start_from_other_periods_ends_where_a_cold_start_does():
    """The later log has a product that the earlier one lacks, and lacks one that the earlier one has."""
    earlier, market = (draw_market(6, replace(MUCH, visits=visits)) for visits in (1000, 4000))
    config = FitConfig(passes=300, tolerance=1e-5, prior_elasticity=None)
    known, teaching = torch.arange(9) != 4, torch.arange(9) != 2
    first = fit_response(only(earlier.grid, known), Counts(earlier.counts.bought[known], earlier.counts.visits), config)
    grid, counts = only(market.grid, teaching), Counts(market.counts.bought[teaching], market.counts.visits)
    before = first.state.z.clone()

    cold = fit_response(grid, counts, config)
    warm = fit_response(grid, counts, config, first)

    assert torch.equal(first.state.z, before)
    np.testing.assert_allclose(warm.sensitivity, cold.sensitivity, rtol=0.01)


def test_start_from_other_periods_takes_few_passes(caplog):
    market = draw_market(6, Recipe(sizes=(4,) * 20, segments=3, periods=20, visits=500))
    bought, visits = market.counts.bought.clone(), market.counts.visits.clone()
    bought[:, :, -2:], visits[:, :, -2:] = 0.0, 0.0
    config = FitConfig(passes=40, tolerance=0.05, prior_elasticity=None)

    with caplog.at_level(logging.INFO):
        first = fit_response(market.grid, Counts(bought, visits), config)
        fit_response(replace(market.grid), market.counts, config, first)

    cold, warm = (int(re.search(r"(\d+) passes", record.getMessage())[1]) for record in caplog.records)
    assert warm <= cold / 2


def test_a_single_segment_has_the_pooled_response():
    market = draw_market(6, replace(LITTLE, segments=1))
    pooled = fit_market(market)
    counts = Counts(market.counts.bought.clone(), market.counts.visits.clone())
    more = Counts(2 * market.counts.bought, 2 * market.counts.visits)

    assert fit_response(market.grid, counts, CONFIG, pooled) is pooled
    assert fit_response(market.grid, more, CONFIG, pooled) is not pooled
    assert fit_response(replace(market.grid), counts, CONFIG, pooled) is not pooled


def test_same_counts_give_the_same_bits():
    first, second = (fit_market(draw_market(7, LITTLE)) for _ in range(2))

    assert torch.equal(first.sensitivity, second.sensitivity)


def test_threads_change_no_bit(in_threads, monkeypatch):
    market = draw_market(7, replace(LITTLE, sizes=(3,) * 12, segments=1))
    monkeypatch.setattr("gpu_pricer.network.response.grid.grid.BLOCK", 6)

    def fit():
        return fit_response(market.grid, market.counts, CONFIG, nests=Nests.of(market.grid)).state

    found = [in_threads(threads, fit) for threads in (1, 3)]

    assert all(torch.equal(getattr(found[0], name), getattr(found[1], name)) for name in MEANS)


def test_settled_fit_says_so_in_one_line(caplog):
    with caplog.at_level(logging.INFO):
        fit_market(draw_market(0, LITTLE))

    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith("price response of 2 segments, 9 products: mean sensitivity ")
    said = re.search(r"shocks ([\d.]+) \(in nine of ten categories ([\d.]+) to ([\d.]+)\)", record.getMessage())
    spread, low, high = (float(number) for number in said.groups())
    assert low <= spread <= high


def test_fit_that_ran_out_of_passes_is_warned_of(caplog):
    with caplog.at_level(logging.INFO):
        fit_market(draw_market(0, LITTLE), FitConfig(passes=1, tolerance=0.002, prior_elasticity=None))

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert ", 1 passes, " in record.getMessage()
    assert record.getMessage().endswith(", not settled: raise train.response.fit.passes")


def test_fit_that_is_far_from_settled_is_not_priced_from():
    market = draw_market(0, MUCH)
    far, near = (
        fit_market(market, FitConfig(passes=passes, tolerance=0.002, prior_elasticity=None)) for passes in (1, 60)
    )

    assert near.require_settled() is near
    with pytest.raises(InputError, match=r"^the price response did not settle within train.response.fit.passes "):
        far.require_settled()
    with pytest.raises(InputError, match="nan posterior"):
        replace(near, to_go=math.nan).require_settled()


@pytest.mark.parametrize(
    ("length", "least", "settles"), [(1.0, 0.1, True), (2.6, 0.1, True), (3.5, 0.1, True), (2.6, DAMPING, False)]
)
def test_steps_that_are_too_long_are_shortened(length, least, settles, monkeypatch, caplog):
    """A pass that goes `length` times as far as it should: from 2.5 on, steps of DAMPING lead away.

    least: the smallest share of a step that may be taken.
    """
    monkeypatch.setattr("gpu_pricer.network.response.fitting.fit.LEAST_DAMPING", least)

    def far_step(grid, counts, state, *given):
        before = state.copy()
        moments = newton_pass(grid, counts, state, *given)
        state.take_share(length, before)
        return moments

    monkeypatch.setattr("gpu_pricer.network.response.fitting.fit.newton_pass", far_step)

    with caplog.at_level(logging.INFO):
        fit_market(draw_market(0, LITTLE), FitConfig(passes=60, tolerance=0.05, prior_elasticity=None))

    assert ("not settled" not in caplog.text) == settles


@pytest.mark.parametrize("seed", range(3))
def test_log_of_one_category_settles(seed, caplog):
    market = draw_market(seed, Recipe(sizes=(5,), segments=1, periods=200, visits=50))

    with caplog.at_level(logging.INFO):
        fit_market(market, FitConfig(passes=20, tolerance=0.05, prior_elasticity=None))

    assert "not settled" not in caplog.text


@pytest.mark.parametrize("sizes", [(5,), (4,) * 10])
def test_log_without_price_response_settles_at_a_low_sensitivity(sizes, caplog):
    market = draw_market(1, Recipe(sizes=sizes, periods=40, visits=200, move=0.0))
    move = np.random.default_rng(1).normal(0, 0.15, market.grid.move.shape) * market.grid.on_shelf.numpy()

    with caplog.at_level(logging.INFO):
        fit = fit_response(replace(market.grid, move=torch.from_numpy(move)), market.counts, FitConfig(40, 0.05, None))

    assert "not settled" not in caplog.text
    assert 0 < float(fit.sensitivity.mean()) < 0.5
    assert float(fit.state.variance.max()) < 3.0


@pytest.mark.parametrize(("passes", "tolerance"), [(0, 0.1), (10, 0.0), (1.5, 0.1)])
def test_settings_out_of_range_are_refused(passes, tolerance):
    with pytest.raises(ValueError, match=r"response\.fit\.(passes|tolerance) must be"):
        FitConfig(passes, tolerance, None)
