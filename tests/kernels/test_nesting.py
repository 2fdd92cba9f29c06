"""Categories whose dissimilarity is below 1: their prices and bounds against searches that know nothing of R."""

from dataclasses import replace

import numpy as np
import pytest

from kernels import (
    DenseDemand,
    Draws,
    Ladders,
    choice_probabilities,
    expected_outcomes,
    own_elasticities,
    price_cells,
    price_totals,
    utility_lines,
)
from kernels.nesting import SLACK, logarithm
from tests.kernels import oracle
from tests.kernels.markets import (
    LADDERS,
    category_of,
    extreme_demand,
    factor_demand,
    nested,
    positive,
    random_inputs,
    with_an_end_off_the_ladder,
    with_gaps,
)
from tests.kernels.test_families import best_together, with_families
from tests.kernels.test_laws import assert_same_bits, segments_of
from tests.kernels.test_price_cells import FLOAT32_REGRET, regrets

MIXED = (0.1, 0.6, 1.0, 0.3)
"""Dissimilarities of four categories of one tile."""


def continuous(inputs, stretch=1.5):
    """Return the inputs without a ladder, in float64, with upper bounds `stretch` times as high."""
    return replace(
        inputs,
        ladders=Ladders.of((0, [])),
        low=inputs.low.astype(float),
        high=stretch * inputs.high.astype(float),
        unit_cost=inputs.unit_cost.astype(float),
    )


def two_peaks():
    """Return a demand and inputs of one category in which two price lists far apart are both locally best.

    Product 0 hardly answers to its price and has a low appeal; product 1 answers strongly.
    """
    zero = np.zeros(2)
    demand = DenseDemand(np.array([[-3.0, 24.5]]), np.array([[0.45, 5.63]]), zero, zero)
    inputs = continuous(positive(random_inputs(0, [2])))
    shelf = replace(inputs.shelf, reference_price=np.array([100.0, 100.0]))
    return demand, nested(
        replace(inputs, shelf=shelf, low=zero, high=np.array([6000.0, 1500.0]), unit_cost=np.array([15.0, 64.0])), 0.1
    )


@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize("seed", range(6))
def test_no_combination_of_rungs_earns_more(seed, kind):
    inputs = nested(random_inputs(seed, [3, 1, 2, 4], kind), *np.roll(MIXED, seed))
    demand = factor_demand(seed, 5, inputs.shelf.product_count)

    assert max(regrets(demand, inputs)) < FLOAT32_REGRET


@pytest.mark.parametrize("seed", range(4))
def test_no_combination_around_gaps_and_ends_off_the_ladder_earns_more(seed):
    inputs = with_gaps(with_an_end_off_the_ladder(random_inputs(seed, [3, 1, 2, 4], "list"), seed), seed)
    demand = factor_demand(seed, 5, inputs.shelf.product_count)

    assert max(regrets(demand, nested(inputs, *MIXED))) < FLOAT32_REGRET


@pytest.mark.parametrize("dissimilarity", [0.1, 0.25, 0.5, 0.75, 1.0])
def test_continuous_prices_earn_what_a_general_optimiser_finds(dissimilarity):
    inputs = nested(continuous(positive(random_inputs(8, [4, 3]))), dissimilarity)
    demand, rng = factor_demand(8, 4, 7, real=np.float64), np.random.default_rng(8)

    priced = price_cells(demand, inputs)

    for category in range(2):
        for segment in range(4):
            market, rows = category_of(demand, inputs, category, segment)
            ours = oracle.profit(priced.price[rows, segment], market)
            starts = rng.random((4, len(market["weight"])))
            best = oracle.best_interior_profit(market, inputs.low[rows], inputs.high[rows], starts)
            assert ours == pytest.approx(best, rel=3e-6)
            assert ours >= best * (1 - 1e-9)
            assert priced.category_value[category, segment] == pytest.approx(ours, rel=1e-9)


def test_of_two_peaks_the_higher_one_is_found():
    demand, inputs = two_peaks()
    dear, cheap = np.linspace(0, 6000, 1001)[:, None], np.linspace(0, 1500, 1001)
    weights = np.exp(-3.0 - 0.45 * (dear / 100 - 1)), np.exp(24.5 - 5.63 * (cheap / 100 - 1))
    total = weights[0] + weights[1]
    margin = ((dear - 15) * weights[0] + (cheap - 64) * weights[1]) / total
    best = (margin / (1 + total**-0.1)).max(axis=1)

    price = price_cells(demand, inputs).price[:, 0]

    market, _ = category_of(demand, inputs, 0, 0)
    assert np.count_nonzero((best[1:-1] > best[:-2]) & (best[1:-1] > best[2:])) == 2
    assert best.max() <= oracle.profit(price, market) <= best.max() * 1.001


@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize("seed", range(4))
def test_families_are_priced_as_well_as_the_best_of_every_combination(kind, seed):
    demand = factor_demand(seed, segments=5, products=5)
    inputs = nested(with_families(random_inputs(seed + 50, [5], kind), [0, 2], [1, 3]), 0.3)

    cells = price_cells(demand, inputs)

    period, endings = LADDERS[kind]
    rungs = [
        oracle.rungs_between(low, high, period, endings) for low, high in zip(inputs.low, inputs.high, strict=True)
    ]
    for s in range(5):
        category, _ = category_of(demand, inputs, 0, s)
        found = oracle.profit(cells.price[:, s].astype(float), category)
        best = best_together(rungs, inputs.family, category)
        assert found >= best - 1e-5 * abs(best) - 1e-6


@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize("seed", range(4))
def test_the_bound_holds_and_is_near_what_prices_that_gain_earn(seed, kind):
    inputs = nested(random_inputs(seed, [3, 1, 2, 4], kind), *MIXED)
    demand = factor_demand(seed, 6, 10, real=np.float64)

    value, bound = price_cells(demand, inputs).category_value, price_totals(demand, inputs, np.eye(6)).bound

    assert (bound >= value - 1e-12 * np.abs(value)).all()
    gains = value > 0
    assert gains.any()
    assert (bound[gains] <= value[gains] * (1 + 20 * SLACK)).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_holds_where_all_prices_lose(seed):
    inputs = positive(random_inputs(seed, [3, 2, 4], "endings"))
    inputs = nested(replace(inputs, unit_cost=inputs.high + 100), 0.1, 0.5, 0.9)
    demand = factor_demand(seed, 4, 9, real=np.float64)

    bound = price_totals(demand, inputs, np.eye(4)).bound

    for category in range(3):
        for segment in range(4):
            market, rows = category_of(demand, inputs, category, segment)
            rungs = [
                oracle.rungs_between(low, high, 100, LADDERS["endings"][1])
                for low, high in zip(inputs.low[rows], inputs.high[rows], strict=True)
            ]
            best = oracle.best_profit(rungs, market)
            assert best - 1e-9 <= bound[category, segment] < 0.3 * best


def test_a_dissimilarity_of_1_changes_no_bit():
    inputs, demand = random_inputs(3, [3, 1, 0, 4]), factor_demand(3, 70, 8)

    assert_same_bits(price_cells(demand, inputs), price_cells(demand, nested(inputs, 1.0)))


def test_without_an_outside_option_no_dissimilarity_changes_a_bit():
    inputs, demand = random_inputs(3, [3, 1, 0, 4], has_outside_option=False), factor_demand(3, 70, 8)

    assert_same_bits(price_cells(demand, inputs), price_cells(demand, nested(inputs, 0.2)))


def test_no_segment_depends_on_the_others_of_its_block():
    inputs, demand = nested(random_inputs(5, [3, 1, 0, 4]), *MIXED), factor_demand(5, 70, 8)

    whole, part = price_cells(demand, inputs), price_cells(segments_of(demand, np.array([69, 3])), inputs)

    for name in ("price", "probability", "binding_side", "category_value"):
        assert np.array_equal(getattr(whole, name)[:, [69, 3]], getattr(part, name)), name


@pytest.mark.parametrize(("appeal", "sensitivity"), [(1e6, 10), (1e3, 1e5), (1e6, 1e6)])
def test_extreme_demands_end_with_finite_numbers(appeal, sensitivity):
    inputs = nested(random_inputs(1, [3, 2, 1]), 0.05, 0.5, 0.95)

    for sign in (1, -1):
        cells = price_cells(extreme_demand(1, (5, 6), sign * appeal, sensitivity), inputs)

        assert (cells.price >= inputs.low[:, None]).all()
        assert (cells.price <= inputs.high[:, None]).all()
        assert np.isfinite(cells.probability).all()
        assert np.isfinite(cells.category_value).all()


def test_probabilities_are_those_of_the_nested_logit():
    inputs, demand = nested(random_inputs(2, [3, 1, 2, 4]), *MIXED), factor_demand(2, 6, 10, real=np.float64)
    price = np.random.default_rng(2).uniform(100, 400, (10, 6))

    probability = choice_probabilities(demand, inputs.shelf, price)
    draws = Draws(np.ones((1, 6, 1)), np.zeros(4, int))
    expected = expected_outcomes(demand, inputs, draws, price, "means")

    for category in range(4):
        for segment in range(6):
            market, rows = category_of(demand, inputs, category, segment)
            utility = market["appeal"] - market["sensitivity"] * (price[rows, segment] / market["reference_price"] - 1)
            chosen = oracle.choice(utility, market["on_shelf"], True, market["dissimilarity"])
            assert probability[rows, segment] == pytest.approx(chosen, rel=1e-9)
            assert expected.probability[rows, segment] == pytest.approx(chosen, rel=1e-9)
            assert expected.category_value[category, segment] == pytest.approx(
                oracle.profit(price[rows, segment], market), rel=1e-9, abs=1e-9
            )


def test_the_own_elasticity_is_the_logits_with_switching_choosers():
    inputs, demand = nested(positive(random_inputs(2, [3, 1, 2, 4])), *MIXED), factor_demand(2, 6, 10, real=np.float64)
    price = np.random.default_rng(2).uniform(100, 400, (10, 6))
    step = 1e-5

    share, slope = choice_probabilities(demand, inputs.shelf, price), utility_lines(demand, inputs.shelf)[1]
    elasticity = own_elasticities(share, price, slope, inputs.shelf)
    draws = Draws(np.ones((1, 6, 1)), np.zeros(4, int))
    ends = expected_outcomes(demand, inputs, draws, price, "elasticity_interval").elasticity_interval

    for p in range(10):
        up, down = (
            choice_probabilities(demand, inputs.shelf, price * np.exp(sign * step * (np.arange(10) == p))[:, None])[p]
            for sign in (1, -1)
        )
        assert elasticity[p] == pytest.approx(np.log(up / down) / (2 * step), rel=1e-6)
    assert ends[0] == pytest.approx(elasticity, rel=1e-9)
    assert ends[1] == pytest.approx(elasticity, rel=1e-9)


def test_a_stationary_price_is_the_sum_of_its_parts():
    inputs = nested(continuous(positive(random_inputs(4, [3, 2])), stretch=40), 0.3, 0.8)
    inputs = replace(inputs, low=np.zeros(5))
    demand = factor_demand(4, 3, 5, real=np.float64)
    price = price_cells(demand, inputs).price
    draws = Draws(np.ones((1, 3, 1)), np.zeros(2, int))

    parts = expected_outcomes(demand, inputs, draws, price, "price_parts")

    is_inside = price < inputs.high[:, None] - 1e-6
    total = inputs.unit_cost[:, None] + parts.markup + parts.opportunity
    assert is_inside.any()
    assert price[is_inside] == pytest.approx(total[is_inside], rel=1e-6)


@pytest.mark.parametrize("wrong", [0.0, 1.2, np.nan])
def test_a_dissimilarity_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=r"Shelf\.dissimilarity must"):
        nested(random_inputs(1, [2, 1]), 0.5, wrong)


def test_the_logarithm_keeps_its_stated_float32_error():
    x = np.concatenate([np.logspace(-37, 38, 5001), np.linspace(0.5, 2, 5001)]).astype(np.float32)

    error = np.array([logarithm(value) for value in x]) - np.log(x.astype(float))

    assert (np.abs(error) < 4e-7 + 2e-7 * np.abs(np.log(x))).all()
