"""Demand far beyond any market's, up to the largest that is allowed: prices still come out, and are numbers."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import LARGEST_UTILITY, choice_probabilities, price_cells, price_totals
from kernels.formulas import MOST_PASSES
from tests.kernels.markets import LADDERS, extreme_demand, random_inputs, steep_inputs

SIZES = [3, 1, 2, 4]
SEGMENTS = 3
SHAPE = (SEGMENTS, sum(SIZES))
ROUNDING = 1e-5

powers = st.floats(-3, 7)
signs = st.sampled_from([-1, 1])


@given(
    st.integers(0, 1000),
    signs,
    powers,
    signs,
    powers,
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from(list(LADDERS)),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_extreme_demand_gets_prices_that_are_numbers(
    seed, sign, appeal, other_sign, sensitivity, real, kind, has_outside_option
):
    inputs = random_inputs(seed, SIZES, kind, has_outside_option)
    demand = extreme_demand(seed, SHAPE, sign * 10.0**appeal, other_sign * 10.0**sensitivity, real)

    priced = price_cells(demand, inputs)

    assert (priced.price >= inputs.low[:, None]).all()
    assert (priced.price <= inputs.high[:, None]).all()
    starts = inputs.shelf.category_start
    bought = np.array([priced.probability[a:b].sum(axis=0) for a, b in pairwise(starts)])
    assert (bought <= 1 + ROUNDING).all()
    if not has_outside_option:
        is_there = [inputs.shelf.on_shelf[a:b].any() for a, b in pairwise(starts)]
        assert bought[is_there] == pytest.approx(1, abs=ROUNDING)
    assert np.isfinite(priced.category_value).all()
    assert np.isfinite(choice_probabilities(demand, inputs.shelf, priced.price)).all()


def test_utilities_that_no_shift_brings_into_range_end_all_the_same():
    inputs, demand = steep_inputs(11, SIZES), extreme_demand(11, SHAPE, LARGEST_UTILITY, LARGEST_UTILITY)

    priced = price_cells(demand, inputs)

    assert priced.steps > MOST_PASSES
    assert np.isfinite(priced.category_value).all()
    assert np.isfinite(priced.probability).all()


def test_a_segment_beside_one_beyond_all_range_keeps_its_bits():
    inputs = steep_inputs(11, SIZES)
    sizes = np.float32([[1e-3], [1e7], [1e-3]])
    unit = extreme_demand(11, SHAPE, 1, 1)
    demand = replace(unit, appeal=unit.appeal * sizes, sensitivity=unit.sensitivity * sizes)

    together = price_cells(demand, inputs)

    for s in range(SEGMENTS):
        alone = price_cells(
            replace(demand, appeal=demand.appeal[s : s + 1], sensitivity=demand.sensitivity[s : s + 1]), inputs
        )
        assert np.array_equal(alone.price[:, 0], together.price[:, s])
        assert np.array_equal(alone.probability[:, 0], together.probability[:, s])


def test_totals_of_extreme_demand_are_numbers():
    inputs = random_inputs(3, SIZES, "cents")
    demand = extreme_demand(3, SHAPE, LARGEST_UTILITY, LARGEST_UTILITY)

    totals = price_totals(demand, inputs, np.full(SEGMENTS, 10.0)).totals

    assert np.isfinite(totals.chosen).all()
    assert np.isfinite(totals.revenue).all()
