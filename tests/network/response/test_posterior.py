"""Draws of what the log leaves open about a category's sensitivity."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from gpu_pricer.network.response.fitting.dissimilarity import Coupling
from gpu_pricer.network.response.fitting.equations import equations
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.grid import grid as grids
from gpu_pricer.network.response.grid.grid import Counts
from gpu_pricer.network.response.posterior import STAND_INS, Deviations, _drawn, draw_deviations, posterior_table
from gpu_pricer.network.response.priors.prior_elasticity import PriorElasticity
from gpu_pricer.network.response.priors.widths import common_precision
from tests.network.response.dense import dense_system
from tests.network.response.drawn import Recipe, draw_market

CONFIG = FitConfig(passes=80, tolerance=0.002, prior_elasticity=None)
RECIPE = Recipe(sizes=(3, 2, 3), periods=8, visits=4000, on_shelf=1.0)
ALL_TAUGHT = [torch.zeros(0)] * 3


def deviations(fit, untaught, draws, seed):
    """Return those of the categories that taught."""
    return draw_deviations(fit, untaught, draws, seed).taught


def some_untaught(count):
    """Return that so many products of the middle category taught nothing."""
    return [torch.zeros(0), torch.zeros(count), torch.zeros(0)]


@pytest.fixture(scope="module")
def market():
    return draw_market(0, RECIPE)


@pytest.fixture(scope="module")
def fit(market):
    return fit_response(market.grid, market.counts, CONFIG)


def test_draws_are_around_what_the_artefact_says(fit):
    drawn = deviations(fit, ALL_TAUGHT, 4000, seed=0)

    error_of_mean = drawn.std(axis=0) / np.sqrt(4000)
    skew = drawn.var(axis=0)  # of the log of a mean
    assert drawn.shape == (4000, 2, 3)
    assert (np.abs(drawn.mean(axis=0)) < 4 * error_of_mean + skew).all()


@pytest.mark.parametrize("block", [1, 400])
@pytest.mark.parametrize("untaught", [(0, 0, 0), (1, 2, 0)])
@pytest.mark.parametrize("dissimilarity", [1.0, 0.3])
def test_draws_are_as_wide_as_the_whole_posterior(market, fit, dissimilarity, untaught, block, monkeypatch):
    """Linearised: d log Σ b = Σ b dβ / Σ b, with the covariances of the dense system and of new products' own β."""
    layout, category = fit.layout, market.grid.category.numpy()
    fit = replace(fit, state=fit.state.copy())
    fit.state.dissimilarity[:] = dissimilarity
    dense = dense_system(market, fit.state, fit.widths, common_precision(layout))
    own_variance = fit.widths.product[layout.log_sensitivity, layout.log_sensitivity].numpy()
    monkeypatch.setattr(grids, "BLOCK", block)

    drawn = deviations(fit, [torch.zeros(more) for more in untaught], 8000, seed=0)

    for g, more in enumerate(untaught):
        own = np.flatnonzero(category == g)
        expected_b = fit.category_sensitivity()[:, g].numpy()
        total = fit.sensitivity[:, own].numpy().sum(1) + more * expected_b
        rows = np.zeros((layout.segments, len(dense.gradient)))
        for s in range(layout.segments):
            beta = layout.segments + s
            for j in own:
                rows[s, dense.product(j)[beta]] = float(fit.sensitivity[s, j]) / total[s]
            rows[s, dense.category(g)[beta]] = more * expected_b[s] / total[s]
        expected = dense.covariance(rows)
        expected += more * np.outer(expected_b / total, expected_b / total) * np.expm1(own_variance)
        found = np.cov(drawn[:, :, g].T)
        np.testing.assert_allclose(np.sqrt(found.diagonal()), np.sqrt(expected.diagonal()), rtol=0.1)
        assert correlation(found) == pytest.approx(correlation(expected), abs=0.06)


def test_draws_are_wider_where_drawn_cuts_stand_for_prices_that_nobody_saw(fit):
    """Of the middle category's products half of the information on prices counts, then next to none."""
    middle = fit.grid.category == 1
    widths = []
    for left in (1.0, 0.5, 1e-9):
        information = torch.where(middle, left, fit.grid.price_information)
        part = replace(fit, grid=replace(fit.grid, price_information=information))
        widths.append(deviations(part, ALL_TAUGHT, 4000, seed=0).std(axis=0))
    full, half, none = widths

    assert (half[:, 1] > 1.05 * full[:, 1]).all()
    assert (none[:, 1] > 1.2 * half[:, 1]).all()
    np.testing.assert_allclose(half[:, [0, 2]], full[:, [0, 2]], rtol=0.05)


@pytest.mark.parametrize("dissimilarity", [0.3, 0.8, 1.0])
def test_less_information_widens_draws_of_nests_too(fit, dissimilarity):
    state = replace(fit.state, dissimilarity=torch.full_like(fit.state.dissimilarity, dissimilarity))
    widths = []
    for left in (1.0, 0.5, 0.2, 0.05):
        grid = replace(fit.grid, price_information=torch.full_like(fit.grid.price_information, left))
        solved = equations(grid, fit.counts, state, fit.widths, fit.layout, grid.price_information)
        free = solved.category_inverse[:, : solved.movers.stop, : solved.movers.stop]
        assert torch.linalg.eigvalsh(free).min() > -1e-9
        widths.append(deviations(replace(fit, grid=grid, state=state), ALL_TAUGHT, 2000, seed=0).std(axis=0))

    assert (np.diff(widths, axis=0) > 0).all()


def test_sensitivities_go_along_with_a_dissimilarity_that_is_not_known(fit):
    """A drawn γ moves the sensitivities of its category as the equations say; all else is drawn from the same noise."""
    known = replace(fit, state=fit.state.copy())
    known.state.dissimilarity[:] = 0.5
    variance = torch.tensor([0.01, 0.0, 0.0004])
    unknown = replace(known, state=replace(known.state, nest_variance=variance))
    grid, layout = fit.grid, fit.layout
    solved = equations(grid, fit.counts, known.state, fit.widths, layout)
    moved = fit.sensitivity.T * Coupling.of(grid, known.state, solved, layout).product[:, layout.log_sensitivity]
    moved = grid.sum_by_category(moved) / grid.sum_by_category(fit.sensitivity.T)
    expected = (variance.sqrt()[:, None] * moved).numpy()

    alone, found = (deviations(part, ALL_TAUGHT, 4000, seed=0) for part in (known, unknown))

    assert np.abs(expected).max() > 0.005
    np.testing.assert_allclose((found - alone).std(axis=0).T, np.abs(expected), rtol=0.1, atol=1.5e-3)


def correlation(covariance):
    """Of two segments."""
    return covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])


def test_categories_share_what_is_not_known_of_the_whole(fit):
    """With all else known, a deviation of μ moves all categories."""
    drawn = deviations(fit, ALL_TAUGHT, 2000, seed=0)
    known = replace(fit, state=replace(fit.state, mu_variance=torch.zeros_like(fit.state.mu_variance)))
    unknown = replace(fit, state=replace(fit.state, mu_variance=100 * fit.state.mu_variance))

    apart, together = (deviations(part, ALL_TAUGHT, 2000, seed=0) for part in (known, unknown))

    assert (apart.std(axis=0) <= drawn.std(axis=0) * 1.05).all()
    assert np.corrcoef(together[:, 0].T)[0, 1] > np.corrcoef(apart[:, 0].T)[0, 1]


def test_same_seed_gives_the_same_bits_and_another_seed_does_not(fit):
    first, second, other = (deviations(fit, ALL_TAUGHT, 10, seed) for seed in (3, 3, 4))

    np.testing.assert_array_equal(first, second)
    assert not (first == other).any()


def test_draws_of_segments_that_the_log_cannot_tell_apart_do_not_turn_with_rounding():
    alike = torch.full((5, 6, 6), 0.3, dtype=torch.float64) + 0.7 * torch.eye(6, dtype=torch.float64)
    noise = torch.randn(alike.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rounded = alike + 1e-15 * (noise + noise.mT)

    first, second = (_drawn(values, 200, torch.Generator().manual_seed(1)) for values in (alike, rounded))

    torch.testing.assert_close(first, second, rtol=0, atol=1e-9)
    covariance = torch.einsum("dnk,dnl->kl", first, first) / (200 * 5)
    torch.testing.assert_close(covariance, alike[0], rtol=0, atol=0.12)


def test_products_that_taught_nothing_widen_their_category_only():
    market = draw_market(0, replace(RECIPE, visits=100_000, shock=0.02))
    fit = fit_response(market.grid, market.counts, CONFIG)
    narrow = deviations(fit, ALL_TAUGHT, 4000, seed=0).std(axis=0)

    wide = deviations(fit, some_untaught(3), 4000, seed=0).std(axis=0)

    assert (wide[:, 1] > 1.2 * narrow[:, 1]).all()
    np.testing.assert_allclose(wide[:, [0, 2]], narrow[:, [0, 2]], rtol=0.1)


def test_draws_are_what_the_artefact_says_on_average_where_most_products_taught_nothing(fit):
    factor = np.exp(deviations(fit, some_untaught(30), 4000, seed=0)[:, :, 1])

    assert (np.abs(factor.mean(axis=0) - 1) < 4 * factor.std(axis=0) / np.sqrt(4000)).all()


def test_more_visits_narrow_the_draws(market, fit):
    """With a twentieth of the visits."""
    counts = market.counts
    few = fit_response(market.grid, Counts((counts.bought / 20).round(), counts.visits / 20), CONFIG)

    wide, narrow = (deviations(part, ALL_TAUGHT, 2000, seed=0).std(axis=0) for part in (few, fit))

    assert (wide > narrow).all()


def test_nine_in_ten_intervals_of_90_percent_hold_the_truth():
    """Over 60 markets, 6 intervals each; those of a market hang together, so 360 are worth about 150 independent."""
    held = []
    for seed in range(60):
        market = draw_market(100 + seed, replace(RECIPE, visits=400))
        fit = fit_response(market.grid, market.counts, FitConfig(passes=60, tolerance=0.01, prior_elasticity=None))
        low, high = np.quantile(deviations(fit, ALL_TAUGHT, 400, seed), [0.05, 0.95], axis=0)
        truth, found = (
            market.grid.sum_by_category(torch.from_numpy(np.ascontiguousarray(b))).numpy().T
            for b in (market.sensitivity, fit.sensitivity.numpy().T)
        )
        deviation = np.log(truth / found)
        held.append((low < deviation) & (deviation < high))

    error = np.sqrt(0.9 * 0.1 / 150)
    assert np.mean(held) == pytest.approx(0.9, abs=2.6 * error)


@pytest.mark.parametrize("size", [1, 4])
def test_categories_that_taught_nothing_are_as_uncertain_as_any_beside_what_all_share(fit, size):
    drawn = draw_deviations(fit, ALL_TAUGHT, 2000, 0, size=size)

    beta = fit.layout.log_sensitivity
    of_all, of_category, of_product = (
        covariance[beta, beta].diagonal().numpy()
        for covariance in (fit.state.mu_variance, fit.widths.category, fit.widths.product)
    )
    assert drawn.others.shape == (2000, 2, STAND_INS)
    assert np.exp(drawn.others).mean(axis=(0, 2)) == pytest.approx(1, abs=1e-6)
    variance = drawn.others.var(axis=0).mean(axis=1)
    expected = of_all + of_category + of_product / size
    assert variance == pytest.approx(expected, rel=0.1 if size == 1 else 0.2)  # the log of a mean is no mean of logs
    together = drawn.others.mean(axis=2)
    assert together.var(axis=0) == pytest.approx(of_all + expected / STAND_INS, rel=0.15)


def test_published_elasticities_narrow_what_is_not_known_of_categories_that_taught_nothing(fit):
    known = PriorElasticity(mean=2.6, spread=0.1, of_choices=1.0)
    informed = replace(fit, widths=replace(fit.widths, elasticity=known))

    wide, narrow = (draw_deviations(one, ALL_TAUGHT, 1000, 0).others.std() for one in (fit, informed))

    assert narrow < 0.9 * wide


def test_what_all_share_moves_categories_with_and_without_a_response_of_their_own(fit):
    many = replace(fit, state=replace(fit.state, mu_variance=25 * fit.state.mu_variance))

    drawn = draw_deviations(many, ALL_TAUGHT, 4000, 0)

    for segment in range(2):
        taught, others = (values[:, segment].mean(axis=1) for values in (drawn.taught, drawn.others))
        assert np.corrcoef(taught, others)[0, 1] > 0.3


def test_posterior_table_holds_every_draw_of_every_segment_and_category():
    rng = np.random.default_rng(0)
    drawn = Deviations(rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, STAND_INS)))

    table = posterior_table(pl.Series(["s0", "s1"]), ["a", "b", "c"], drawn)

    assert table.schema == pl.Schema(
        {
            "segment_id": pl.String,
            "category_id": pl.String,
            "stand_in": pl.Int64,
            "draw": pl.Int64,
            "log_deviation": pl.Float32,
        }
    )
    for row in table.iter_rows(named=True):
        segment = ["s0", "s1"].index(row["segment_id"])
        if row["category_id"] is None:
            expected = drawn.others[row["draw"], segment, row["stand_in"]]
        else:
            expected = drawn.taught[row["draw"], segment, "abc".index(row["category_id"])]
            assert row["stand_in"] is None
        assert row["log_deviation"] == pytest.approx(expected, rel=1e-6)
    height = 4 * 2 * (3 + STAND_INS)
    assert table.select("segment_id", "category_id", "stand_in", "draw").n_unique() == table.height == height


def test_draws_of_a_long_log_are_the_same_with_several_threads(in_threads):
    """PyTorch fails in batches of LU factorizations above 150 rows in several threads (pytorch issue 142815)."""
    market = draw_market(1, Recipe(periods=160, visits=200))
    fit = fit_response(market.grid, market.counts, replace(CONFIG, passes=3))

    one, several = (in_threads(number, lambda: deviations(fit, ALL_TAUGHT, 5, seed=0)) for number in (1, 2))

    np.testing.assert_allclose(several, one, rtol=1e-9, atol=1e-9)


def test_threads_change_no_bit_of_the_draws_of_several_blocks(fit, in_threads, monkeypatch):
    monkeypatch.setattr("gpu_pricer.network.response.grid.grid.BLOCK", 1)
    untaught = some_untaught(30)

    one, several = (in_threads(number, lambda: deviations(fit, untaught, 50, seed=0)) for number in (1, 3))

    assert len(list(fit.grid.blocks())) > 1
    np.testing.assert_array_equal(several, one)


def test_products_that_taught_nothing_may_be_drawn_some_at_a_time(fit, monkeypatch):
    whole = deviations(fit, some_untaught(30), 4000, seed=0)

    monkeypatch.setattr("gpu_pricer.network.response.posterior.SILENT_CELLS", 7 * 4000 * fit.layout.segments)
    parts = deviations(fit, some_untaught(30), 4000, seed=0)

    np.testing.assert_allclose(parts.mean(axis=0), whole.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(parts.std(axis=0), whole.std(axis=0), rtol=0.1)
