"""The elimination by blocks against the whole Gaussian system written out, and its gradient against autograd's."""

import numpy as np
import pytest
import torch

from gpu_pricer.network.response.fitting import newton
from gpu_pricer.network.response.fitting.equations import equations
from gpu_pricer.network.response.fitting.newton import learned_widths, newton_pass
from gpu_pricer.network.response.grid import grid as grids
from gpu_pricer.network.response.priors.widths import common_precision
from tests.network.response.dense import autoregressive_covariance, dense_system, log_posterior
from tests.network.response.drawn import Recipe, draw_market, some_state, some_widths

SMALL = Recipe(sizes=(3, 1, 2), periods=6, visits=500)
LOGITS, NESTS = (1.0,), (0.3, 1.0, 0.7)


@pytest.fixture
def unbounded(monkeypatch):
    monkeypatch.setattr(newton, "LONGEST_STEP", float("inf"))


@pytest.mark.parametrize("has_outside_option", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_gradient_is_that_of_the_log_posterior(seed, has_outside_option):
    market = draw_market(seed, Recipe(**{**vars(SMALL), "has_outside_option": has_outside_option}))
    layout = market.layout
    widths, weak = some_widths(seed, layout), torch.full((layout.width,), 1e-12, dtype=torch.float64)
    state = some_state(seed, market, uncertain=False)
    names = ("z", "shock", "theta", "season", "mu")
    for name in names:
        getattr(state, name).requires_grad_()
    expected = torch.autograd.grad(log_posterior(market, state, widths, weak), [getattr(state, name) for name in names])
    for name in names:
        getattr(state, name).requires_grad_(False)

    solved = equations(market.grid, market.counts, state, widths, layout)

    product = torch.linalg.solve(solved.inverse, solved.step)
    eliminated = torch.linalg.solve(solved.category_inverse, solved.category_step)
    beside = torch.cat([torch.zeros_like(product[:, : layout.width]), product[:, layout.width :]], dim=1)
    prior = solved.prior.of_products(market.grid.category).times(solved.step[:, :, None])[:, :, 0]
    category = eliminated + market.grid.sum_by_category(beside - prior)
    common = solved.common_gradient - (solved.follows * eliminated[:, :, None]).sum((0, 1))
    found = (product[:, : layout.width], product[:, layout.width :], category[:, : layout.width],
             category[:, layout.width :], common)  # fmt: skip
    for name, of_code, of_autograd in zip(names, found, expected, strict=True):
        np.testing.assert_allclose(of_code, of_autograd, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("dissimilarity", [LOGITS, NESTS])
@pytest.mark.parametrize("seed", range(3))
def test_pass_is_the_newton_step_of_the_whole_system(seed, dissimilarity, unbounded):
    """Products follow μ only in the next pass, so that their step is the one with μ held."""
    market = draw_market(seed, SMALL)
    layout, grid = market.layout, market.grid
    widths, state = some_widths(seed, layout), some_state(seed, market, True, dissimilarity)
    dense = dense_system(market, state, widths, common_precision(layout))
    before = {name: getattr(state, name).clone() for name in ("z", "theta", "mu", "season", "shock")}

    newton_pass(grid, market.counts, state, widths, 1.0)

    moved = {name: (getattr(state, name) - values).numpy() for name, values in before.items()}
    step, held = dense.step(), dense.step(is_common_free=False)
    of_product = np.stack([held[dense.product(j)] for j in range(len(grid.row))])
    of_category = np.stack([step[dense.category(g)] for g in range(grid.categories)])
    np.testing.assert_allclose(np.concatenate([moved["z"], moved["shock"]], axis=1), of_product, atol=1e-9)
    np.testing.assert_allclose(np.concatenate([moved["theta"], moved["season"]], axis=1), of_category, atol=1e-9)
    np.testing.assert_allclose(moved["mu"], step[dense.common], atol=1e-9)


@pytest.mark.parametrize("dissimilarity", [LOGITS, NESTS])
@pytest.mark.parametrize("seed", range(3))
def test_uncertainty_is_that_of_the_whole_system(seed, dissimilarity, unbounded):
    market = draw_market(seed, SMALL)
    layout, grid = market.layout, market.grid
    widths, state = some_widths(seed, layout), some_state(seed, market, True, dissimilarity)
    dense = dense_system(market, state, widths, common_precision(layout))
    known = dense.covariance(dense.unit(dense.common))
    state.mu_variance = torch.from_numpy(known)
    prior = equations(grid, market.counts, state, widths, layout).prior
    expected = expected_moments(dense, state, grid, widths)

    moments = newton_pass(grid, market.counts, state, widths, 1.0)

    np.testing.assert_allclose(state.mu_variance, known, atol=1e-10)
    beta = np.arange(layout.segments, 2 * layout.segments)
    for j, g in enumerate(grid.category.tolist()):
        rows = dense.unit(dense.product(j))
        rows[layout.width :] += dense.unit(dense.category(g)[layout.width :])  # the utility holds shock + season
        both = dense.covariance(np.concatenate([rows, dense.unit(dense.category(g))]))
        covariance, with_category = np.split(both[: len(rows)], 2, axis=1)
        precision = (prior.weight[g, :, None] * prior.matrix).numpy()
        of_log = np.eye(len(rows)) - (covariance - with_category) @ precision  # the information but the prior's
        np.testing.assert_allclose(state.variance[j], covariance.diagonal()[beta], atol=1e-10)
        np.testing.assert_allclose(state.pull[j], of_log.diagonal()[beta], atol=1e-9)
    found = vars(moments) | {
        "product": moments.product.second,
        "category": moments.category.second,
        "told_effect": moments.product.told_effect,
        "shock": (moments.shock.second_moments, moments.shock.covariance),
        "season": (moments.season.second_moments, moments.season.covariance),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-8, err_msg=name)


def test_moments_are_those_of_the_whole_step_however_much_of_it_is_taken():
    market = draw_market(0, SMALL)
    widths = some_widths(0, market.layout)

    whole, none = (
        newton_pass(market.grid, market.counts, some_state(0, market, uncertain=True), widths, damping)
        for damping in (1.0, 0.0)
    )

    assert_same_moments(whole, none)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_the_step_is_taken(share):
    market = draw_market(0, SMALL)
    widths = some_widths(0, market.layout)
    before, whole, part = (some_state(0, market, uncertain=True) for _ in range(3))

    newton_pass(market.grid, market.counts, whole, widths, 1.0)
    newton_pass(market.grid, market.counts, part, widths, share)

    for name in ("z", "theta", "mu", "season", "shock"):
        start, end = getattr(before, name), getattr(whole, name)
        np.testing.assert_allclose(getattr(part, name), start + share * (end - start), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_the_step_in_posterior_standard_deviations(seed, unbounded):
    """Of appeals and of log sensitivities, given their categories and μ."""
    market = draw_market(seed, SMALL)
    grid, layout, widths = market.grid, market.layout, some_widths(seed, market.layout)
    before, after = (some_state(seed, market, uncertain=True) for _ in range(2))

    moments = newton_pass(grid, market.counts, after, widths, 1.0)

    left = equations(grid, market.counts, before, widths, layout).inverse.diagonal(dim1=1, dim2=2)
    square = (after.z - before.z).square() / left[:, : layout.width]
    expected = [square[:, kind].mean() ** 0.5 for kind in (layout.appeal, layout.log_sensitivity)]
    np.testing.assert_allclose(moments.mean_distance, expected, rtol=1e-9)


@pytest.mark.parametrize(("distance", "told"), [(0.0, [0.0, 0.0]), (1e9, [1.0, 1.0])])
def test_widths_take_longer_steps_only_where_the_search_has_settled(distance, told):
    """A step is lengthened by what the log tells once nothing moves, and not at all while all moves far."""
    market = draw_market(1, SMALL)
    widths, state = some_widths(1, market.layout), some_state(1, market, uncertain=True)
    moments = newton_pass(market.grid, market.counts, state, widths, 1.0)
    moments.distance = torch.full((2,), distance, dtype=torch.float64)

    found = learned_widths(moments, widths)

    least = torch.tensor(told, dtype=torch.float64)
    for name in ("product", "category"):
        expected = getattr(moments, name).told_at_least(least).learned()
        np.testing.assert_allclose(getattr(found, name), expected, err_msg=name)
        longest, shortest = (
            getattr(moments, name).told_at_least(torch.full((2,), share)).learned() for share in (0, 1)
        )
        assert not torch.allclose(longest, shortest)


@pytest.mark.parametrize("seed", range(3))
def test_categories_moments_hold_what_this_pass_knows_of_mu(seed, unbounded):
    """With the uncertainty that the last pass left, the widths of a log of one category never come to rest."""
    market = draw_market(seed, SMALL)
    widths, state = some_widths(seed, market.layout), some_state(seed, market, uncertain=True)
    dense = dense_system(market, state, widths, common_precision(market.layout))
    state.mu_variance = 9 * torch.eye(market.layout.width, dtype=torch.float64)

    expected = expected_moments(dense, state, market.grid, widths)["category"]

    moments = newton_pass(market.grid, market.counts, state, widths, 1.0)

    np.testing.assert_allclose(moments.category.second, expected, atol=1e-8)


def expected_moments(dense, state, grid, widths):
    """Return the moments after a whole step from the state, from the inverse of the whole precision.

    They are second moments of z − θ and θ − μ, the settled shares of effects in z − θ, of shocks and seasons the
    moments of their means and their covariance, and what is known of the variances of the categories' shocks.
    Products, and what they are compared with, follow μ only in the next pass.
    """
    width, periods = dense.width, dense.periods
    expected = dict.fromkeys(("product", "category", "told_effect"), 0.0)
    expected |= {"shock": np.zeros((2, periods, periods)), "season": np.zeros((2, periods, periods))}
    expected["shock_variance"] = np.zeros((grid.categories, 2))
    precision = np.linalg.inv(autoregressive_covariance(widths.shock, periods))
    at = [(state.z, state.shock), (state.theta, state.season)]
    at = np.concatenate([*(torch.cat(pair, dim=1).flatten() for pair in at), state.mu])
    held, moved = at + dense.step(is_common_free=False), at + dense.step()
    for j, g in enumerate(grid.category.tolist()):
        rows = dense.unit(dense.product(j)[:width]) - dense.unit(dense.category(g)[:width])
        covariance = dense.covariance(rows)
        expected["product"] += covariance + square(rows @ held)
        left = covariance.diagonal() / widths.product.diagonal().numpy()
        expected["told_effect"] += (1 - left[2 * state.pull.shape[1] :]) ** 2
        rows = dense.unit(dense.product(j)[width:])
        series = np.stack([square(rows @ held), dense.covariance(rows)]) / float(state.shock_scale[g]) ** 2
        expected["shock"] += series
        of_log = np.eye(periods) - precision @ series[1]
        gradient = np.trace(precision @ series.sum(0)) - periods
        expected["shock_variance"][g] += gradient / 2, np.trace(of_log @ of_log) / 2
    for g in range(grid.categories):
        rows = dense.unit(dense.category(g)[:width]) - dense.unit(dense.common)
        expected["category"] += dense.covariance(rows) + square(rows @ moved)
        rows = dense.unit(dense.category(g)[width:])
        expected["season"] += np.stack([square(rows @ moved), dense.covariance(rows)])
    return expected


def square(value):
    """The outer product of a vector with itself."""
    return np.outer(value, value)


def assert_same_moments(found, expected):
    assert found.distance == pytest.approx(expected.distance, abs=1e-10)
    for name in ("product", "category", "shock", "season"):
        for field, values in vars(getattr(expected, name)).items():
            if isinstance(values, torch.Tensor):
                own = getattr(getattr(found, name), field)
                np.testing.assert_allclose(own, values, atol=1e-10, err_msg=f"{name}.{field}")


@pytest.mark.parametrize("block", [1, 3, 4])
def test_blocks_of_categories_change_nothing(block, monkeypatch):
    market = draw_market(5, SMALL)
    widths = some_widths(5, market.layout)

    def after_two_passes():
        state = some_state(5, market, uncertain=False)
        moments = [newton_pass(market.grid, market.counts, state, widths, 0.7) for _ in range(2)][-1]
        return vars(state), moments

    whole, of_whole = after_two_passes()
    monkeypatch.setattr(grids, "BLOCK", block)
    assert len(list(market.grid.blocks())) > 1

    found, moments = after_two_passes()
    assert_same_moments(moments, of_whole)
    for name, values in found.items():
        np.testing.assert_allclose(values, whole[name], atol=1e-10, err_msg=name)


def test_blocks_are_complete_categories_that_cover_all_products(monkeypatch):
    grid = draw_market(0, SMALL).grid
    monkeypatch.setattr(grids, "BLOCK", 4)

    blocks = list(grid.blocks())

    assert blocks == [(slice(0, 4), slice(0, 2)), (slice(4, 6), slice(2, 3))]


def test_no_coefficient_moves_further_in_a_pass_than_allowed():
    market = draw_market(1, SMALL)
    state = some_state(1, market, uncertain=False)
    state.z += 3.0
    before = state.z.clone()

    newton_pass(market.grid, market.counts, state, some_widths(1, market.layout), 1.0)

    assert float((state.z - before).abs().max()) == pytest.approx(newton.LONGEST_STEP)
