"""Prices against a brute force over ladders, and against the closed form of a single product."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import wrightomega

from kernels import DenseDemand, Ladders, PricingInputs, Shelf, choice_probabilities, price_cells
from tests.kernels import oracle
from tests.kernels.markets import (
    LADDERS,
    category_of,
    factor_demand,
    positive,
    random_inputs,
    with_an_end_off_the_ladder,
    with_gaps,
)

FLOAT32_REGRET = 2e-6
"""Share of a category's gross margin that float32 may lose to the float64 optimum: some 16 roundings."""


def regrets(demand, inputs):
    """Yield, per category and segment, the share of the oracle's profit that our prices miss."""
    priced = price_cells(demand, inputs)
    period, endings = int(inputs.ladders.period[0]), inputs.ladders.endings.tolist()
    for category in range(inputs.shelf.category_count):
        for segment in range(demand.segment_count):
            market, rows = category_of(demand, inputs, category, segment)
            rungs = [
                oracle.rungs_between(low, high, period, endings)
                for low, high in zip(inputs.low[rows], inputs.high[rows], strict=True)
            ]
            if inputs.gap is not None:
                rungs = [oracle.outside(prices, *gap) for prices, gap in zip(rungs, inputs.gap[rows], strict=True)]
            best = oracle.best_profit(rungs, market)
            ours = oracle.profit(priced.price[rows, segment].astype(float), market)
            scale = abs(best) + np.abs(market["weight"] * (market["unit_cost"] - inputs.high[rows])).max()
            yield (best - ours) / scale


@pytest.mark.parametrize("has_outside_option", [True, False])
@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize("seed", range(6))
def test_no_combination_of_rungs_earns_more(seed, kind, has_outside_option):
    inputs = random_inputs(seed, [3, 1, 2, 4], kind, has_outside_option)
    demand = factor_demand(seed, 5, inputs.shelf.product_count)

    worst = max(regrets(demand, inputs))

    assert worst < FLOAT32_REGRET


@pytest.mark.parametrize("kind", [(100, [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]), *LADDERS.values()])
@pytest.mark.parametrize("seed", range(6))
def test_an_end_off_the_ladder_is_one_more_price(seed, kind):
    inputs = random_inputs(seed, [3, 1, 2, 4], "endings" if kind[0] == 100 else "list" if kind[0] > 1 else "cents")
    inputs = with_an_end_off_the_ladder(replace(inputs, ladders=Ladders.of(kind)), seed)
    demand = factor_demand(seed, 5, inputs.shelf.product_count)

    priced = price_cells(demand, inputs)

    is_end = (priced.price == inputs.low[:, None]) | (priced.price == inputs.high[:, None])
    assert (is_end | np.isin(priced.price % kind[0], kind[1])).all()
    assert max(regrets(demand, inputs)) < FLOAT32_REGRET


@pytest.mark.parametrize("kind", ["endings", "list", "nines"])
@pytest.mark.parametrize("seed", range(8))
def test_only_the_kept_price_is_allowed_inside_a_gap(seed, kind):
    ladder = (100, [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]) if kind == "nines" else LADDERS[kind]
    inputs = random_inputs(seed, [3, 1, 2, 4], "endings" if kind == "nines" else kind)
    inputs = with_gaps(replace(inputs, ladders=Ladders.of(ladder)), seed)
    demand = factor_demand(seed, 5, inputs.shelf.product_count)

    priced = price_cells(demand, inputs)

    gap_low, kept, gap_high = (inputs.gap[:, k, None] for k in range(3))
    is_inside = (priced.price > gap_low) & (priced.price < gap_high)
    assert (priced.price == kept)[is_inside].all()
    assert max(regrets(demand, inputs)) < FLOAT32_REGRET


def test_float64_demand_is_priced_without_regret():
    inputs = random_inputs(7, [3, 4, 2], "endings")
    demand = factor_demand(7, 6, 9, real=np.float64)

    worst = max(regrets(demand, inputs))

    assert worst < 1e-13


@pytest.mark.parametrize("has_outside_option", [True, False])
def test_forced_losses_are_kept_as_small_as_they_can_be(has_outside_option):
    inputs = positive(random_inputs(3, [3, 2], "endings", has_outside_option))
    inputs = replace(inputs, unit_cost=inputs.high + 100)
    demand = factor_demand(3, 4, 5)

    worst = max(regrets(demand, inputs))

    assert (price_cells(demand, inputs).category_value < 0).all()
    assert worst < FLOAT32_REGRET


def one_product(weight, cost, low, high, ladder, sensitivity=3.0, appeal=-0.5, has_outside_option=True):
    """Return the demand of one segment for one product, and its pricing inputs with reference price 300."""
    shelf = Shelf(np.array([0, 1]), np.float32([300]), np.array([True]), has_outside_option)
    inputs = PricingInputs(
        shelf,
        np.float32([cost]),
        np.float32([weight]),
        np.float32([low]),
        np.float32([high]),
        np.int32([0]),
        Ladders.of(ladder),
    )
    zero = np.zeros(1)
    return DenseDemand(np.array([[appeal]]), np.array([[sensitivity]]), zero, zero), inputs


@pytest.mark.parametrize("cost", [-50.0, 0.0, 120.0, 260.0])
def test_single_product_meets_the_wright_omega(cost):
    demand, inputs = one_product(1.0, cost, 0, 100_000, (0, []))
    slope = 3.0 / 300

    priced = price_cells(demand, inputs)

    expected_value = wrightomega(-0.5 + 3.0 - slope * cost - 1) / slope
    assert priced.category_value[0, 0] == pytest.approx(expected_value, rel=1e-12)
    assert priced.price[0, 0] == pytest.approx(cost + 1 / slope + expected_value, rel=1e-12)


def test_single_product_without_outside_option_takes_the_highest_price():
    demand, inputs = one_product(1.0, 100, 129, 499, (100, [29, 99]), has_outside_option=False)

    priced = price_cells(demand, inputs)

    assert priced.price[0, 0] == 499
    assert priced.category_value[0, 0] == pytest.approx(399, rel=1e-15)
    assert priced.probability[0, 0] == pytest.approx(1, rel=1e-15)


@pytest.mark.parametrize(("cost", "end", "binding_side"), [(100, 499, 1), (460, 199, -1)])
def test_negative_weight_takes_the_better_end(cost, end, binding_side):
    demand, inputs = one_product(-1.0, cost, 199, 499, (100, [99]))
    market, _ = category_of(demand, inputs, 0, 0)

    priced = price_cells(demand, inputs)

    assert max((199, 499), key=lambda price: oracle.profit(np.array([price]), market)) == end
    assert priced.price[0, 0] == end
    assert priced.binding_side[0, 0] == binding_side


def test_insensitive_shoppers_pay_the_upper_bound():
    demand, inputs = one_product(1.0, 100, 199, 499, (100, [99]), sensitivity=0.0)

    priced = price_cells(demand, inputs)

    assert priced.price[0, 0] == 499
    assert priced.binding_side[0, 0] == 1


@pytest.mark.parametrize(("low", "high", "binding_side"), [(799, 899, -1), (129, 149, 1), (129, 899, 0)])
def test_binding_side_names_the_bound_that_stopped_the_price(low, high, binding_side):
    demand, inputs = one_product(1.0, 100, low, high, (100, [29, 49, 99]))

    priced = price_cells(demand, inputs)

    assert priced.binding_side[0, 0] == binding_side


def test_a_fixed_price_off_the_ladder_stays():
    demand, inputs = one_product(1.0, 100, 217, 217, (100, [99]))

    assert price_cells(demand, inputs).price.tolist() == [[217]]


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("has_outside_option", [True, False])
def test_huge_utilities_do_not_overflow(real, has_outside_option):
    inputs = random_inputs(1, [3, 3], "endings", has_outside_option)
    demand = factor_demand(1, 4, 6, real=real)
    offsets = np.array([900, -900, 0, -900, -900, -900], real)

    priced = price_cells(replace(demand, appeal_offset=offsets), inputs)

    assert np.isfinite(priced.category_value).all()
    assert np.isfinite(priced.probability).all()


def test_products_off_the_shelf_are_priced_with_the_value_of_the_others():
    inputs = random_inputs(5, [4], "cents")
    on_shelf = np.array([True, False, True, False])
    inputs = replace(positive(inputs), low=np.full(4, 50, "f4"), high=np.full(4, 900, "f4"))
    inputs = replace(inputs, shelf=replace(inputs.shelf, on_shelf=on_shelf))
    demand = factor_demand(5, 3, 4, real=np.float64)

    priced = price_cells(demand, inputs)

    market, _ = category_of(demand, inputs, 0, 2)
    slope = market["sensitivity"] / market["reference_price"]
    expected = market["unit_cost"] + 1 / slope + priced.category_value[0, 2]
    assert np.abs(priced.price[:, 2] - expected).max() < 1
    assert (priced.probability[~on_shelf] == 0).all()


@pytest.mark.parametrize("has_outside_option", [True, False])
def test_an_empty_shelf_earns_nothing(has_outside_option):
    inputs = random_inputs(2, [2, 3], "endings", has_outside_option)
    hidden = replace(inputs, shelf=replace(inputs.shelf, on_shelf=np.zeros(5, bool)))

    priced = price_cells(factor_demand(2, 3, 5), hidden)

    assert (priced.category_value == 0).all()
    assert (priced.probability == 0).all()
    assert (priced.price >= inputs.low[:, None]).all()


def test_probability_and_category_value_are_those_of_the_prices():
    inputs = random_inputs(4, [3, 5, 1], "endings")
    demand = factor_demand(4, 20, 9)

    priced = price_cells(demand, inputs)

    probability = choice_probabilities(demand, inputs.shelf, priced.price)
    profit = inputs.weight[:, None] * (priced.price - inputs.unit_cost[:, None]) * probability
    category_value = np.add.reduceat(profit, inputs.shelf.category_start[:-1])
    assert np.abs(priced.probability - probability).max() < 1e-6
    assert np.abs(priced.category_value - category_value).max() < 1e-3


def test_arrays_come_out_in_their_stated_types():
    inputs = random_inputs(4, [3, 2], "endings")

    priced = price_cells(factor_demand(4, 7, 5), inputs)

    found = {
        name: (getattr(priced, name).dtype.name, getattr(priced, name).shape)
        for name in ("price", "probability", "binding_side", "category_value")
    }
    assert found == {
        "price": ("int32", (5, 7)),
        "probability": ("float32", (5, 7)),
        "binding_side": ("int8", (5, 7)),
        "category_value": ("float32", (2, 7)),
    }
    assert 2 <= priced.steps <= 10


def test_a_demand_for_other_products_is_refused():
    inputs = random_inputs(4, [3, 2], "endings")

    with pytest.raises(ValueError, match="demand must cover the shelf's 5 products; found 6"):
        price_cells(factor_demand(4, 7, 6), inputs)


def test_an_empty_tile_gives_empty_arrays():
    inputs = random_inputs(4, [], "endings")

    assert price_cells(factor_demand(4, 3, 0), inputs).price.shape == (0, 3)
