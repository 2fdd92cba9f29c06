"""The dissimilarity of categories, learned from markets whose categories are nests."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import norm

from gpu_pricer.network.response.applying import with_nests
from gpu_pricer.network.response.fitting.dissimilarity import MOST, Coupling, Nests
from gpu_pricer.network.response.fitting.equations import equations
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.fitting.newton import newton_pass
from gpu_pricer.network.response.grid.grid import Counts
from gpu_pricer.network.response.model import utility
from gpu_pricer.network.response.priors.widths import common_precision
from tests.markets import small_artefact
from tests.network.response.dense import cells_of, dense_system
from tests.network.response.drawn import Recipe, draw_market, some_state, some_widths

CONFIG = FitConfig(passes=30, tolerance=0.05, prior_elasticity=None)
NESTS = Recipe(sizes=(4,) * 14, segments=1, periods=40, visits=2000, move=0.25, on_shelf=1.0)


def fitted(market, grid=None):
    """Return the fit of a market with nests, and what was learned of them."""
    grid = market.grid if grid is None else grid
    nests = Nests.of(grid)
    return fit_response(grid, market.counts, CONFIG, nests=nests), nests


@pytest.fixture(scope="module")
def nested():
    market = draw_market(0, replace(NESTS, dissimilarity=(0.3, 1.0)))
    return market, *fitted(market)


def test_categories_that_hardly_answer_prices_are_told_from_those_that_do(nested):
    found = nested[1].state.dissimilarity.numpy()

    assert 0.15 < found[0::2].mean() < 0.45
    assert 0.9 < found[1::2].mean() <= 1
    assert found[0::2].max() < found[1::2].min()


def test_errors_cover_what_is_found(nested):
    market, fit, _ = nested
    truth, variance = np.resize([0.3, 1.0], market.grid.categories), fit.state.nest_variance.numpy()

    away = (fit.state.dissimilarity.numpy() - truth)[variance > 0] / np.sqrt(variance[variance > 0])

    assert (variance[fit.state.dissimilarity.numpy() == 1] == 0).all()
    assert len(away) >= 7
    assert np.abs(away).max() < 3


def test_dissimilarities_above_one_have_a_limit_and_end_as_logits():
    """Markdowns of whole categories may draw in more buyers than a logit says, so that the likeliest γ is above 1."""
    fit, nests = fitted(draw_market(0, replace(NESTS, dissimilarity=(2.0,))))

    assert float(nests.likeliest.median()) > MOST
    assert MOST - 0.01 < float(fit.state.open_dissimilarity.max()) <= MOST
    assert (fit.state.dissimilarity == 1).all()
    assert fit.require_settled() is fit


@pytest.mark.parametrize("visits", [40, 300, 3000])
def test_logits_are_taken_for_logits(visits):
    market = draw_market(1, replace(NESTS, visits=visits))
    plain = fit_response(market.grid, market.counts, CONFIG)

    fit, _ = fitted(market)

    assert float(fit.state.dissimilarity.mean()) > 0.96
    assert float(fit.state.nest_variance.max()) < 0.3**2
    np.testing.assert_allclose(fit.sensitivity.mean(), plain.sensitivity.mean(), rtol=0.01)


@pytest.mark.parametrize("visits", [300, 1000])
def test_evidence_for_logits_leaves_none_away_from_one(visits):
    """Half of the likeliest dissimilarities lie below 1 by chance."""
    fit, nests = fitted(draw_market(0, replace(NESTS, visits=visits)))

    assert nests.bayes_factor < 1
    assert (nests.likeliest < 1).any()
    assert (fit.state.dissimilarity == 1).all()


def test_what_a_log_leaves_open_of_nests_stays_open():
    """A Bayes factor near 1 tells neither nests nor logits."""
    fit, nests = fitted(draw_market(2, replace(NESTS, visits=300)))

    assert 1 < nests.bayes_factor < 3
    assert (fit.state.nest_variance > 0).any()


def test_evidence_for_nests_is_that_of_the_integral_over_their_spread(nested):
    """Of the product over categories, each with a Gaussian likelihood, by the trapezoidal rule."""
    nests = nested[2]
    spread = np.geomspace(0.02, 1, 20_001)
    error = np.sqrt(1 / nests.information.numpy())
    known, left = nests.likeliest.numpy(), np.sqrt(spread[:, None] ** 2 + error**2)
    of_spread = norm.logpdf(known, 1, left).sum(1) - norm.logpdf(known, 1, error).sum()

    mean = np.trapezoid(np.exp(of_spread - of_spread.max()), np.log(spread)) / np.log(50)

    assert np.log(nests.bayes_factor) == pytest.approx(of_spread.max() + np.log(mean), rel=1e-3)
    assert nests.bayes_factor > 1e6


def test_what_else_was_learned_follows_dissimilarities_that_went_to_one():
    """On Complete Journey levels and seasons that had not cost up to half of what nests gain in held-out weeks."""
    market = draw_market(1, replace(NESTS, visits=300, dissimilarity=(0.9,)))
    grid, visits, (fit, _) = market.grid, market.counts.visits, fitted(market)

    def expected(state):
        share = grid.sum_by_category(grid.shares(utility(grid, state, fit.layout)))
        return (visits * share).sum((1, 2)).numpy()

    further = fit.state.copy()
    for _ in range(5):
        newton_pass(grid, market.counts, further, fit.widths, 0.8)

    assert (fit.state.dissimilarity == 1).any()
    np.testing.assert_allclose(expected(fit.state), expected(further), rtol=0.003)


def test_another_search_starts_where_the_log_had_the_dissimilarities(monkeypatch):
    """Before those that it hardly tells from 1 were set to 1, from where they would have to leave again."""
    market, starts = draw_market(1, replace(NESTS, visits=300)), []

    def recorded(grid, counts, state, *others):
        starts.append(state.dissimilarity.clone())
        return newton_pass(grid, counts, state, *others)

    found = fit_response(market.grid, market.counts, CONFIG, nests=Nests.of(market.grid))
    monkeypatch.setattr("gpu_pricer.network.response.fitting.fit.newton_pass", recorded)
    fit_response(market.grid, market.counts, replace(CONFIG, passes=1), found, Nests.of(market.grid))

    assert (found.state.dissimilarity == 1).all()
    assert (starts[0] != 1).all()
    assert torch.equal(starts[0], found.state.open_dissimilarity)


def test_the_spread_is_learned_from_the_log_and_not_from_the_spread_before():
    """Where it was, the spread of logits went to and fro between its ends, and no pass settled."""
    market = draw_market(1, replace(NESTS, visits=300))
    found = []
    for before in (0.02, 1.0):
        nests = replace(Nests.of(market.grid), spread=before)
        fit = fit_response(market.grid, market.counts, replace(CONFIG, passes=4))
        newton_pass(market.grid, market.counts, fit.state, fit.widths, 0.8, nests)
        nests.learn_spread()
        found.append(nests.spread)

    assert found[0] == found[1] <= 0.2


@pytest.mark.parametrize("dissimilarity", [(1.0,), (0.3, 1.0, 0.7)])
@pytest.mark.parametrize("seed", range(3))
def test_dissimilarities_move_as_in_the_whole_system(seed, dissimilarity):
    """γ, whose derivative is x in every cell of its category, is eliminated last; μ is held."""
    market = draw_market(seed, Recipe(sizes=(3, 1, 2), periods=6, visits=500))
    grid, layout = market.grid, market.layout
    state, widths = some_state(seed, market, True, dissimilarity), some_widths(seed, layout)
    dense = dense_system(market, state, widths, common_precision(layout))
    cross, own, pulled = nest_terms(market, state, dense)

    found = Coupling.of(grid, state, equations(grid, market.counts, state, widths, layout), layout)

    kept = np.arange(len(dense.gradient) - layout.width)
    inverse = np.linalg.inv(dense.precision[np.ix_(kept, kept)])
    for g in range(grid.categories):
        c = cross[g][kept]
        np.testing.assert_allclose(found.information[g], own[g] - c @ inverse @ c, rtol=1e-7)
        np.testing.assert_allclose(found.gradient[g], pulled[g] - c @ inverse @ dense.gradient[kept], atol=1e-7)
        of_category = dense.category(g)
        np.testing.assert_allclose(found.category[g, : len(of_category)], -(inverse @ c)[of_category], atol=1e-9)
        by_common = dense.precision[np.ix_(dense.common, kept)] @ inverse @ c
        np.testing.assert_allclose(found.common[g], -by_common, atol=1e-9)


def nest_terms(market, state, dense):
    """Return, by category, the information that ties γ to all unknowns, its own, and its gradient, cell by cell."""
    cross, own, pulled = np.zeros((market.grid.categories, len(dense.gradient))), *np.zeros((2, market.grid.categories))
    for cell in cells_of(market, state, dense):
        g = market.grid.category[cell.product]
        cross[g] += cell.weight * cell.lift * cell.row
        own[g] += cell.weight * cell.lift**2
        pulled[g] += cell.residual * cell.lift
    return cross, own, pulled


def test_prices_that_never_move_leave_logits(caplog):
    market = draw_market(3, NESTS)
    grid = replace(market.grid, move=0 * market.grid.move, context=0 * market.grid.context)

    with caplog.at_level("INFO"):
        fit = fitted(market, grid)[0]

    assert fit.state.dissimilarity.tolist() == [1.0] * grid.categories
    assert "it is below 1 in 0; in the other 14 the log does not speak for a nest" in caplog.text


def test_a_single_product_has_nothing_to_switch_to():
    market = draw_market(5, replace(NESTS, sizes=(1,) * 6 + (4,) * 6, dissimilarity=(0.3,)))

    found = fitted(market)[0].state.dissimilarity.numpy()

    assert (found[:6] == 1).all()
    assert found[6:].max() < 0.8


def test_own_elasticities_are_those_of_nests_where_a_logit_has_others():
    """At reference prices they are −b (1 − s (1 − γ (1 − Q))), with the product's share s of the category's Q."""
    truth = (0.2, 0.6, 1.0)
    market = draw_market(6, replace(NESTS, sizes=(4,) * 15, dissimilarity=truth))
    category = market.grid.category.numpy()
    gamma = np.resize(truth, category[-1] + 1)[category]

    def elasticities(appeal, sensitivity, dissimilarity):
        total = np.bincount(category, np.exp(appeal))[category]
        left = 1 / (1 + total)
        return -sensitivity * (1 - np.exp(appeal) / total * (1 - dissimilarity * left))

    def ratios(fit):
        appeal, found = fit.state.z[:, 0].numpy(), fit.state.dissimilarity.numpy()[category]
        ours = elasticities(appeal, fit.sensitivity[0].numpy(), found)
        apart = ours / elasticities(market.appeal[:, 0], market.sensitivity[:, 0], gamma)
        return [apart[gamma == value].mean() for value in truth]

    plain, nested = ratios(fit_response(market.grid, market.counts, CONFIG)), ratios(fitted(market)[0])

    np.testing.assert_allclose(nested, 1.0, atol=0.1)
    assert plain[0] > 1.1


def test_a_fit_of_segments_keeps_the_dissimilarities_of_all_users(nested):
    market, pooled, _ = nested
    half = Counts(market.counts.bought.expand(-1, 2, -1) / 2, market.counts.visits.expand(-1, 2, -1) / 2)

    fit = fit_response(market.grid, half, CONFIG, pooled)

    assert fit.state.dissimilarity.tolist() == pooled.state.dissimilarity.tolist()
    np.testing.assert_allclose(fit.sensitivity.mean(), pooled.sensitivity.mean(), rtol=0.03)


def test_choices_are_those_of_a_nested_logit(nested):
    """With season and shock left out, the odds of buying are V at the reference prices times the lift to the γ."""
    market, fit, _ = nested
    grid, state = market.grid, fit.state
    still = replace(fit, state=replace(state, season=0 * state.season, shock=0 * state.shock))
    logits = replace(still, state=replace(still.state, dissimilarity=torch.ones_like(state.dissimilarity)))

    share = grid.sum_by_category(grid.shares(still.utility()))[:, 0].numpy()

    logit = logits.utility()[:, 0]
    total, level = (grid.sum_by_category(u.exp()).numpy() for u in (logit, state.z[:, :1].expand_as(logit)))
    odds = level * (total / level) ** state.dissimilarity.numpy()[:, None]
    np.testing.assert_allclose(share, odds / (1 + odds), rtol=1e-9)


def test_nests_sell_at_reference_prices_what_logits_sell():
    artefact = small_artefact(0, segments=2, products=12, categories=4, form="dense")
    products = artefact.products
    names = products["category_id"].unique(maintain_order=True)
    gamma = dict(zip(names, np.linspace(0.2, 1.0, len(names)), strict=True))
    categories = pl.DataFrame({"category_id": names, "dissimilarity": list(gamma.values())})

    found = with_nests(artefact, categories)

    for name, value in gamma.items():
        rows = (products["category_id"] == name).to_numpy() & products["product_id"].is_not_null().to_numpy()
        before, after = (
            products["availability"].to_numpy()[rows] * np.exp(a.factors["appeal"][:, rows].astype(np.float64))
            for a in (artefact, found)
        )
        np.testing.assert_allclose(after.sum(1) ** value, before.sum(1), rtol=1e-4)
        np.testing.assert_allclose(after / after.sum(1)[:, None], before / before.sum(1)[:, None], rtol=1e-4)
