"""What is told of whole categories is what the posterior of everything says of them."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from gpu_pricer.network.response.category_outlook import category_outlook
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.priors.widths import common_precision
from tests.network.response.dense import dense_system
from tests.network.response.drawn import Recipe, draw_market

CONFIG = FitConfig(passes=60, tolerance=0.005, prior_elasticity=None)
NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def market():
    return draw_market(0, Recipe(sizes=(3, 2, 3), periods=8, on_shelf=1.0))


@pytest.fixture(scope="module")
def fit(market):
    return fit_response(market.grid, market.counts, CONFIG)


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_interval_of_the_season_holds_what_is_unknown_of_it_and_what_may_still_come(market, fit, ahead):
    dense = dense_system(market, fit.state, fit.widths, common_precision(fit.layout))
    season = fit.widths.season

    found = category_outlook(replace(fit, grid=replace(fit.grid, periods_ahead=ahead)), NAMES)

    for g, row in enumerate(found.to_dicts()):
        last = dense.unit(dense.category(g)[[-1]])
        kept = season.persistence**ahead
        mean = kept * float(fit.state.season[g, -1])
        spread = np.sqrt(kept**2 * dense.covariance(last).item() + (1 - kept**2) * season.spread**2)
        ends = NormalDist(mean, spread)
        assert row["category_id"] == NAMES[g]
        assert row["season"] == pytest.approx(mean, abs=1e-9)
        assert row["season_low"] == pytest.approx(ends.inv_cdf(0.05), rel=0.02, abs=1e-3)
        assert row["season_high"] == pytest.approx(ends.inv_cdf(0.95), rel=0.02, abs=1e-3)


def test_share_from_the_log_is_by_how_much_it_lowers_the_variance_of_the_sensitivities(market, fit):
    layout, widths = fit.layout, fit.widths
    dense = dense_system(market, fit.state, widths, common_precision(layout))
    prior = (widths.product + widths.category).diagonal()[layout.log_sensitivity].numpy()

    found = category_outlook(fit, NAMES)["sensitivity_from_log"].to_numpy()

    for g, share in enumerate(found):
        places = [dense.product(j)[layout.log_sensitivity] for j in np.flatnonzero(market.grid.category == g)]
        left = [dense.covariance(dense.unit(place)).diagonal() / prior for place in places]
        assert share == pytest.approx(1 - np.mean(left), abs=0.01)
        assert 0.5 < share < 1
