"""float32 against an independent float64 solution on a market of realistic size, and where the market is odd."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from kernels import DenseDemand, FactorDemand, Ladders, PricingInputs, Shelf, best_prices, price_cells
from tests.kernels import oracle
from tests.kernels.markets import category_of, factor_demand, positive, random_inputs

NINES = (100, list(range(9, 100, 10)))
PERIOD, ENDING = 10, 9


def grocery(seed, categories, size, segments, bought=-7.0, ladder=NINES):
    """Return demand and inputs of a market with 64 + 16 factors, prices from .50 to some 30.00, on nine-endings."""
    rng = np.random.default_rng(seed)
    products, real = categories * size, np.float32
    reference = np.round(np.exp(rng.normal(5.8, 0.7, products))).clip(50)
    demand = FactorDemand(
        rng.normal(size=(segments, 64)).astype(real),
        (rng.normal(size=(products, 64)) / 8).astype(real),
        rng.normal(size=(segments, 16)).astype(real),
        (rng.normal(size=(products, 16)) / 8).astype(real),
        rng.normal(bought, 1, products).astype(real),
        rng.uniform(1, 3, products).astype(real),
    )
    shelf = Shelf(
        size * np.arange(categories + 1), reference.astype(real), np.ones(products, bool), has_outside_option=True
    )
    low, high = (np.round(reference * share / PERIOD) * PERIOD + ENDING for share in (0.7, 1.3))
    cost = reference * rng.uniform(0.5, 0.8, products)
    money = (array.astype(real) for array in (cost, np.ones(products), low, high))
    return demand, PricingInputs(shelf, *money, ladder=np.zeros(products, np.int32), ladders=Ladders.of(ladder))


def categories_of(inputs):
    """Return each category's slice of products."""
    return [slice(first, last) for first, last in pairwise(inputs.shelf.category_start)]


def solve(demand, inputs):
    """Return float64 prices and profits [P, S], [G, S] by bisection on R over all rungs; it imports nothing of ours."""
    appeal = (demand.segment_appeal.astype(float) @ demand.product_appeal.T.astype(float) + demand.appeal_offset).T
    score = (demand.segment_sensitivity.astype(float) @ demand.product_sensitivity.T.astype(float)).T
    slope = (np.logaddexp(0, score) + demand.sensitivity_offset[:, None]) / inputs.shelf.reference_price[:, None]
    prices, profits = [], []
    for rows in categories_of(inputs):
        steps = int((inputs.high[rows] - inputs.low[rows]).max()) // PERIOD + 1
        rungs = np.minimum(inputs.low[rows, None] + PERIOD * np.arange(steps), inputs.high[rows, None]).astype(float)
        move = rungs - inputs.shelf.reference_price[rows, None]
        attraction = np.exp(appeal[rows, :, None] - slope[rows, :, None] * move[:, None, :])
        margin = (rungs - inputs.unit_cost[rows, None])[:, None, :]
        low, high = np.zeros(attraction.shape[1]), np.full(attraction.shape[1], margin.max())
        for _ in range(80):
            category_value = (low + high) / 2
            is_below = ((margin - category_value[:, None]) * attraction).max(axis=2).sum(axis=0) > category_value
            low, high = np.where(is_below, category_value, low), np.where(is_below, high, category_value)
        best = ((margin - low[:, None]) * attraction).argmax(axis=2)
        prices.append(np.take_along_axis(rungs, best, axis=1))
        profits.append(profit_at(prices[-1], appeal[rows], slope[rows], inputs, rows))
    return np.concatenate(prices), np.array(profits), appeal, slope


def profit_at(price, appeal, slope, inputs, rows):
    """Return a category's expected profit [S] at prices [n, S]."""
    attraction = np.exp(appeal - slope * (price - inputs.shelf.reference_price[rows, None]))
    return ((price - inputs.unit_cost[rows, None]) * attraction).sum(axis=0) / (1 + attraction.sum(axis=0))


@pytest.mark.parametrize("bought", [-7.0, -4.5, -2.0])
def test_float32_prices_are_those_of_float64(bought):
    demand, inputs = grocery(1, 20, 50, 64, bought)
    expected, most, appeal, slope = solve(demand, inputs)

    price = best_prices(demand, inputs)

    reached = np.array(
        [profit_at(price[rows], appeal[rows], slope[rows], inputs, rows) for rows in categories_of(inputs)]
    )
    assert (price == expected).mean() >= 0.9999
    assert ((most - np.array(reached)) / most).max() <= 1e-6


def test_the_ten_nine_endings_are_one_ladder_with_rungs_ten_apart():
    demand, inputs = grocery(2, 4, 9, 70)

    one = price_cells(demand, inputs)
    other = price_cells(demand, replace(inputs, ladders=Ladders.of((PERIOD, [ENDING]))))

    assert np.array_equal(one.price, other.price)
    assert np.array_equal(one.category_value, other.category_value)


def test_uneven_endings_agree_with_a_list_of_the_same_rungs():
    demand, inputs = grocery(3, 4, 9, 40)
    endings = [29, 49, 79, 99]
    rungs = [100 * euro + ending for euro in range(60) for ending in endings]
    low = np.float32([max(r for r in rungs if r <= price) for price in np.maximum(inputs.low, 29)])
    high = np.float32([min(r for r in rungs if r >= price) for price in inputs.high])

    one, other = (
        price_cells(demand, replace(inputs, low=low, high=high, ladders=Ladders.of(ladder)))
        for ladder in ((100, endings), (2**24, rungs))
    )

    assert np.array_equal(one.price, other.price)


@pytest.mark.parametrize("appeal", [60.0, 300.0, 1000.0])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_products_that_every_visit_buys_are_priced_exactly(appeal, real):
    """P is 1 for hundreds of Newton steps; the price that ends it is far beyond the reference price."""
    inputs = positive(random_inputs(6, [3], "endings"))
    low, high = np.full(3, 29, "f4"), np.full(3, 999_999, "f4")
    inputs = replace(inputs, low=low, high=high, ladders=Ladders.of((100, [29, 99])))
    demand = replace(factor_demand(6, 4, 3, real=real), appeal_offset=np.full(3, appeal, real))

    priced = price_cells(demand, inputs)

    for segment in range(4):
        market, _ = category_of(demand, inputs, 0, segment)
        ours = oracle.profit(priced.price[:, segment].astype(float), market)
        for step in (-100, -70, 70, 100):
            for product in range(3):
                moved = priced.price[:, segment].astype(float)
                moved[product] = moved[product] + step if (moved[product] + step) % 100 in (29, 99) else moved[product]
                assert oracle.profit(moved, market) <= ours * (1 + 2e-6)
    assert priced.steps < 32


def test_a_category_that_earns_next_to_nothing_settles():
    """Profits of both signs cancel, so that R is nothing but rounding."""
    demand, inputs = grocery(4, 6, 20, 16)
    sign = np.where(np.arange(120) % 2 == 0, 1, -1)
    fixed = replace(inputs, high=inputs.low, unit_cost=(inputs.low * (1 - 0.3 * sign)).astype(np.float32))

    priced = price_cells(demand, fixed)

    assert np.isfinite(priced.category_value).all()
    assert priced.steps < 32


def test_nothing_is_lost_when_nobody_minds_the_price():
    shelf = Shelf(np.array([0, 2]), np.float32([300, 500]), np.array([True, True]), True)
    zero, two = np.zeros(2, np.float32), np.zeros((3, 2), np.float32)
    bounds = np.float32([109, 209]), np.float32([799, 899])
    inputs = PricingInputs(shelf, zero, zero + 1, *bounds, np.zeros(2, np.int32), Ladders.of((10, [9])))

    priced = price_cells(DenseDemand(two, two, zero, zero), inputs)

    assert (priced.price == [[799], [899]]).all()
    assert (priced.binding_side == 1).all()
