"""What prices add up to, and the bound that no prices exceed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import best_prices, choice_probabilities, choice_totals, price_cells, price_totals
from tests.kernels import oracle
from tests.kernels.markets import LADDERS, category_of, factor_demand, positive, random_inputs
from tests.kernels.test_laws import few, seeds, sizes
from tests.kernels.test_precision import grocery

SUMS_OF_FLOAT32 = 1e-6
"""Relative: float64 sums of numbers that are right to some roundings of float32."""


def visits_of(segments, classes=2):
    """Return visits [C, S] in which every segment belongs to one class."""
    rng = np.random.default_rng(segments)
    return rng.uniform(1, 9, segments) * (np.arange(segments) % classes == np.arange(classes)[:, None])


@given(seeds, sizes, st.sampled_from(list(LADDERS)), st.integers(1, 130))
@few
def test_totals_are_those_of_the_cells(seed, sizes, kind, segments):
    inputs = random_inputs(seed, sizes, kind)
    demand, visits = factor_demand(seed, segments, inputs.shelf.product_count), visits_of(segments)

    priced = price_cells(demand, inputs, visits=visits)

    chosen = priced.probability.astype(float) @ visits.T
    revenue = (priced.probability.astype(float) * priced.price) @ visits.T
    assert priced.totals.chosen == pytest.approx(chosen, rel=1e-12)
    assert priced.totals.revenue == pytest.approx(revenue, rel=1e-12)


def test_one_class_of_visits_may_be_a_vector():
    inputs, demand = random_inputs(1, [3, 2]), factor_demand(1, 9, 5)
    visits = visits_of(9, classes=1)

    vector, matrix = price_cells(demand, inputs, visits=visits[0]), price_cells(demand, inputs, visits=visits)

    assert vector.totals.chosen.shape == (5, 1)
    assert np.array_equal(vector.totals.revenue, matrix.totals.revenue)


@given(seeds, sizes, st.sampled_from([np.float32, np.float64]))
@few
def test_totals_without_cells_are_the_same(seed, sizes, real):
    inputs = random_inputs(seed, sizes, "endings")
    demand, visits = factor_demand(seed, 70, inputs.shelf.product_count, real=real), visits_of(70)

    cells, totals = price_cells(demand, inputs, visits=visits), price_totals(demand, inputs, visits)

    assert np.array_equal(cells.totals.chosen, totals.totals.chosen)
    assert np.array_equal(cells.totals.revenue, totals.totals.revenue)
    assert np.array_equal(cells.category_value, totals.category_value)


@given(seeds, sizes, st.sampled_from(list(LADDERS)))
@few
def test_prices_alone_are_the_same(seed, sizes, kind):
    inputs = random_inputs(seed, sizes, kind)
    demand = factor_demand(seed, 70, inputs.shelf.product_count)
    out = np.zeros((inputs.shelf.product_count, 70), np.int32)

    price = best_prices(demand, inputs, out=out)

    assert price is out
    assert np.array_equal(price, price_cells(demand, inputs).price)


def test_prices_go_only_where_they_fit():
    inputs, demand = random_inputs(1, [3, 2]), factor_demand(1, 9, 5)

    with pytest.raises(ValueError, match=r"out must be int32 \(5, 9\); found float32 \(5, 9\)"):
        best_prices(demand, inputs, out=np.zeros((5, 9), np.float32))


@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize("seed", range(4))
def test_the_bound_is_what_the_best_prices_earn(seed, kind):
    inputs = positive(random_inputs(seed, [3, 1, 2], kind))
    demand, visits = factor_demand(seed, 4, 6), visits_of(4)
    period, endings = LADDERS[kind]

    bound = price_totals(demand, inputs, visits).bound

    for category in range(3):
        best = np.zeros(4)
        for segment in range(4):
            market, rows = category_of(demand, inputs, category, segment)
            bounds = zip(inputs.low[rows], inputs.high[rows], strict=True)
            best[segment] = oracle.best_profit([oracle.rungs_between(*b, period, endings) for b in bounds], market)
        assert bound[category] == pytest.approx(visits @ best, rel=2e-6, abs=1e-4)


@given(seeds, st.floats(0, 400))
@few
def test_the_bound_is_safe_and_the_prices_the_same_from_any_start(seed, category_value):
    inputs = random_inputs(seed, [3, 2, 4], "endings")
    demand, visits = factor_demand(seed, 6, 9, real=np.float64), visits_of(6)

    cold = price_totals(demand, inputs, visits)
    warm = price_totals(demand, inputs, visits, category_value=np.full((3, 6), category_value))

    profit = (inputs.weight * (cold.totals.revenue.T - inputs.unit_cost * cold.totals.chosen.T)).T
    reached = np.add.reduceat(profit, inputs.shelf.category_start[:-1])
    assert (cold.bound >= reached - 1e-9 * np.abs(reached)).all()
    assert warm.totals.revenue == pytest.approx(cold.totals.revenue, rel=1e-9)


def test_a_warm_start_from_the_answer_takes_one_pass():
    single, inputs = grocery(5, 4, 30, 70)
    demand = replace(single, **{name: array.astype(float) for name, array in vars(single).items()})
    cold = price_cells(demand, inputs)

    warm = price_cells(demand, inputs, category_value=cold.category_value)

    assert warm.steps == 1
    assert cold.steps > 2
    assert np.array_equal(warm.price, cold.price)


@pytest.mark.parametrize("segments", [5, 64, 100])
def test_totals_at_given_prices_are_those_of_the_probabilities(segments):
    inputs = random_inputs(5, [4, 0, 3])
    demand, visits = factor_demand(5, segments, 7), visits_of(segments)
    price = np.random.default_rng(5).uniform(100, 400, (7, 1))

    totals = choice_totals(demand, inputs.shelf, price, visits)

    probability = choice_probabilities(demand, inputs.shelf, price).astype(float)
    assert totals.chosen == pytest.approx(probability @ visits.T, rel=SUMS_OF_FLOAT32)
    assert totals.revenue == pytest.approx((probability * price) @ visits.T, rel=SUMS_OF_FLOAT32)


def test_a_bound_needs_an_outside_option():
    inputs = random_inputs(1, [3], has_outside_option=False)

    with pytest.raises(ValueError, match="needs an outside option"):
        price_totals(factor_demand(1, 4, 3), inputs, np.ones(4))


def test_visits_without_a_class_are_refused():
    with pytest.raises(ValueError, match=r"visits must have at least one class of segments; found \(0, 4\)"):
        price_totals(factor_demand(1, 4, 3), random_inputs(1, [3]), np.empty((0, 4)))


@pytest.mark.parametrize(
    ("category_value", "message"), [(np.zeros((2, 4)), "category_value must have shape"), ([0.0], "NumPy array")]
)
def test_a_start_of_another_shape_is_refused(category_value, message):
    with pytest.raises(ValueError, match=message):
        price_cells(factor_demand(1, 4, 3), random_inputs(1, [3]), category_value=category_value)


def test_products_off_the_shelf_sell_nothing():
    inputs = random_inputs(2, [2, 3])
    hidden = replace(inputs, shelf=replace(inputs.shelf, on_shelf=np.zeros(5, bool)))

    totals = price_totals(factor_demand(2, 3, 5), hidden, np.ones(3))

    assert (totals.totals.chosen == 0).all()
    assert (totals.bound == 0).all()
