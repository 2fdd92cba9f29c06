"""The bend of the response to prices, on markets of users whose utility falls with the price, or with its log."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.network.model.price_bend import bent, steepness
from gpu_pricer.network.response.bend import _score, learned_bend, regression
from gpu_pricer.network.segments.user_scores import user_scores
from gpu_pricer.network.segments.user_slopes import user_slopes
from tests.network.segments.user_log import draw

TYPES = (1.0, 2.0, 4.0, 6.0)
DEPTHS = np.tile([0.1, 0.2, 0.4, 0.6], 3)  # of the products' cuts


def found(bend, seed=0, **unlike):
    drawn = draw(TYPES, users=2500, periods=60, seed=seed, bend=bend, **unlike)
    slope = torch.from_numpy(user_slopes(user_scores(drawn.pooled, drawn.log)))
    return learned_bend(drawn.pooled, drawn.log, slope)


@pytest.mark.parametrize("seed", range(3))
def test_users_unlike_each_other_are_not_taken_for_a_bent_response(seed):
    """Their sum is bent: those who answer prices least are left where prices are high."""
    assert found(0.0, seed) < 0.25


@pytest.mark.parametrize("seed", range(3))
def test_response_to_the_log_of_the_price_is_told_from_one_to_the_price(seed):
    assert found(1.0, seed) > 0.7


def cuts(seed, periods=60):
    """Price moves in which each product has cuts of its own depth, in three of ten periods."""
    rng = np.random.default_rng(50 + seed)
    depth = DEPTHS[:, None] + rng.normal(0, 0.02, (len(DEPTHS), periods))
    return -depth.clip(0, 0.7) * (rng.random(depth.shape) < 0.3)


@pytest.mark.parametrize("seed", range(3))
def test_a_bent_response_is_found_where_products_have_cuts_of_different_depths(seed):
    """Sensitivities that were learned without a bend are higher where cuts are deep."""
    assert found(1.0, seed, moves=cuts(seed)) > 0.7


@pytest.mark.parametrize("seed", range(3))
def test_products_of_unlike_sensitivity_and_depth_of_cuts_are_not_taken_for_a_bent_response(seed):
    assert found(0.0, seed, moves=cuts(seed), steepness=2 * np.sqrt(DEPTHS)) < 0.15


def test_a_log_of_few_purchases_tells_no_bend(caplog):
    drawn = draw((2.0,), users=40, periods=8, bend=1.0)

    with caplog.at_level("INFO"):
        bend = learned_bend(drawn.pooled, drawn.log, torch.ones(40))

    assert bend == 0
    assert caplog.text.rstrip().endswith("taken as 0.00")


def test_threads_change_no_bit_of_the_bend(in_threads, monkeypatch):
    drawn = draw(TYPES, users=300, bend=1.0)
    monkeypatch.setattr("gpu_pricer.network.response.grid.BLOCK", 3)

    one, several = (in_threads(k, lambda: learned_bend(drawn.pooled, drawn.log, torch.ones(300))) for k in (1, 3))

    assert one == several > 0


def test_prices_that_rest_tell_no_bend():
    drawn = draw((2.0,), users=200)
    resting = replace(drawn.grid, move=torch.zeros_like(drawn.grid.move))

    assert learned_bend(replace(drawn.pooled, grid=resting), drawn.log, torch.ones(200)) == 0


def test_score_and_information_are_those_of_a_regression_with_dummies():
    """Levels of products, and of periods of categories, of each group: their dummies, and Newton's method."""
    drawn = draw((1.5, 4.0), users=200, periods=6)
    grid, groups = drawn.grid, 2
    bought = drawn.log.counts(grid, torch.from_numpy(drawn.type)[:, None].expand(200, 6), groups).bought
    rng = np.random.default_rng(0)
    own, offset = torch.from_numpy(rng.uniform(1, 4, (12, groups))), torch.from_numpy(rng.normal(0, 0.1, (12, 6)))
    coefficient = torch.tensor([0.8, 0.4], dtype=torch.float64)

    at_rest = torch.zeros(12, dtype=torch.float64)
    found = _score(grid, bought, own, offset, at_rest, coefficient, precision=1e12)

    cells = np.argwhere((grid.on_shelf.numpy()[:, None] > 0).repeat(groups, 1))
    product, group, period = cells.T
    category, move = grid.category.numpy()[product], grid.move.numpy()[product, period]
    b = own.numpy()[product, group]
    columns = np.stack([-b * move, b * (move - np.log1p(move))], axis=1)
    keys = [product * groups + group, (category * groups + group) * 6 + period]
    dummies = np.hstack([np.eye(key.max() + 1)[key] for key in keys])
    counts, known = bought.numpy()[product, group, period], columns @ coefficient.numpy()
    known += offset.numpy()[product, period]
    level = np.zeros(dummies.shape[1])
    for _ in range(30):
        expected = np.exp(known + dummies @ level)
        curvature = dummies.T @ (expected[:, None] * dummies) + 1e-9 * np.eye(len(level))
        level += np.linalg.solve(curvature, dummies.T @ (counts - expected)).clip(-2, 2)
    expected = np.exp(known + dummies @ level)
    root = np.sqrt(expected)[:, None]
    left = columns - dummies @ np.linalg.lstsq(root * dummies, root * columns, rcond=None)[0]
    np.testing.assert_allclose(found.gradient.sum(0), left.T @ (counts - expected), atol=0.05)
    np.testing.assert_allclose(found.information, left.T @ (expected[:, None] * left), rtol=0.01)


def test_regression_is_the_dense_one_with_dummies_and_a_random_effect_of_each_product():
    """Dummies as above; the departures have a normal prior, as in a ridge regression."""
    drawn, precision = draw((2.0,), users=300, periods=12, bend=1.0, steepness=np.tile([0.5, 0.8, 1.2, 1.5], 3)), 9.0
    grid, bought = drawn.grid, drawn.log.counts(drawn.grid, torch.zeros(300, 12, dtype=torch.int64), 1).bought
    own, offset = torch.full((12, 1), 2.0, dtype=torch.float64), torch.zeros(12, 12, dtype=torch.float64)

    found = regression(grid, bought, own, offset, precision)

    product, period = np.argwhere(grid.on_shelf.numpy() > 0).T
    category, move = grid.category.numpy()[product], grid.move.numpy()[product, period]
    falls, bends = -2 * move, 2 * (move - np.log1p(move))
    levels = np.hstack([np.eye(key.max() + 1)[key] for key in (product, category * 12 + period)])
    design = np.column_stack([falls, bends, np.eye(12)[product] * falls[:, None], levels])
    prior = np.diag([1.0, 1.0, *[precision] * 12, *[1e-9] * levels.shape[1]])
    counts, effect, centre = bought.numpy()[product, 0, period], np.zeros(design.shape[1]), np.zeros(design.shape[1])
    effect[0] = centre[0] = 1.0
    for _ in range(50):
        expected = np.exp(design @ effect)
        curvature = design.T @ (expected[:, None] * design) + prior
        effect += np.linalg.solve(curvature, design.T @ (counts - expected) - prior @ (effect - centre)).clip(-1, 1)
    np.testing.assert_allclose(found.coefficient, effect[:2], atol=0.005)
    assert float(found.inverse[1, 1]) == pytest.approx(np.linalg.inv(curvature)[1, 1], rel=0.05)


@given(st.floats(-0.8, 3.0), st.floats(0.0, 1.0))
def test_steepness_is_the_slope_of_the_bent_move_and_positive(move, bend):
    at = torch.tensor(move, dtype=torch.float64, requires_grad=True)

    bent(at, bend).backward()

    assert float(at.grad) == pytest.approx(float(steepness(at.detach(), bend)), rel=1e-9)
    assert float(steepness(at.detach(), bend)) > 0


def test_a_bent_response_falls_with_the_price_at_the_reference_price():
    moves = torch.tensor([-0.5, 0.0, 0.5])

    np.testing.assert_allclose(bent(moves, 0.0), moves)
    np.testing.assert_allclose(bent(moves, 1.0), torch.log1p(moves))
    assert float(steepness(torch.zeros(()), 0.7)) == 1
