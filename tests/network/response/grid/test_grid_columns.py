"""The columns of a grid: periods, and the price groups whose users saw prices of their own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gpu_pricer.network.response.applying import recent_context
from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.grid.grid import CELLS, Counts
from gpu_pricer.network.response.grid.grid_columns import GridColumns
from tests.network.response.drawn import Recipe, draw_market

CONFIG = FitConfig(passes=40, tolerance=0.01, prior_elasticity=None)
COLUMNS = GridColumns.of_clusters(torch.tensor([[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]]))


def test_users_of_a_group_are_in_its_column_and_else_in_that_of_the_usual_prices():
    period, group = torch.tensor([[p, g] for p in range(3) for g in range(5)]).T

    found = COLUMNS.find(period, group)

    assert found.tolist() == [0, 0, 0, 0, 0, 1, 1, 2, 3, 1, 4, 4, 4, 5, 4]
    assert COLUMNS.find(torch.tensor([2, 1]), torch.tensor([1, 0])).tolist() == [4, 1]
    assert COLUMNS.usual().tolist() == [0, 1, 1, 1, 4, 4]
    assert COLUMNS.is_usual().tolist() == [True, True, False, False, True, False]


def test_context_of_a_period_counts_once_however_many_groups_it_has():
    grid = draw_market(4, Recipe(on_shelf=0.7)).grid
    cluster = torch.zeros(grid.columns.periods, 4, dtype=torch.int64)
    cluster[0, 1], cluster[-1] = 1, torch.arange(4)
    columns = GridColumns.of_clusters(cluster)
    cells = {name: getattr(grid, name)[:, columns.period] for name in CELLS}
    wider = replace(grid, columns=columns, context=grid.context[:, columns.period], **cells)

    torch.testing.assert_close(recent_context(wider, 3), recent_context(grid, 3))


def test_columns_of_a_period_have_its_span_and_add_up_to_it():
    assert (COLUMNS.count, COLUMNS.periods, COLUMNS.spans) == (6, 3, 3)
    assert COLUMNS.spans_of().tolist() == COLUMNS.period.tolist()
    assert COLUMNS.sum_by_period(torch.arange(12).view(2, 6)).tolist() == [[0, 6, 9], [6, 24, 21]]


def split(market, parts, rng):
    """Return grid and counts with every period's visits in so many columns that see the same prices."""
    grid, counts = market.grid, Counts(market.counts.bought, market.counts.visits)
    periods = grid.columns.periods
    columns = GridColumns.of_clusters(torch.arange(parts).repeat(periods, 1))
    shares = [torch.from_numpy(rng.dirichlet(np.full(parts, 5.0), periods)).flatten() for _ in range(2)]
    cells = {name: getattr(grid, name)[:, columns.period] for name in CELLS}
    wider = replace(grid, columns=columns, context=grid.context[:, columns.period], **cells)
    return wider, Counts(*(of[:, :, columns.period] * shares[0] for of in (counts.bought, counts.visits)))


@pytest.mark.parametrize("segments", [1, 2])
def test_groups_that_see_the_same_prices_change_nothing(segments):
    market = draw_market(0, Recipe(segments=segments))
    grid, counts = split(market, 3, np.random.default_rng(0))

    expected, found = fit_response(market.grid, market.counts, CONFIG), fit_response(grid, counts, CONFIG)

    torch.testing.assert_close(found.sensitivity, expected.sensitivity)
    torch.testing.assert_close(found.state.shock, expected.state.shock)
    torch.testing.assert_close(found.utility()[:, :, 1::3], expected.utility())
    context = torch.zeros_like(grid.context[:, 0])
    torch.testing.assert_close(found.next_appeal(context), expected.next_appeal(context))


def test_columns_taken_together_are_the_periods_they_were_split_from():
    market = draw_market(1, Recipe(segments=1))
    grid, counts = split(market, 3, np.random.default_rng(1))

    found, together = grid.by_period(counts.visits.sum((0, 1))), counts.by_period(grid.columns)

    for name in (*CELLS, "context"):
        torch.testing.assert_close(getattr(found, name), getattr(market.grid, name))
    torch.testing.assert_close(together.bought, market.counts.bought)
    torch.testing.assert_close(together.visits, market.counts.visits)
    assert found.columns.count == market.grid.columns.periods


def test_a_period_has_the_mean_price_of_its_visits():
    market = draw_market(2, Recipe(segments=1))
    grid, _ = split(market, 2, np.random.default_rng(2))
    weight = torch.tensor([3.0, 1.0]).repeat(grid.columns.periods).double()
    move = torch.where(torch.arange(grid.columns.count) % 2 == 0, grid.move, grid.move + 0.2)

    found = replace(grid, move=move).by_period(weight)

    torch.testing.assert_close(found.move, market.grid.move + 0.05)


def test_a_period_in_which_nobody_came_has_the_mean_of_its_columns():
    market = draw_market(2, Recipe(segments=1))
    grid, _ = split(market, 2, np.random.default_rng(2))
    weight = torch.ones(grid.columns.count).double()
    weight[:2] = 0

    found = grid.by_period(weight)

    torch.testing.assert_close(found.move, market.grid.move)
    torch.testing.assert_close(found.on_shelf, market.grid.on_shelf)
