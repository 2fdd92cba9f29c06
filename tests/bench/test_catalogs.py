"""The benchmark of the job prices the same market as that of the kernel."""

from dataclasses import replace

import numpy as np

from gpu_pricer.pricing.problem.pricing_problem import pricing_problem
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from kernels import price_cells
from tests.bench.catalogs import grocery_inputs, grocery_policy
from tests.bench.grocery_markets import MarketSize, grocery_market


def test_artefact_and_catalog_are_the_market():
    size, policy = MarketSize(products=40, segments=24, category_size=5, factors=(9, 4)), grocery_policy()
    without_margin = replace(policy, bounds=replace(policy.bounds, min_margin_rate=None))
    market = grocery_market(size)

    problem = pricing_problem(*grocery_inputs(size), without_margin)

    found = solve_tile(problem, 0, 8, "cpu").cells.price
    assert np.array_equal(found, price_cells(market.demand, market.inputs).price)
