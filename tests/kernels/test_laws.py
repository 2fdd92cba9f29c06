"""Laws that every priced tile obeys, whatever the market."""

from dataclasses import fields, replace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import DenseDemand, Ladders, Shelf, choice_probabilities, price_cells
from tests.kernels import oracle
from tests.kernels.markets import LADDERS, category_of, factor_demand, positive, random_inputs

seeds = st.integers(0, 10_000)
sizes = st.lists(st.integers(0, 6), min_size=1, max_size=4)
kinds = st.sampled_from(list(LADDERS))
few = settings(max_examples=40, deadline=None)


def products_of(demand, order):
    """Return the demand with its product axis reordered or cut."""
    names = [field.name for field in fields(demand) if not field.name.startswith("segment")]
    return replace(demand, **{name: getattr(demand, name)[order] for name in names})


def segments_of(demand, order):
    """Return the demand with its segment axis reordered or cut."""
    names = ("segment_appeal", "segment_sensitivity")
    return replace(demand, **{name: getattr(demand, name)[order] for name in names})


def inputs_of(inputs, order, category_start):
    """Return the inputs with their product axis reordered or cut."""
    shelf = Shelf(
        category_start,
        inputs.shelf.reference_price[order],
        inputs.shelf.on_shelf[order],
        inputs.shelf.has_outside_option,
    )
    names = ("unit_cost", "weight", "low", "high", "ladder")
    return replace(inputs, shelf=shelf, **{name: getattr(inputs, name)[order] for name in names})


def assert_same_bits(one, other):
    for name in ("price", "probability", "binding_side", "category_value"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@given(seeds, sizes, kinds, st.booleans())
@few
def test_price_never_leaves_its_bounds_nor_its_ladder(seed, sizes, kind, has_outside_option):
    inputs = random_inputs(seed, sizes, kind, has_outside_option)
    demand = factor_demand(seed, 5, inputs.shelf.product_count)

    price = price_cells(demand, inputs).price

    period, endings = LADDERS[kind]
    assert (price >= inputs.low[:, None]).all()
    assert (price <= inputs.high[:, None]).all()
    assert np.isin(price % period, endings).all()


@given(seeds, sizes, st.booleans())
@few
def test_no_feasible_price_earns_more(seed, sizes, has_outside_option):
    inputs = random_inputs(seed, sizes, "endings", has_outside_option)
    demand = factor_demand(seed, 1, inputs.shelf.product_count)
    rng = np.random.default_rng(seed)

    price = price_cells(demand, inputs).price[:, 0].astype(float)

    for category in range(len(sizes)):
        market, rows = category_of(demand, inputs, category, 0)
        ours = oracle.profit(price[rows], market)
        for _ in range(20):
            rungs = [
                rng.choice(oracle.rungs_between(low, high, 100, [29, 49, 79, 99]))
                for low, high in zip(inputs.low[rows], inputs.high[rows], strict=True)
            ]
            assert oracle.profit(np.array(rungs, float), market) <= ours + 2e-3


@given(seeds, sizes)
@few
def test_prices_scale_with_the_currency(seed, sizes):
    """Doubling is exact in floating point, so nothing but the unit may change."""
    inputs = replace(random_inputs(seed, sizes), ladders=Ladders.of((1, [0])))
    demand = factor_demand(seed, 5, inputs.shelf.product_count)
    shelf = replace(inputs.shelf, reference_price=2 * inputs.shelf.reference_price)
    money = {name: 2 * getattr(inputs, name) for name in ("unit_cost", "low", "high")}
    doubled = replace(inputs, shelf=shelf, ladders=Ladders.of((2, [0])), **money)

    one, two = price_cells(demand, inputs), price_cells(demand, doubled)

    assert np.array_equal(2 * one.price, two.price)
    assert np.array_equal(one.probability, two.probability)
    assert np.array_equal(2 * one.category_value, two.category_value)


@given(seeds, st.integers(1, 5), st.floats(1, 200))
@few
def test_a_higher_cost_never_lowers_its_own_price(seed, products, increase):
    inputs = positive(random_inputs(seed, [products], "endings"))
    demand = factor_demand(seed, 6, products, real=np.float64)
    cost = inputs.unit_cost.copy()
    cost[0] += increase

    before, after = price_cells(demand, inputs), price_cells(demand, replace(inputs, unit_cost=cost))

    assert (after.price[0] >= before.price[0]).all()


@given(seeds, st.integers(2, 6))
@few
def test_the_order_of_products_does_not_matter(seed, products):
    inputs = random_inputs(seed, [products], "endings")
    demand = factor_demand(seed, 6, products, real=np.float64)
    order = np.random.default_rng(seed).permutation(products)

    one = price_cells(demand, inputs)
    other = price_cells(products_of(demand, order), inputs_of(inputs, order, inputs.shelf.category_start))

    assert np.array_equal(one.price[order], other.price)
    assert np.abs(one.category_value - other.category_value).max() < 1e-9


@given(seeds, st.integers(1, 150), st.integers(0, 149), st.sampled_from([np.float32, np.float64]))
@few
def test_segments_priced_apart_give_the_same_bits(seed, segments, cut, real):
    inputs = random_inputs(seed, [3, 1, 5])
    demand = factor_demand(seed, segments, 9, factors=(19, 11), real=real)
    cut = min(cut, segments)

    whole = price_cells(demand, inputs)
    parts = [price_cells(segments_of(demand, part), inputs) for part in (slice(cut), slice(cut, None))]

    for name in ("price", "probability", "binding_side", "category_value"):
        joined = np.concatenate([getattr(part, name) for part in parts], axis=1)
        assert np.array_equal(getattr(whole, name), joined), name


@given(seeds, sizes)
@few
def test_categories_priced_apart_give_the_same_bits(seed, sizes):
    inputs = random_inputs(seed, sizes)
    demand = factor_demand(seed, 70, inputs.shelf.product_count, factors=(19, 11))

    whole = price_cells(demand, inputs)

    for category in range(len(sizes)):
        first, last = inputs.shelf.category_start[category : category + 2]
        rows = slice(first, last)
        part = price_cells(products_of(demand, rows), inputs_of(inputs, rows, np.array([0, last - first])))
        assert np.array_equal(whole.price[rows], part.price)
        assert np.array_equal(whole.probability[rows], part.probability)
        assert np.array_equal(whole.category_value[[category]], part.category_value)


def test_the_number_of_threads_changes_no_bit():
    inputs = random_inputs(3, [4, 6, 1, 8, 3])
    demand = factor_demand(3, 130, 22, factors=(64, 16))
    threads = numba.get_num_threads()

    many = price_cells(demand, inputs)
    numba.set_num_threads(1)
    one = price_cells(demand, inputs)
    numba.set_num_threads(threads)

    assert_same_bits(many, one)


def test_dense_and_factor_demand_agree():
    inputs = random_inputs(3, [4, 6])
    factors = factor_demand(3, 30, 10)
    zero = np.zeros(10, np.float32)
    appeal = (factors.segment_appeal @ factors.product_appeal.T).astype(np.float32)
    score = factors.segment_sensitivity @ factors.product_sensitivity.T
    dense = DenseDemand(
        appeal + factors.appeal_offset,
        (np.logaddexp(0, score) + factors.sensitivity_offset).astype(np.float32),
        zero,
        zero,
    )

    one, other = price_cells(factors, inputs), price_cells(dense, inputs)

    assert np.abs(one.category_value - other.category_value).max() < 1e-3


@given(seeds, st.integers(1, 5), st.floats(0.01, 500), st.booleans(), st.sampled_from([np.float32, np.float64]))
@few
def test_demand_never_rises_with_price(seed, products, increase, has_outside_option, real):
    inputs = positive(random_inputs(seed, [products], "endings", has_outside_option))
    demand = factor_demand(seed, 6, products, real=real)
    price = np.random.default_rng(seed).uniform(50, 600, (products, 1))
    higher = price.copy()
    higher[0] += increase

    before = choice_probabilities(demand, inputs.shelf, price)[0]
    after = choice_probabilities(demand, inputs.shelf, higher)[0]

    rounding = 4 * np.finfo(real).eps
    assert (after <= before * (1 + rounding)).all()


def test_own_elasticity_is_minus_slope_times_price_times_one_minus_share():
    inputs = positive(random_inputs(8, [4], "endings"))
    demand = factor_demand(8, 6, 4, real=np.float64)
    price, step = np.random.default_rng(8).uniform(150, 450, (4, 1)), 1e-3

    def share(change):
        return choice_probabilities(demand, inputs.shelf, price + change * np.eye(4)[:, :1])[0]

    central = (share(step) - share(-step)) / (2 * step) * price[0] / share(0)

    expected = []
    for segment in range(6):
        market, _ = category_of(demand, inputs, 0, segment)
        slope = market["sensitivity"][0] / market["reference_price"][0]
        expected.append(-slope * price[0, 0] * (1 - share(0)[segment]))
    assert central == pytest.approx(expected, rel=1e-7)
