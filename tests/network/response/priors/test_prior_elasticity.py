"""Published elasticities decide where the log is silent, and hardly count where it speaks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu_pricer.network.response.category_outlook import category_outlook
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.model import Layout
from gpu_pricer.network.response.priors.prior_elasticity import PriorElasticity
from gpu_pricer.network.response.priors.widths import start_widths
from tests.network.response.drawn import Recipe, draw_market

PUBLISHED = PriorElasticity(mean=2.62, spread=0.7, of_choices=0.75)
PLAIN = FitConfig(passes=60, tolerance=0.01, prior_elasticity=None)
INFORMED = replace(PLAIN, prior_elasticity=PUBLISHED)
NAMES = ["told", "silent"]


@pytest.fixture(scope="module")
def market():
    """Two categories: of the first prices move, and of the second they never do."""
    drawn = draw_market(3, Recipe(sizes=(6, 6), periods=20, visits=2000, category=0.0, product=0.1))
    silent = (drawn.grid.category == 1)[:, None]
    return replace(drawn, grid=replace(drawn.grid, move=drawn.grid.move.masked_fill(silent, 0.0)))


@pytest.fixture(scope="module")
def fits(market):
    """The fits without and with published elasticities of less than half of what the market's are."""
    low = replace(INFORMED, prior_elasticity=replace(PUBLISHED, mean=1.0, spread=0.4))
    return [fit_response(market.grid, market.counts, config) for config in (PLAIN, low)]


def test_prior_has_the_mean_elasticity_of_choices_as_its_mean():
    drawn = np.random.default_rng(0).normal(PUBLISHED.log_mean, PUBLISHED.spread, 1_000_000)

    assert np.exp(drawn).mean() == pytest.approx(0.75 * 2.62, rel=3e-3)


def test_log_decides_where_prices_moved_and_publications_where_they_did_not(market, fits):
    told, silent = ([float(fit.sensitivity[:, part].mean()) for fit in fits] for part in (slice(6), slice(6, 12)))
    truth = market.sensitivity[:6].mean()

    assert told == pytest.approx([truth, truth], rel=0.1)
    assert silent[0] == pytest.approx(told[0], rel=0.1), "without publications it is what the other category shows"
    assert 0.75 < silent[1] < 1.4, "with them it lies near what they say"


def test_categories_say_that_publications_and_not_the_log_told_them(fits):
    plain, informed = (category_outlook(fit, NAMES) for fit in fits)

    assert plain["prior_elasticity"].to_list() == [None, None]
    assert informed["prior_elasticity"].to_list() == [1.0, 1.0]
    told, silent = informed["sensitivity_from_log"]
    assert silent < 0.2 < 0.5 < told


def test_unheard_category_has_the_mean_of_what_is_known_by_its_precision():
    layout = Layout(segments=2, contexts=1)
    widths = replace(start_widths(layout), elasticity=PUBLISHED)
    mu = torch.tensor([0.1, 0.2, 0.3, 0.5, -0.4], dtype=torch.float64)

    mean, covariance = widths.category_prior(mu, layout)

    # two independent sources of the mean of two log sensitivities: one of variance .3² / 2 and one of .7²
    own, theirs = 0.3**2 / 2, 0.7**2
    expected = (0.4 / own + PUBLISHED.log_mean / theirs) / (1 / own + 1 / theirs)
    assert float(mean[2:4].mean()) == pytest.approx(expected, rel=1e-9)
    assert float(covariance[2:4, 2:4].mean()) == pytest.approx(1 / (1 / own + 1 / theirs), rel=1e-9)
    assert float(mean[3] - mean[2]) == pytest.approx(0.2, rel=1e-9)
    assert torch.equal(mean[[0, 1, 4]], mu[[0, 1, 4]])


@pytest.mark.parametrize("wrong", [{"mean": -2.6}, {"spread": 0.0}, {"of_choices": 1.5}, {"mean": "high"}])
def test_other_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=f"response.fit.prior_elasticity.{next(iter(wrong))}"):
        replace(PUBLISHED, **wrong)
