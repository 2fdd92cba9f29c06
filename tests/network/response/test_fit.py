"""The mode that the fit finds, against the penalised likelihood written out and its central differences."""

import numpy as np
import pytest

from gpu_pricer.network.segment_response.counts import CategoryCounts
from gpu_pricer.network.segment_response.fit import FitConfig, fit_response
from gpu_pricer.network.segment_response.model import Priors

SEGMENTS, WEEKS, PRODUCTS = 3, 16, 4
STEP = 1e-5


def a_category(seed, shared_shock=0.0):
    """Counts of a logit whose prices answer a demand that the whole category shares."""
    rng = np.random.default_rng(seed)
    shock = shared_shock * rng.normal(size=(WEEKS, 1))
    cost = rng.normal(0, 0.1, (WEEKS, PRODUCTS))
    move = np.exp(0.4 * shock + cost) - 1
    appeal = rng.normal(-3, 0.3, (SEGMENTS, PRODUCTS))
    sensitivity = np.exp(rng.normal(1, 0.2, (SEGMENTS, 1)))
    display = (rng.random((WEEKS, PRODUCTS)) < 0.2).astype(float)
    weight = np.exp(appeal[:, None] + shock + 0.3 * display - sensitivity[:, :, None] * move)
    visits = np.full((SEGMENTS, WEEKS), 4000.0)
    share = weight / (1 + weight.sum(axis=2, keepdims=True))
    return sensitivity, CategoryCounts(
        row=np.arange(PRODUCTS),
        on_shelf=np.ones((WEEKS, PRODUCTS), bool),
        move=move,
        surprise=np.zeros((WEEKS, PRODUCTS)),
        context=display[None],
        bought=rng.poisson(visits[:, :, None] * share).astype(float),
        visits=visits,
        appeal=appeal,
        sensitivity=np.full((SEGMENTS, PRODUCTS), 2.0),
    )


def penalised(counts, shared, own, shock, spread, persistence):
    """The log of likelihood × priors of one category, cell by cell, with a dense autoregressive covariance."""
    total = 0.0
    for s in range(SEGMENTS):
        typical = np.exp(shared["slope"][0] + shared["slope_of_segment"][s])
        for w in range(WEEKS):
            u = np.empty(PRODUCTS)
            for j in range(PRODUCTS):
                b = typical * (1 + own["slope_here"][0] + own["slope_of_segment_here"][s] + own["slope_of_product"][j])
                control = shared["control"][0] + own["control_here"][0] + own["control_of_product"][j]
                u[j] = counts.appeal[s, j] + own["level"][j] + own["taste"][s] + own["season"][w] + shock[j, w]
                u[j] += counts.context[0, w, j] * shared["context"][0] + counts.surprise[w, j] * control
                u[j] -= b * counts.move[w, j]
            nothing = counts.visits[s, w] - counts.bought[s, w].sum()
            total += counts.bought[s, w] @ u - (nothing + counts.bought[s, w].sum()) * np.log1p(np.exp(u).sum())
    lag = np.abs(np.subtract.outer(np.arange(WEEKS), np.arange(WEEKS)))
    precision = np.linalg.inv(spread["shock"] ** 2 * persistence**lag)
    total -= sum(shock[j] @ precision @ shock[j] for j in range(PRODUCTS)) / 2
    return total - sum((values**2).sum() / spread[name] ** 2 for name, values in own.items()) / 2


@pytest.fixture(scope="module")
def fitted():
    counts = [a_category(seed)[1] for seed in range(4)]
    return counts, fit_response(counts, FitConfig(steps=200, tolerance=1e-9, spread=0.3, level_spread=5.0))


def test_a_categorys_own_parameters_are_at_the_top_of_its_penalised_likelihood(fitted):
    (counts, *_), fit = fitted
    state, spread, persistence = fit.categories[0], fit.priors.spread, fit.priors.persistence

    def value(name, place, step):
        own = {n: values.copy() for n, values in state.own.items()}
        shock = state.shock.copy()
        (shock.ravel() if name == "shock" else own[name])[place] += step
        return penalised(counts, fit.shared, own, shock, spread, persistence)

    for name in (*state.own, "shock"):
        middle, up, down = (value(name, 0, step) for step in (0.0, 0.01, -0.01))
        curvature = (2 * middle - up - down) / 0.01**2
        slope = (value(name, 0, STEP) - value(name, 0, -STEP)) / (2 * STEP)
        assert abs(slope / curvature) < 2e-3, name  # of the parameter


def test_everybodys_sensitivity_is_found_though_prices_follow_the_categorys_own_demand():
    drawn = [a_category(seed, shared_shock=0.35) for seed in range(12)]
    truth = np.mean([np.log(sensitivity).mean() for sensitivity, _ in drawn])

    fit = fit_response([part for _, part in drawn], FitConfig(steps=40, tolerance=0.005, spread=0.3, level_spread=5.0))

    found = fit.shared["slope"][0] + fit.shared["slope_of_segment"].mean()
    found += np.mean([np.log(1 + state.own["slope_here"][0]) for state in fit.categories])
    assert abs(found - truth) < 3 * np.sqrt(fit.covariance[0, 0]) < 0.15


def test_shocks_have_the_precision_of_a_stationary_autoregression():
    lag = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))

    found = Priors({"shock": 0.4}, 0.7).shock_precision(6)

    np.testing.assert_allclose(found, np.linalg.inv(0.4**2 * 0.7**lag), atol=1e-9)
