"""Choice probabilities at given prices."""

from dataclasses import replace

import numpy as np
import pytest

from kernels import choice_probabilities
from tests.kernels import oracle
from tests.kernels.markets import category_of, dense_of, factor_demand, random_inputs


@pytest.mark.parametrize("has_outside_option", [True, False])
def test_float64_probabilities_are_the_oracle_s(has_outside_option):
    shelf = (inputs := random_inputs(1, [3, 1, 4], has_outside_option=has_outside_option)).shelf
    demand = factor_demand(1, 70, 8, real=np.float64)
    price = np.random.default_rng(1).uniform(100, 500, (8, 70))

    probability = choice_probabilities(demand, shelf, price)

    assert probability.dtype == np.float64
    for category in range(3):
        for segment in range(70):
            market, rows = category_of(demand, inputs, category, segment)
            relative = price[rows, segment] / market["reference_price"] - 1
            utility = market["appeal"] - market["sensitivity"] * relative
            expected = oracle.choice(utility, market["on_shelf"], has_outside_option)
            assert np.abs(probability[rows, segment] - expected).max() < 1e-14


def test_float32_probabilities_are_close_to_float64():
    shelf = random_inputs(2, [3, 4]).shelf
    demand = factor_demand(2, 20, 7)
    price = np.full((7, 1), 300)

    single, double = (choice_probabilities(d, shelf, price) for d in (demand, dense_of(demand)))

    assert single.dtype == np.float32
    assert np.abs(single - double).max() < 1e-6


def test_one_price_for_all_segments_is_repeated():
    shelf = random_inputs(2, [3, 4]).shelf
    demand = factor_demand(2, 20, 7)
    price = np.arange(200, 270, 10)[:, None]

    one = choice_probabilities(demand, shelf, price)

    assert np.array_equal(one, choice_probabilities(demand, shelf, np.repeat(price, 20, axis=1)))


def test_without_outside_option_everybody_chooses():
    shelf = random_inputs(3, [3, 4], has_outside_option=False).shelf
    shelf = replace(shelf, on_shelf=np.ones(7, bool))

    probability = choice_probabilities(factor_demand(3, 5, 7), shelf, np.full((7, 1), 300))

    assert np.add.reduceat(probability, [0, 3]) == pytest.approx(np.ones((2, 5)), abs=1e-6)


def test_prices_of_another_shape_are_refused():
    shelf = random_inputs(2, [3, 4]).shelf

    with pytest.raises(ValueError, match=r"price must have shape \(7, 5\) or \(7, 1\); found \(5, 7\)"):
        choice_probabilities(factor_demand(2, 5, 7), shelf, np.ones((5, 7)))


def test_segments_evaluated_apart_give_the_same_bits():
    shelf = random_inputs(5, [3, 1, 5]).shelf
    demand = factor_demand(5, 90, 9, factors=(19, 11))
    price = np.random.default_rng(5).uniform(100, 500, (9, 90))

    whole = choice_probabilities(demand, shelf, price)

    for part in (slice(0, 37), slice(37, 90)):
        cut = replace(
            demand,
            segment_appeal=demand.segment_appeal[part],
            segment_sensitivity=demand.segment_sensitivity[part],
        )
        assert np.array_equal(whole[:, part], choice_probabilities(cut, shelf, price[:, part]))
