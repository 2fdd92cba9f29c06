"""The rungs around a price: the scalar form against known rungs, the CPU's vector form against the scalar one."""

from dataclasses import replace

import numpy as np
import pytest

from kernels import Ladders
from kernels.cpu.product_block import move_to_best_rungs
from kernels.cpu.worker_memory import new_worker_memory
from kernels.formulas import better_price, clip, rung_unless_outside
from kernels.product_records import product_columns, product_records
from kernels.rungs import bracket, number_of, prices_around, rung_of
from kernels.tile import LANES
from tests.kernels.markets import factor_demand, random_inputs

ENDINGS = [29, 49, 79, 99]


def product_on(low, high):
    """Return the record of a product with uneven endings between bounds in two periods, and the endings."""
    inputs = replace(
        random_inputs(1, [1], "endings"),
        weight=np.float32([1]),
        low=np.float32([low]),
        high=np.float32([high]),
        ladders=Ladders.of((100, ENDINGS)),
    )
    columns = product_columns(factor_demand(1, 1, 1), inputs.shelf, inputs)
    return product_records(columns, inputs.shelf.category_start, np.dtype(np.float32))[0], np.float32(ENDINGS)


@pytest.mark.parametrize(
    ("price", "below", "above"), [(129, 129, 129), (130, 129, 149), (199.5, 199, 229), (3, -1, 29)]
)
def test_bracket_holds_the_price_between_neighbouring_rungs(price, below, above):
    product, endings = product_on(129, 499)

    assert bracket(product, endings, np.float32(price), np.float32(price)) == (below, above)


@pytest.mark.parametrize(
    ("low", "high", "price", "below", "above"),
    [(129, 137, 130, 129, 137), (140, 149, 140, 140, 140), (140, 149, 143, 140, 149), (129, 499, 200, 199, 229)],
)
def test_a_bound_off_the_ladder_is_one_of_the_prices_around(low, high, price, below, above):
    product, endings = product_on(low, high)

    assert prices_around(product, endings, np.float32(price)) == (below, above)


def test_numbers_count_the_rungs():
    product, endings = product_on(129, 499)
    rungs = [100 * k + ending for k in range(1, 5) for ending in ENDINGS]

    numbers = [number_of(product, endings, np.float32(rung)) for rung in rungs]

    assert numbers == list(range(numbers[0], numbers[0] + len(rungs)))
    assert [rung_of(product, endings, number) for number in numbers] == rungs


@pytest.mark.parametrize(("low", "high"), [(129, 499), (122, 499), (129, 490)])
def test_the_vector_form_finds_the_prices_of_the_scalar_form(low, high):
    product, endings = product_on(low, high)
    rng, work = np.random.default_rng(1), new_worker_memory(1, 1, np.dtype(np.float32))
    row, state = work.rows[0, 0], work.state[0]
    wide = rng.uniform(50, 600, LANES).astype(np.float32)
    row["unconstrained_price"] = wide
    row["slope"] = rng.uniform(0.003, 0.03, LANES)
    state["category_value"] = rng.uniform(0, 200, LANES)

    move_to_best_rungs(product, endings, row, state)

    for s in range(LANES):
        price = clip(wide[s], product["low"], product["high"])
        best = better_price(
            *map(np.float32, prices_around(product, endings, np.float32(price))),
            *(row["slope"][s], product["unit_cost"], product["weight"], state["category_value"][s]),
        )
        expected = rung_unless_outside(np.float32(best), wide[s], product["low"], product["high"])
        assert row["unconstrained_price"][s] == expected
