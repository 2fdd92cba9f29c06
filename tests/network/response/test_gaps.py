"""Gaps: missing products are found by what they would have sold, and what they hide is learned without them."""

from dataclasses import replace

import pytest
import torch

from gpu_pricer.network.response.fit import FitConfig, fit_response
from gpu_pricer.network.response.gaps import find_gaps, without_gaps
from gpu_pricer.network.response.grid import Counts
from tests.network.response.drawn import Recipe, draw_market

CONFIG = FitConfig(passes=40, tolerance=0.05, prior_elasticity=None)
SOLD_OUT = Recipe(sizes=(4,) * 10, segments=1, periods=40, visits=400, on_shelf=0.97)


def as_the_log_has_it(market):
    """Return the grid on which all products are always there, at the usual price in their gaps."""
    return replace(market.grid, on_shelf=torch.ones_like(market.grid.on_shelf))


@pytest.fixture(scope="module")
def sold_out():
    market = draw_market(0, SOLD_OUT)
    grid = as_the_log_has_it(market)
    return market, fit_response(grid, market.counts, CONFIG)


def test_periods_without_the_product_are_gaps_and_hardly_others(sold_out):
    market, fit = sold_out
    missing = market.grid.on_shelf == 0
    missing[:, -1] = False  # nothing is sold after

    found = find_gaps(fit)

    assert float(found[missing].double().mean()) > 0.95
    assert int((found & (market.grid.on_shelf > 0)).sum()) <= 1  # a gap is likelier than not, not certain


def test_shocks_are_as_narrow_as_on_the_true_shelf(sold_out):
    market, fit = sold_out
    true = fit_response(market.grid, market.counts, CONFIG).widths.shock.spread
    grid = without_gaps(fit.grid, find_gaps(fit))

    found = fit_response(grid, market.counts, CONFIG, fit).widths.shock.spread

    assert fit.widths.shock.spread > 1.5 * true
    assert found == pytest.approx(true, rel=0.1)


@pytest.mark.parametrize("is_there_at_the_end", [True, False])
def test_a_product_that_sells_no_more_has_gaps_unless_it_is_on_the_shelf_at_the_end(sold_out, is_there_at_the_end):
    market, fit = sold_out
    bought, on_shelf = market.counts.bought.clone(), fit.grid.on_shelf.clone()
    bought[0, :, 20:] = 0.0
    on_shelf[0, 24:] = float(is_there_at_the_end)
    left = fit_response(replace(fit.grid, on_shelf=on_shelf), Counts(bought, market.counts.visits), CONFIG)

    found = find_gaps(left)[0, 20:]

    assert bool(found[:4].all()) is not is_there_at_the_end
    assert not bool(found[4:].any())


@pytest.mark.parametrize("length", [1, 4, 12])
def test_a_long_gap_is_found_as_a_short_one_is(length):
    """Each of its periods would be likely at the shock that the others' zeros show."""
    market = draw_market(4, replace(SOLD_OUT, on_shelf=1.0))
    bought = market.counts.bought.clone()
    bought[::5, :, 15 : 15 + length] = 0.0

    found = find_gaps(fit_response(market.grid, Counts(bought, market.counts.visits), CONFIG))

    assert float(found[::5, 15 : 15 + length].double().mean()) > 0.9
    assert int(found.sum()) <= found[::5, 15 : 15 + length].sum() + 1


def test_zeros_of_products_that_sell_little_are_no_gaps():
    market = draw_market(1, replace(SOLD_OUT, visits=8, on_shelf=1.0))
    assert float((market.counts.bought == 0).double().mean()) > 0.4

    found = find_gaps(fit_response(market.grid, market.counts, CONFIG))

    assert not bool(found.any())


def test_a_shock_that_is_low_for_long_is_no_gap():
    """A period without a sale among periods with few would be too rare for chance at the product's mean level."""
    market = draw_market(2, replace(SOLD_OUT, on_shelf=1.0))
    bought = market.counts.bought.clone()
    bought[0, 0, 10:30] = (0.1 * bought[0, 0, 10:30]).floor()
    bought[0, 0, 20] = 0.0

    found = find_gaps(fit_response(market.grid, Counts(bought, market.counts.visits), CONFIG))

    assert not bool(found.any())


def test_without_gaps_a_product_is_off_the_shelf_and_all_else_stays():
    grid = draw_market(3, Recipe()).grid
    gaps = torch.zeros_like(grid.on_shelf, dtype=torch.bool)
    gaps[2, 4] = True

    found = without_gaps(grid, gaps)

    for name in ("on_shelf", "move", "context", "offset", "unit_offset"):
        before, after = getattr(grid, name), getattr(found, name)
        assert float(after[2, 4].abs().sum()) == 0
        assert torch.equal(after[~gaps], before[~gaps])
