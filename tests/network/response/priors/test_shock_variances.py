"""The variances of categories' shocks: against the evidence of series seen with noise, and on drawn markets."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.gaps import find_gaps
from gpu_pricer.network.response.grid.grid import Counts
from gpu_pricer.network.response.priors.autoregression import LONGEST_STEP, Autoregression, OpenSeries
from gpu_pricer.network.response.priors.shock_variances import LARGEST, START_SPREAD, ShockVariances
from tests.network.response.dense import autoregressive_covariance
from tests.network.response.drawn import Recipe, autoregression, draw_market

NOISE, PERIODS, SERIES = 0.1, 20, 15  # SERIES in a category
TRUTH = Autoregression(0.3, 0.6)
CONFIG = FitConfig(passes=60, tolerance=0.01, prior_elasticity=None)
UNLIKE = Recipe(sizes=(5,) * 12, segments=1, periods=40, visits=4000, shock=0.2, shock_scale=(0.3, 1.0, 2.0))


def series_of(scale, seed=0):
    """Return series [G, SERIES, W] with these scales [G], seen with noise."""
    rng = np.random.default_rng(seed)
    shape = len(scale), SERIES, PERIODS
    drawn = autoregression(rng, len(scale) * SERIES, PERIODS, TRUTH.spread, TRUTH.persistence).reshape(shape)
    return scale[:, None, None] * drawn + rng.normal(0, NOISE, shape)


def told(seen, scale):
    """Return gradient and information [G] of the evidence at scales [G], by the posteriors of the series."""
    columns = []
    for own, of_one in zip(seen, scale, strict=True):
        prior = of_one**2 * autoregressive_covariance(TRUTH, PERIODS)
        covariance = np.linalg.inv(np.linalg.inv(prior) + np.eye(PERIODS) / NOISE**2)
        mean = own @ covariance / NOISE**2 / of_one
        left = torch.from_numpy(covariance).expand(SERIES, PERIODS, PERIODS)
        scales = torch.full((SERIES,), of_one, dtype=torch.float64)
        column = OpenSeries.none(PERIODS).add(left, scales, TRUTH).sum(0).numpy()
        column[0] += ((mean @ TRUTH.precision(PERIODS).numpy()) * mean).sum() / 2
        columns.append(column)
    return torch.from_numpy(np.array(columns)).unbind(1)


def log_evidence(own, log_variance):
    """Of the series [n, W] of one category."""
    covariance = np.exp(log_variance) * autoregressive_covariance(TRUTH, PERIODS) + NOISE**2 * np.eye(PERIODS)
    return multivariate_normal(np.zeros(PERIODS), covariance).logpdf(own).sum()


def start(categories):
    scale = torch.ones(categories, dtype=torch.float64)
    return ShockVariances(scale), scale


def learned(seen, steps=60):
    """Return variances, scales, the last move, and the log of the variance in common, relative to TRUTH's."""
    variances, scale = start(len(seen))
    common = 0.0
    for _ in range(steps):
        gradient, information = told(seen, math.exp(common / 2) * scale.numpy())
        moved = variances.teach(scale, gradient, information)
        common += 0.7 * float(gradient.sum() / information.sum())
    return variances, scale, moved, common


def test_gradient_and_information_are_those_of_the_evidence():
    scale, step = np.array([0.4, 1.7]), 1e-5
    seen = series_of(np.array([1.0, 1.0]))

    gradient, information = told(seen, scale)

    for g, at in enumerate(2 * np.log(scale)):
        ends = [log_evidence(seen[g], at + sign * step) for sign in (-1, 1)]
        assert float(gradient[g]) == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-5)
        prior = scale[g] ** 2 * autoregressive_covariance(TRUTH, PERIODS)
        part = np.linalg.solve(prior + NOISE**2 * np.eye(PERIODS), prior)
        assert float(information[g]) == pytest.approx(SERIES / 2 * np.trace(part @ part), rel=1e-8)


def test_learning_rests_where_evidence_and_prior_are_highest():
    seen = series_of(np.exp(np.random.default_rng(1).normal(0, 0.5, 12)))

    variances, scale, moved, common = learned(seen)

    assert moved < 1e-6
    for own, at in zip(seen, 2 * scale.log().numpy(), strict=True):
        best = log_evidence(own, common + at) - 0.5 * (at / variances.spread) ** 2
        for beside in (at - 0.02, at + 0.02):
            assert log_evidence(own, common + beside) - 0.5 * (beside / variances.spread) ** 2 < best


@pytest.mark.parametrize("apart", [0.3, 1.0, 2.0])
def test_spread_between_categories_is_learned(apart):
    log_variance = np.random.default_rng(2).normal(0, apart, 60)

    variances, scale, *_ = learned(series_of(np.exp(log_variance / 2), seed=3))

    assert variances.spread == pytest.approx(apart, rel=0.2)
    assert np.corrcoef(2 * scale.log().numpy(), log_variance)[0, 1] > (0.7 if apart < 0.5 else 0.95)


def test_categories_that_are_alike_keep_one_variance():
    """What they have in common is not theirs, however far from it their variance starts."""
    variances, scale, _, common = learned(series_of(np.full(60, 3.0)))

    assert variances.spread < 0.15
    assert float(scale.log().abs().max()) < 0.1
    assert common == pytest.approx(2 * math.log(3.0), abs=0.1)


def test_learning_goes_on_where_an_earlier_fit_ended():
    seen = series_of(np.exp(np.random.default_rng(4).normal(0, 1.0, 60)))
    _, scale, _, common = learned(seen)

    moved = ShockVariances(scale).teach(scale, *told(seen, math.exp(common / 2) * scale.numpy()))

    assert moved < 0.01


def test_log_that_says_nothing_leaves_the_prior():
    variances, scale = start(3)

    moved = variances.teach(scale, torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))

    assert moved == 0
    assert torch.equal(scale, torch.ones(3, dtype=torch.float64))
    assert variances.spread == pytest.approx(START_SPREAD)


@pytest.mark.parametrize("sign", [-1, 1])
def test_scales_stay_between_their_limits(sign):
    variances, scale = start(40)
    gradient = torch.cat([torch.tensor([sign * 50.0]), torch.zeros(39)]).double()
    for _ in range(200):
        before = scale.clone()
        variances.teach(scale, gradient, torch.full((40,), 1e-3).double())
        assert float(2 * (scale / before).log().abs().max()) <= LONGEST_STEP + 1e-9

    assert float(scale.log().abs().max()) <= LARGEST / 2 + 1e-9
    assert bool(scale.isfinite().all())


def test_steps_toward_no_shocks_are_shorter_than_the_information_says():
    """Near a variance of 0 the evidence changes in proportion to the variance."""
    variances, scale = start(40)
    gradient = torch.cat([torch.tensor([-50.0]), torch.zeros(39)]).double()

    variances.teach(scale, gradient, torch.full((40,), 1e-3).double())

    assert -0.7 * LONGEST_STEP < 2 * float(scale[0].log()) < -0.5 * LONGEST_STEP


def test_a_scale_that_the_log_does_not_tell_is_no_move():
    variances, scale = start(2)

    moved = variances.teach(scale, torch.tensor([1.0, -1.0]).double(), torch.zeros(2).double())

    assert moved == 0
    assert float(scale[0]) > 1 > float(scale[1])


@pytest.fixture(scope="module")
def unlike():
    market = draw_market(0, UNLIKE)
    return market, fit_response(market.grid, market.counts, CONFIG)


def test_fit_learns_how_much_each_category_scatters(unlike):
    fit = unlike[1]

    found = fit.widths.shock.spread * fit.state.shock_scale.numpy()

    expected = UNLIKE.shock * np.resize(UNLIKE.shock_scale, len(UNLIKE.sizes))
    np.testing.assert_allclose(np.log(found), np.log(expected), atol=0.25)


@pytest.mark.parametrize("shock", [0.1, 1.0])
def test_fit_learns_the_variance_that_categories_have_in_common(shock):
    market = draw_market(0, replace(UNLIKE, shock=shock, shock_scale=(1.0,)))

    fit = fit_response(market.grid, market.counts, CONFIG)

    assert fit.widths.shock.spread == pytest.approx(shock, rel=0.1)
    assert float(fit.state.shock_scale.log().abs().max()) < 0.3


def test_calm_categories_know_their_sensitivities_better(unlike):
    """Their purchases are evidence on the response; with one variance for all, shocks could have moved them too."""
    fit = unlike[1]
    scale = fit.state.shock_scale[fit.grid.category]

    calm, restless = (fit.state.variance[part].mean() for part in (scale < 0.5, scale > 1.2))

    assert float(calm) < 0.7 * float(restless)


def test_several_segments_start_with_the_scales_of_one(unlike):
    market, fit = unlike
    counts = Counts(*(values.repeat(1, 2, 1) / 2 for values in vars(market.counts).values()))

    found = fit_response(market.grid, counts, replace(CONFIG, passes=1), fit)

    np.testing.assert_allclose(found.state.shock_scale.log(), fit.state.shock_scale.log(), atol=0.2)


def test_a_fit_of_other_periods_starts_with_the_scales_of_an_earlier_one(unlike):
    market, fit = unlike

    found = fit_response(replace(market.grid), market.counts, replace(CONFIG, passes=1), fit)

    np.testing.assert_allclose(found.state.shock_scale.log(), fit.state.shock_scale.log(), atol=0.2)


def test_a_missing_product_shows_in_a_calm_category():
    """In a restless one, a product of which ten were expected may have sold none for another reason."""
    market = draw_market(1, replace(UNLIKE, sizes=(4, 4), on_shelf=1.0, shock=0.6, shock_scale=(0.1, 2.0)))
    fit = fit_response(market.grid, market.counts, CONFIG)
    bought = market.counts.bought.clone()
    share = 10 / float(bought[[0, 4]].mean())
    bought, visits = (share * bought).round(), share * market.counts.visits
    bought[[0, 4], 0, 20] = 0.0

    found = find_gaps(replace(fit, counts=Counts(bought, visits))).missing[:, 20]

    assert bool(found[0])
    assert not bool(found[4])
