"""The dissimilarity of categories, learned from markets whose categories are nests."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.network.response.applying import with_nests
from gpu_pricer.network.response.dissimilarity import learn_dissimilarity
from gpu_pricer.network.response.fit import FitConfig, fit_response
from tests.markets import small_artefact
from tests.network.response.drawn import Recipe, draw_market

CONFIG = FitConfig(passes=30, tolerance=0.05, prior_elasticity=None)
NESTS = Recipe(sizes=(4,) * 14, segments=1, periods=40, visits=2000, move=0.25, on_shelf=1.0)


@pytest.fixture(scope="module")
def nested():
    market = draw_market(0, replace(NESTS, dissimilarity=(0.3, 1.0)))
    fit = fit_response(market.grid, market.counts, CONFIG)
    return market, replace(fit, dissimilarity=learn_dissimilarity(fit).value)


def test_categories_that_hardly_answer_prices_are_told_from_those_that_do(nested):
    found = nested[1].dissimilarity.numpy()

    assert 0.15 < found[0::2].mean() < 0.55
    assert 0.85 < found[1::2].mean() <= 1
    assert found[0::2].max() < found[1::2].min()


@pytest.mark.parametrize("seed", [1, 2])
def test_logits_are_taken_for_logits(seed):
    market = draw_market(seed, NESTS)

    found = learn_dissimilarity(fit_response(market.grid, market.counts, CONFIG))

    assert float(found.value.mean()) > 0.9
    assert float(found.error.max()) < 0.3


def test_prices_that_never_move_leave_logits():
    market = draw_market(3, NESTS)
    grid = replace(market.grid, move=0 * market.grid.move, context=0 * market.grid.context)

    found = learn_dissimilarity(fit_response(grid, market.counts, CONFIG))

    np.testing.assert_allclose(found.value, 1.0, atol=1e-9)


def test_where_everybody_buys_nothing_tells_nests():
    market = draw_market(4, replace(NESTS, has_outside_option=False, dissimilarity=(0.3,)))

    found = learn_dissimilarity(fit_response(market.grid, market.counts, CONFIG))

    assert found.value.tolist() == [1.0] * market.grid.categories


def test_blocks_of_categories_change_nothing(nested, monkeypatch):
    _, fit = nested
    monkeypatch.setattr("gpu_pricer.network.response.dissimilarity.NUMBERS", 1)

    found = learn_dissimilarity(replace(fit, dissimilarity=torch.ones_like(fit.dissimilarity)))

    np.testing.assert_allclose(found.value, fit.dissimilarity, rtol=1e-9)


def test_choices_are_those_of_a_nested_logit(nested):
    """With season and shock left out, the odds of buying are V at the reference prices times the lift to the γ."""
    market, fit = nested
    grid = market.grid
    state = replace(fit.state, season=0 * fit.state.season, shock=0 * fit.state.shock)
    still = replace(fit, state=state)

    share = grid.sum_by_category(grid.shares(still.utility()))[:, 0].numpy()

    logit = replace(still, dissimilarity=torch.ones_like(fit.dissimilarity)).utility()[:, 0]
    total, level = (grid.sum_by_category(u.exp()).numpy() for u in (logit, fit.state.z[:, :1].expand_as(logit)))
    odds = level * (total / level) ** fit.dissimilarity.numpy()[:, None]
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
