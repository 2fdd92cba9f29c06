"""Compile the CPU loops into numba's cache: python -m kernels.compiling [--continuous] float32 float64

Processes that start later load what this one compiled. It gives way to other work on the machine, so that a job can run
it beside what needs no kernel yet. The loops are compiled for the types of demand that are named and for prices in
whole cents; --continuous: also for ladders on which every price exists.
"""

import argparse
import os
from collections.abc import Sequence

import numpy as np

from kernels.demand import FactorDemand
from kernels.inputs import PricingInputs, Shelf
from kernels.ladders import Ladders
from kernels.posterior.draws import Draws
from kernels.posterior.pricing import expected_cells
from kernels.pricing import choice_probabilities, price_cells, utility_lines
from kernels.segment_ratio import MILLION, ratio_tile
from kernels.uniform_prices import uniform_tile

TYPES = ("float32", "float64")
WHOLE_CENTS, EVERY_PRICE = Ladders.of((1, [0])), Ladders.of((0, []))
NICENESS = 5


def compile_loops(names: Sequence[str], is_continuous: bool) -> None:
    """Price a market of three products in these types of demand.

    Draws of a posterior and the search for uniform prices, which are float64, come with that type, and the search for
    segments' levels with float32.
    """
    for name in names:
        demand = _demand(np.dtype(name))
        for ladders in (EVERY_PRICE, WHOLE_CENTS) if is_continuous else (WHOLE_CENTS,):
            inputs = _inputs(np.dtype(name), ladders)
            priced = price_cells(demand, inputs)
        choice_probabilities(demand, inputs.shelf, priced.price)
        utility_lines(demand, inputs.shelf)
        if name == "float64":
            expected_cells(demand, inputs, Draws(np.ones((2, 2, 3)), np.arange(2)), priced)
            rungs = inputs.low, np.arange(4), np.arange(3)
            uniform_tile(demand, inputs.shelf, (inputs.unit_cost, inputs.weight), np.ones(2), None, rungs).climb(
                rungs[2] * 0
            )
        else:
            levels = ratio_tile(demand, inputs, 2 * MILLION)
            level = levels.rungs_at_or_below(priced.price.min(axis=1))
            levels.highest_prices(level)
            levels.propose_levels(level, priced.price, priced.category_value, np.ones(2))


def _demand(real: np.dtype) -> FactorDemand:
    """Return a demand of two segments for three products."""
    segments, products, offset = np.ones((2, 1), real), np.ones((3, 1), real), np.ones(3, real)
    return FactorDemand(
        segment_appeal=-segments,
        product_appeal=products,
        segment_sensitivity=segments,
        product_sensitivity=products,
        appeal_offset=offset,
        sensitivity_offset=offset,
    )


def _inputs(real: np.dtype, ladders: Ladders) -> PricingInputs:
    """Return the inputs of two categories of together three products."""
    price = np.array([100, 200, 300], real)
    shelf = Shelf(np.array([0, 2, 3]), reference_price=price, on_shelf=np.ones(3, bool), has_outside_option=True)
    return PricingInputs(
        shelf,
        unit_cost=price / 2,
        weight=np.ones(3, real),
        low=price - 10,
        high=price + 10,
        ladder=np.zeros(3, np.int32),
        ladders=ladders,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("types", nargs="+", choices=TYPES, help="of demand")
    parser.add_argument("--continuous", action="store_true", help="prices may be any number too")
    given = parser.parse_args()
    os.nice(NICENESS)
    compile_loops(given.types, given.continuous)
