"""Compile the CPU loops for the types of demand that are named, and every type of price, into numba's cache.

    python -m tests.kernels.compiling float64 float32

Tests that start together in several processes then load the loops; without this each process would compile all of them
at the same time as the others.
"""

import sys
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from kernels import Draws, Ladders, choice_probabilities, expected_cells, price_cells, utility_lines
from tests.kernels.markets import factor_demand, random_inputs

CONTINUOUS = Ladders.of((0, []))
"""On it every price exists, so that prices are floats, and not whole cents."""


def compile_loops(names: Iterable[str]) -> None:
    """Price a market of two categories in these float types, on rungs and on a continuous ladder.

    Draws of a posterior, whose loops know float64 alone, come with float64.
    """
    inputs = random_inputs(0, [3, 2])
    for name in names:
        demand = factor_demand(0, 4, 5, real=np.dtype(name).type)
        priced = price_cells(demand, inputs)
        price_cells(demand, replace(inputs, ladders=CONTINUOUS))
        choice_probabilities(demand, inputs.shelf, priced.price)
        utility_lines(demand, inputs.shelf)
        if name == "float64":
            expected_cells(demand, inputs, Draws(np.ones((2, 4, 3)), np.arange(2)), priced)


if __name__ == "__main__":
    compile_loops(sys.argv[1:])
