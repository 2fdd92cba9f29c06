"""Gaps: missing products are found by what they would have sold, and what they hide is learned without them."""

import math
from dataclasses import replace

import pytest
import torch

from gpu_pricer.network.response.fitting.fit import FitConfig, fit_response
from gpu_pricer.network.response.gaps import AGES, Gaps, find_gaps, without_gaps
from gpu_pricer.network.response.grid.grid import Counts
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

    found = find_gaps(fit).missing

    assert float(found[missing].double().mean()) > 0.95
    assert int((found & (market.grid.on_shelf > 0)).sum()) <= 1  # a gap is likelier than not, not certain


def test_shocks_are_as_narrow_as_on_the_true_shelf(sold_out):
    market, fit = sold_out
    true = fit_response(market.grid, market.counts, CONFIG).widths.shock.spread
    grid = without_gaps(fit.grid, find_gaps(fit))

    found = fit_response(grid, market.counts, CONFIG, fit).widths.shock.spread

    assert fit.widths.shock.spread > 1.5 * true
    assert found == pytest.approx(true, rel=0.1)


def test_a_product_that_sells_no_more_is_missing_until_the_log_ends(sold_out):
    market, fit = sold_out
    bought = market.counts.bought.clone()
    bought[0, :, 36:] = 0.0
    left = fit_response(fit.grid, Counts(bought, market.counts.visits), CONFIG)

    found = find_gaps(left)

    missing = market.grid.on_shelf == 0
    assert bool(found.missing[0, 36:].all())
    assert found.last == 39
    assert float(found.at_end[0]) > 0.99
    assert float(found.returning[0]) == pytest.approx(1 - float(missing.double().mean()), abs=0.1)
    assert int(found.age[0]) == 4
    assert float(found.returning[2]) < float(found.returning[0])  # nothing missing so long has come back
    assert bool(((found.at_end > 0) == missing[:, -1])[1:].all())


def gaps_of(at_end, last, returning, missing):
    """Return gaps of products that have been missing for one period."""
    rates = torch.full((AGES,), returning).double()
    return Gaps(missing, at_end, last, torch.ones(len(at_end), dtype=torch.int64), rates)


def test_an_absent_product_is_there_later_as_likely_as_missing_ones_of_its_age_return():
    rates = torch.tensor([0.8, 0.25, 0.1, 0.0, 0.0, 0.0]).double()
    age = torch.tensor([2, 2, 1, 9])
    gaps = Gaps(torch.zeros(4, 5, dtype=torch.bool), torch.tensor([0.8, 0.0, 1.0, 0.5]).double(), 2, age, rates)

    found = [gaps.log_there(period).exp().tolist() for period in (3, 4)]

    assert found[0] == pytest.approx([1 - 0.8 * 0.75, 1.0, 0.8, 0.5])
    assert found[1] == pytest.approx([1 - 0.8 * 0.75 * 0.9, 1.0, 1 - 0.2 * 0.75, 0.5])


def test_goods_that_sold_out_return_whatever_long_gone_ones_do():
    """Ten gaps of one period, after each of which the product was back, and two products gone for thirty periods."""
    market = draw_market(4, replace(SOLD_OUT, on_shelf=1.0))
    bought = market.counts.bought.clone()
    for product in range(10):
        bought[product, :, 5 + 3 * product] = 0.0
    bought[20:22, :, 10:] = 0.0
    bought[30, :, 39] = 0.0

    found = find_gaps(fit_response(market.grid, Counts(bought, market.counts.visits), CONFIG))

    there = found.log_there(40).exp()
    assert float(there[30]) > 0.6
    assert float(there[20]) < 0.1


def test_later_appeals_are_those_of_a_product_that_is_there_as_likely_as_gaps_say():
    market = draw_market(3, Recipe())
    at_end = torch.zeros(len(market.grid.row)).double()
    at_end[1] = 0.6
    last = market.grid.columns.periods - 3
    gaps = gaps_of(at_end, last, 0.5, torch.zeros_like(market.grid.on_shelf, dtype=torch.bool))

    found = without_gaps(market.grid, gaps)

    there = torch.tensor([0.0, 1 - 0.6 * 0.5, 1 - 0.6 * 0.25]).double().log()[1:]
    assert found.offset[1, last + 1 :].tolist() == pytest.approx((there * market.grid.on_shelf[1, last + 1 :]).tolist())
    assert float(found.offset[:, : last + 1].abs().sum()) == 0
    assert found.next_offset[1] == pytest.approx(math.log(1 - 0.6 * 0.5**3))
    assert int((found.next_offset != 0).sum()) == 1


@pytest.mark.parametrize("length", [1, 4, 12])
def test_a_long_gap_is_found_as_a_short_one_is(length):
    """Each of its periods would be likely at the shock that the others' zeros show."""
    market = draw_market(4, replace(SOLD_OUT, on_shelf=1.0))
    bought = market.counts.bought.clone()
    bought[::5, :, 15 : 15 + length] = 0.0

    found = find_gaps(fit_response(market.grid, Counts(bought, market.counts.visits), CONFIG)).missing

    assert float(found[::5, 15 : 15 + length].double().mean()) > 0.9
    assert int(found.sum()) <= found[::5, 15 : 15 + length].sum() + 1


def test_zeros_of_products_that_sell_little_are_no_gaps():
    market = draw_market(1, replace(SOLD_OUT, visits=8, on_shelf=1.0))
    assert float((market.counts.bought == 0).double().mean()) > 0.4

    found = find_gaps(fit_response(market.grid, market.counts, CONFIG))

    assert not bool(found.missing.any())


def test_a_shock_that_is_low_for_long_is_no_gap():
    """A period without a sale among periods with few would be too rare for chance at the product's mean level."""
    market = draw_market(2, replace(SOLD_OUT, on_shelf=1.0))
    bought = market.counts.bought.clone()
    bought[0, 0, 10:30] = (0.1 * bought[0, 0, 10:30]).floor()
    bought[0, 0, 20] = 0.0

    found = find_gaps(fit_response(market.grid, Counts(bought, market.counts.visits), CONFIG))

    assert not bool(found.missing.any())


def test_without_gaps_a_product_is_off_the_shelf_and_all_else_stays():
    grid = draw_market(3, Recipe()).grid
    missing = torch.zeros_like(grid.on_shelf, dtype=torch.bool)
    missing[2, 4] = True

    found = without_gaps(grid, gaps_of(torch.zeros(len(missing)).double(), 5, 0.5, missing))

    for name in ("on_shelf", "move", "context", "offset", "unit_offset"):
        before, after = getattr(grid, name), getattr(found, name)
        assert float(after[2, 4].abs().sum()) == 0
        assert torch.equal(after[~missing], before[~missing])
