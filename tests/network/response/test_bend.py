"""The bend of the response to prices, on markets of users whose utility falls with the price, or with its log."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpu_pricer.network.model.price_bend import bent, steepness
from gpu_pricer.network.response.bend import SLOPES, Regression, learned_bend, regression
from gpu_pricer.network.response.grid.grid import FLOAT, Grid
from gpu_pricer.network.response.grid.grid_columns import GridColumns
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
    monkeypatch.setattr("gpu_pricer.network.response.grid.grid.BLOCK", 3)

    one, several = (in_threads(k, lambda: learned_bend(drawn.pooled, drawn.log, torch.ones(300))) for k in (1, 3))

    assert one == several > 0


def test_prices_that_rest_tell_no_bend():
    drawn = draw((2.0,), users=200)
    resting = replace(drawn.grid, move=torch.zeros_like(drawn.grid.move))

    assert learned_bend(replace(drawn.pooled, grid=resting), drawn.log, torch.ones(200)) == 0


def market(seed, bend, move, per_cell, categories=10, steepness=1.0, shock=0.0):
    """Draw Poisson purchases of one group, per_cell of a product in a period; return what `regression` takes.

    move [P, W]: price moves; steepness [P]: of the products' sensitivities, around 3.
    """
    rng = np.random.default_rng(seed)
    products, periods = move.shape
    category = np.repeat(np.arange(categories), products // categories)
    falls = (1 - bend) * move + bend * np.log1p(move)
    utility = -3.0 * (np.ones(products) * steepness)[:, None] * falls + rng.normal(0, 0.5, (products, 1))
    utility += rng.normal(0, 0.3, (categories, periods))[category] + shock * rng.normal(size=move.shape)
    bought = rng.poisson(per_cell * np.exp(utility) / np.exp(utility).mean())
    zeros = torch.zeros(products, periods, dtype=FLOAT)
    grid = Grid(
        columns=GridColumns.of_periods(periods),
        row=torch.arange(products),
        category=torch.from_numpy(category),
        on_shelf=torch.ones_like(zeros),
        move=torch.from_numpy(move),
        context=zeros[:, :, None],
        controls=0,
        offset=zeros,
        unit_offset=zeros,
        next_offset=torch.zeros(products, dtype=FLOAT),
        next_ages=torch.zeros(products, 0),
        price_information=torch.ones(products, dtype=FLOAT),
        has_outside_option=True,
        periods_ahead=1,
    )
    return grid, torch.from_numpy(bought).double()[:, None], torch.full((products, 1), 3.0, dtype=FLOAT), zeros


def dense(grid, bought, sensitivity, offset):
    """Return the bend and its standard error by a dense regression with dummies, whose search knows no elimination."""
    product, group, period = np.argwhere((grid.on_shelf[:, None] * torch.ones_like(bought)).numpy() > 0).T
    groups, products = bought.shape[1], len(bought)
    category, move = grid.category.numpy()[product], grid.move.numpy()[product, period]
    keys = [product * groups + group, (category * groups + group) * bought.shape[2] + period]
    levels = np.hstack([np.eye(key.max() + 1)[key] for key in keys])
    counts, own = bought.numpy()[product, group, period], sensitivity.numpy()[product, group]
    known, is_product = offset.numpy()[product, period], np.eye(products)[product]
    prior = np.diag([1.0, *[SLOPES] * products, *[1e-9] * levels.shape[1]])
    effect = np.concatenate([[0.0], np.ones(products), np.zeros(levels.shape[1])])
    centre = effect.copy()
    for _ in range(60):
        slope = effect[1 : products + 1][product]
        falls = -own * (move + effect[0] * (np.log1p(move) - move))
        expected = np.exp(known + slope * falls + levels @ effect[products + 1 :])
        design = np.column_stack([-own * slope * (np.log1p(move) - move), is_product * falls[:, None], levels])
        curvature = design.T @ (expected[:, None] * design) + prior
        effect += np.linalg.solve(curvature, design.T @ (counts - expected) - prior @ (effect - centre)).clip(-1, 1)
    inverse = np.linalg.inv(curvature)
    left = design @ inverse[0] / inverse[0, 0] * (counts - expected)  # the bend's column, all others eliminated
    clusters = [np.bincount(key, left) for key in (product, category)]
    variances = [1 / inverse[0, 0], *(np.square(of).sum() * len(of) / (len(of) - 1) for of in clusters)]
    return effect[0], np.sqrt(max(variances)) * inverse[0, 0]


def few_cuts(rng, products, periods):
    return -rng.choice([0.1, 0.25, 0.5], (products, periods)) * (rng.random((products, periods)) < 0.3)


@pytest.mark.parametrize("seed", range(3))
def test_regression_is_the_dense_one_with_dummies(seed):
    rng = np.random.default_rng(seed)
    taken = market(seed, 1.0, few_cuts(rng, 12, 15), 20.0, 3, rng.uniform(0.5, 1.5, 12), shock=0.2)

    found = regression(*taken)

    assert found.settled
    assert (found.bend, found.error) == pytest.approx(dense(*taken), abs=0.005)


def test_groups_have_levels_of_their_own():
    drawn = draw((1.5, 4.0), users=200, periods=6)
    group = torch.from_numpy(drawn.type)[:, None].expand(200, 6)
    bought = drawn.log.counts(drawn.grid, group, 2).bought
    rng = np.random.default_rng(0)
    own, offset = torch.from_numpy(rng.uniform(1, 4, (12, 2))), torch.from_numpy(rng.normal(0, 0.1, (12, 6)))

    found = regression(drawn.grid, bought, own, offset)

    assert (found.bend, found.error) == pytest.approx(dense(drawn.grid, bought, own, offset), abs=0.005)


@pytest.mark.parametrize("per_cell", [10.0, 40.0, 400.0])
@pytest.mark.parametrize(("bend", "power"), [(0.0, 0.5), (1.0, 0.5), (1.0, -0.5)])
def test_depths_that_go_with_sensitivities_do_not_bias_the_bend(per_cell, bend, power):
    steepness = (np.tile(DEPTHS, 4) / 0.3) ** power
    runs = [regression(*market(seed, bend, np.tile(cuts(seed), (4, 1)), per_cell, 12, steepness)) for seed in range(4)]

    away = np.array([(found.bend - bend) / found.error for found in runs])
    assert all(found.settled for found in runs)
    assert abs(away.mean()) < 1.5


@pytest.mark.parametrize("per_cell", [100.0, 1e4, 1e6])
@pytest.mark.parametrize("size", [2, 4])
def test_products_that_are_cut_in_turn_do_not_mislead_the_search(size, per_cell):
    """Each product has one cut depth, in periods in which no other has: the slopes alone could explain all sales."""
    products = 10 * size
    is_cut = np.arange(products)[:, None] % size == np.arange(60) % size
    found = regression(*market(0, 1.0, -np.tile(DEPTHS, 10)[:products, None] * is_cut, per_cell))

    assert found.settled
    assert abs(found.bend - 1) < found.error


def test_sales_that_rise_with_prices_tell_no_bend():
    move = few_cuts(np.random.default_rng(1), 40, 60)

    found = regression(*market(1, 1.0, move, 100.0, steepness=-1.0))

    assert found.settled
    assert found.slope < 0
    assert found.kept == 0


def test_few_products_tell_no_bend():
    """The periods of two products that share one category say little of how shocks scatter."""
    move = few_cuts(np.random.default_rng(2), 2, 60)

    found = regression(*market(2, 1.0, move, 1e4, categories=1, shock=0.3))

    assert found.bend > found.error
    assert found.kept == 0


@given(st.floats(-3, 3), st.floats(0.001, 3), st.floats(-0.1, 0.1))
def test_bend_that_is_taken_does_not_jump(bend, error, further):
    """It is the posterior mean with a prior N(0, v), whose v maximises the likelihood of the estimate."""
    variance = max(bend**2 - error**2, 0.0) if bend > 0 else 0.0
    one, other = (Regression(at, error, 1.0, 100, True).kept for at in (bend, bend + further))

    assert one == pytest.approx(min(bend * variance / (variance + error**2), 1.0), abs=1e-12)
    assert abs(one - other) <= 2 * abs(further) + 1e-12


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
