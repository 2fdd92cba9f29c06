"""The CUDA loop against the CPU's: in the simulator (NUMBA_ENABLE_CUDASIM=1) or on a GPU."""

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from kernels import LARGEST_UTILITY, DenseDemand, Ladders, best_prices, price_cells, price_totals
from kernels.formulas import MOST_PASSES
from kernels.nesting import SLACK
from tests.kernels import oracle
from tests.kernels.cuda.with_cuda import (
    CATEGORY_VALUE,
    FLOAT32_REGRET,
    QUIET,
    SUMS,
    assert_equally_good,
    assert_same_totals,
    cut,
    on_both,
    visits_of,
)
from tests.kernels.markets import (
    LADDERS,
    category_of,
    extreme_demand,
    factor_demand,
    nested,
    positive,
    random_inputs,
    steep_inputs,
    with_an_end_off_the_ladder,
    with_gaps,
)

NESTED_PASSES = 10
"""An interval of a sweep whose bound is a rounding from the limit is halved by one backend and not by the other."""

pytestmark = [pytest.mark.gpu, pytest.mark.simulator, *QUIET]


@pytest.mark.parametrize("has_outside_option", [True, False])
@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize(
    ("sizes", "segments", "threads"), [([3, 1, 0, 6], 5, 3), ([2, 5], 1, 32), ([1], 7, 1), ([1, 2], 70, 16)]
)
def test_both_backends_price_alike(cuda, monkeypatch, kind, has_outside_option, sizes, segments, threads):
    inputs = random_inputs(11, sizes, kind, has_outside_option)
    demand = factor_demand(11, segments, sum(sizes))
    cut(cuda, monkeypatch, threads=threads)

    cpu, gpu = on_both(demand, inputs)

    assert_equally_good(demand, inputs, cpu, gpu)


@pytest.mark.parametrize("kind", LADDERS)
def test_both_backends_price_alike_where_an_end_is_off_the_ladder(cuda, kind):
    inputs = with_an_end_off_the_ladder(random_inputs(5, [3, 1, 6], kind), 5)
    demand = factor_demand(5, 5, 10)

    cpu, gpu = on_both(demand, inputs)

    assert_equally_good(demand, inputs, cpu, gpu)


@pytest.mark.parametrize("kind", ["endings", "list"])
def test_both_backends_price_alike_around_a_gap(cuda, kind):
    inputs = with_gaps(random_inputs(6, [3, 1, 6], kind), 6)
    demand = factor_demand(6, 5, 10)

    cpu, gpu = on_both(demand, inputs)

    assert_equally_good(demand, inputs, cpu, gpu)


@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize(("sizes", "segments", "threads"), [([3, 1, 0, 6], 5, 3), ([2, 5], 1, 32)])
def test_both_backends_price_nested_categories_alike(cuda, monkeypatch, kind, sizes, segments, threads):
    inputs = nested(random_inputs(12, sizes, kind), *[0.2, 1.0, 0.5, 0.7][: len(sizes)])
    demand = factor_demand(12, segments, sum(sizes))
    cut(cuda, monkeypatch, threads=threads)

    cpu, gpu = on_both(demand, inputs)

    assert_equally_good(demand, inputs, cpu, gpu, passes=NESTED_PASSES)


@pytest.mark.parametrize("cost", [0, 500])
def test_both_backends_bound_nested_categories_alike(cuda, cost):
    inputs = nested(positive(random_inputs(13, [3, 1, 4])), 0.2, 0.5, 0.9)
    inputs = replace(inputs, unit_cost=inputs.unit_cost + np.float32(cost))
    demand, visits = factor_demand(13, 5, 8), visits_of(5)

    cpu, gpu = (price_totals(demand, inputs, visits, backend) for backend in ("cpu", "cuda"))

    assert_same_totals(cpu.totals, gpu.totals)
    assert gpu.bound == pytest.approx(cpu.bound, rel=2 * SLACK)


def test_nested_categories_of_extreme_utilities_end_with_finite_numbers(cuda):
    inputs, demand = nested(random_inputs(1, [3, 2]), 0.05, 0.95), extreme_demand(1, (3, 5), -1e6, 1e5)

    cells = price_cells(demand, inputs, backend="cuda")

    assert np.isfinite(cells.category_value).all()
    assert (cells.price >= inputs.low[:, None]).all()
    assert (cells.price <= inputs.high[:, None]).all()


CHANGES = {
    "segment_appeal": np.negative,
    "product_appeal": np.negative,
    "segment_sensitivity": np.negative,
    "product_sensitivity": np.negative,
    "appeal_offset": lambda given: given + 1,
    "sensitivity_offset": lambda given: given + 1,
    "unit_cost": lambda given: given - 50,
    "weight": lambda given: given + np.float32(0.5),
    "low": lambda given: given - 50,
    "high": lambda given: given + 50,
    "ladders": lambda given: Ladders.of((100, [0, 50, 75])),
    "reference_price": lambda given: given * np.float32(0.8),
    "on_shelf": np.logical_not,
    "has_outside_option": lambda given: not given,
    "dissimilarity": lambda given: np.array([0.3, 0.7]),
}
"""Another value for every field of a demand and of pricing inputs."""


@pytest.mark.parametrize("name", CHANGES)
def test_every_input_moves_both_backends_alike(cuda, name):
    demand, inputs = factor_demand(3, 3, 5), random_inputs(3, [3, 2], "cents")
    inputs = replace(inputs, low=np.float32([100, 100, 400, 100, 400]), high=np.float32([200, 600, 600, 200, 600]))
    before = price_cells(demand, inputs)
    holder = next(part for part in (demand, inputs, inputs.shelf) if hasattr(part, name))
    moved = replace(holder, **{name: CHANGES[name](getattr(holder, name))})
    if holder is demand:
        demand = moved
    else:
        inputs = moved if holder is inputs else replace(inputs, shelf=moved)

    cpu, gpu = on_both(demand, inputs)

    assert not np.array_equal(before.category_value, cpu.category_value)
    assert_equally_good(demand, inputs, cpu, gpu)


def test_every_rule_and_bound_is_met_on_the_way(cuda):
    """The comparisons above rest on this: their markets have products of every rule, at both bounds and at none."""
    from kernels.product_records import product_columns, product_records

    rules, binding_side = Counter(), Counter()
    for kind in LADDERS:
        inputs, demand = random_inputs(11, [3, 1, 0, 6], kind), factor_demand(11, 5, 10)
        columns, start = product_columns(demand, inputs.shelf, inputs), inputs.shelf.category_start
        rules.update(product_records(columns, start, demand.dtype)["rule"].tolist())
        binding_side.update(price_cells(demand, inputs, backend="cuda").binding_side.ravel().tolist())

    assert set(rules) == {0, 1, 2, 3}
    assert set(binding_side) == {-1, 0, 1}


def test_both_backends_read_dense_demand(cuda):
    rng, real = np.random.default_rng(2), np.float32
    inputs = random_inputs(2, [3, 2, 1])
    demand = DenseDemand(
        rng.normal(size=(9, 6)).astype(real),
        rng.uniform(1, 5, (9, 6)).astype(real),
        rng.normal(size=6).astype(real),
        rng.uniform(0, 1, 6).astype(real),
    )

    cpu, gpu = on_both(demand, inputs)

    assert_equally_good(demand, inputs, cpu, gpu)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_both_backends_find_the_continuous_optimum(cuda, real):
    inputs = replace(random_inputs(2, [3, 2]), ladders=Ladders.of((0, [])))

    cpu, gpu = on_both(factor_demand(2, 4, 5, real=real), inputs)

    assert gpu.price.dtype == real
    assert np.abs(cpu.price - gpu.price).max() < (1e-6 if real is np.float64 else 1e-2)


def test_both_backends_price_alike_in_float64(cuda):
    inputs, demand = random_inputs(7, [3, 2], "endings"), factor_demand(7, 4, 5, real=np.float64)

    cpu, gpu = on_both(demand, inputs)

    assert np.array_equal(cpu.price, gpu.price)
    assert cpu.category_value == pytest.approx(gpu.category_value, rel=1e-12)


@pytest.mark.parametrize("kind", LADDERS)
def test_prices_alone_are_those_of_the_cells(cuda, kind):
    inputs, demand = random_inputs(6, [3, 2], kind), factor_demand(6, 5, 5)
    out = np.zeros((5, 5), np.int32)

    price = best_prices(demand, inputs, backend="cuda", out=out)

    assert price is out
    assert np.array_equal(price, price_cells(demand, inputs, backend="cuda").price)


@pytest.mark.parametrize("sum_threads", [1, 2, 16])
def test_totals_and_bound_are_the_same_on_both(cuda, monkeypatch, sum_threads):
    inputs, demand = random_inputs(8, [3, 0, 2, 1]), factor_demand(8, 9, 6)
    cut(cuda, monkeypatch, sum_threads=sum_threads)

    cpu, gpu = (price_totals(demand, inputs, visits_of(9), backend=backend) for backend in ("cpu", "cuda"))

    assert_same_totals(cpu.totals, gpu.totals)
    assert gpu.bound == pytest.approx(cpu.bound, rel=SUMS, abs=1e-2)
    assert gpu.category_value == pytest.approx(cpu.category_value, abs=CATEGORY_VALUE)


def test_totals_of_a_continuum_count_parts_of_a_cent(cuda):
    inputs = replace(random_inputs(2, [3, 2]), ladders=Ladders.of((0, [])))
    demand = factor_demand(2, 4, 5)

    cpu, gpu = (price_totals(demand, inputs, visits_of(4), backend=backend) for backend in ("cpu", "cuda"))

    assert_same_totals(cpu.totals, gpu.totals)


@pytest.mark.parametrize("category_value", [0.1, 40.0, 400.0])
def test_any_start_leads_to_the_same_prices(cuda, category_value):
    inputs, demand = random_inputs(9, [3, 2]), factor_demand(9, 4, 5)
    start = np.full((2, 4), category_value, np.float32)

    cpu, gpu = on_both(demand, inputs, category_value=start)

    assert_equally_good(demand, inputs, cpu, gpu)
    assert np.array_equal(gpu.price, price_cells(demand, inputs, backend="cuda").price)


def test_a_warm_start_from_the_answer_takes_one_pass(cuda):
    inputs, demand = positive(random_inputs(9, [3, 2])), factor_demand(9, 4, 5, real=np.float64)
    cold = price_cells(demand, inputs, backend="cuda")

    warm = price_cells(demand, inputs, backend="cuda", category_value=cold.category_value)

    assert (cold.steps > 2, warm.steps) == (True, 1)
    assert np.array_equal(warm.price, cold.price)


@pytest.mark.parametrize("has_outside_option", [True, False])
@pytest.mark.parametrize("appeal", [-300.0, 60.0, 300.0, 1000.0])
def test_lopsided_sums_are_taken_again_on_both(cuda, monkeypatch, appeal, has_outside_option):
    inputs = positive(random_inputs(6, [3, 1], "endings", has_outside_option))
    low, high = np.full(4, 29, "f4"), np.full(4, 999_999 if has_outside_option else 999, "f4")
    inputs = replace(inputs, low=low, high=high, ladders=Ladders.of((100, [29, 99])))
    demand = replace(factor_demand(6, 3, 4), appeal_offset=np.full(4, appeal, np.float32))
    cut(cuda, monkeypatch, shared_bytes=0 if appeal == 60 else 192)

    cpu, gpu = on_both(demand, inputs)

    for category, segment in product(range(2), range(3)):
        market, rows = category_of(demand, inputs, category, segment)
        profits = [oracle.profit(cells.price[rows, segment].astype(float), market) for cells in (cpu, gpu)]
        assert profits[1] == pytest.approx(profits[0], rel=FLOAT32_REGRET)
    assert gpu.category_value == pytest.approx(cpu.category_value, rel=1e-5)


def test_utilities_that_no_shift_brings_into_range_end_on_cuda(cuda):
    inputs, demand = steep_inputs(11, [2, 3]), extreme_demand(11, (3, 5), LARGEST_UTILITY, LARGEST_UTILITY)

    gpu = price_cells(demand, inputs, backend="cuda")

    assert gpu.steps >= MOST_PASSES
    assert np.isfinite(gpu.category_value).all()
    assert gpu.probability[:2].sum(axis=0) == pytest.approx(1, abs=1e-5)


def test_a_category_that_earns_next_to_nothing_settles(cuda):
    inputs, demand = positive(random_inputs(1, [6])), factor_demand(1, 4, 6)
    sign = np.where(np.arange(6) % 2 == 0, 1, -1)
    fixed = replace(inputs, high=inputs.low, unit_cost=(inputs.low * (1 - 0.3 * sign)).astype(np.float32))

    gpu = price_cells(demand, fixed, backend="cuda")

    assert np.isfinite(gpu.category_value).all()
    assert gpu.steps < 32


@pytest.mark.parametrize("has_outside_option", [True, False])
def test_an_empty_shelf_earns_nothing_on_cuda(cuda, has_outside_option):
    inputs = random_inputs(2, [3], has_outside_option=has_outside_option)
    hidden = replace(inputs, shelf=replace(inputs.shelf, on_shelf=np.zeros(3, bool)))

    gpu = price_cells(factor_demand(2, 4, 3), hidden, backend="cuda")

    assert (gpu.category_value == 0).all()
    assert (gpu.probability == 0).all()
