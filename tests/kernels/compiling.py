"""Compile the CPU loops for every type of demand and price, one after the other, into numba's cache.

    python -m tests.kernels.compiling

Tests that start together in several processes then load the loops; without this each process would compile all of them
at the same time as the others.
"""

from dataclasses import replace

import numpy as np

from kernels import Draws, Ladders, choice_probabilities, expected_cells, price_cells, utility_lines
from tests.kernels.markets import factor_demand, random_inputs

CONTINUOUS = Ladders.of((0, []))
"""On it every price exists, so that prices are floats, and not whole cents."""


def compile_loops() -> None:
    """Price a market of two categories in float64 and in float32, on rungs and on a continuous ladder."""
    inputs = random_inputs(0, [3, 2])
    for real in (np.float64, np.float32):  # float32 last: the tests in the CUDA simulator compile it meanwhile
        demand = factor_demand(0, 4, 5, real=real)
        priced = price_cells(demand, inputs)
        price_cells(demand, replace(inputs, ladders=CONTINUOUS))
        choice_probabilities(demand, inputs.shelf, priced.price)
        utility_lines(demand, inputs.shelf)
    draws = Draws(np.ones((2, 4, 3)), np.arange(2))
    expected_cells(demand, inputs, draws, priced)


if __name__ == "__main__":
    compile_loops()
