"""Prices and choices of many products for many segments: arrays in, arrays out.

The package holds the price formulas, each written once, and the CPU and CUDA loops over them.
"""

from kernels.backend import BackendUnavailable, resolve_backend
from kernels.compiled import is_compiled
from kernels.demand import (
    LARGEST_UTILITY,
    Demand,
    DenseDemand,
    FactorDemand,
    in_double,
    largest_product,
    take_segments,
)
from kernels.inputs import LEAST_DISSIMILARITY, PricingInputs, Shelf
from kernels.ladders import PRICE_LIMIT, Ladders
from kernels.outputs import BindingSide
from kernels.posterior.draws import Draws
from kernels.posterior.outcomes import INTERVAL_ENDS, LEAST_OTHERS, Outcomes
from kernels.posterior.pricing import expected_cells, expected_choices, expected_outcomes, expected_totals
from kernels.pricing import (
    PricedCells,
    PricedTotals,
    Totals,
    best_prices,
    choice_probabilities,
    choice_totals,
    price_cells,
    price_totals,
    utility_lines,
)
from kernels.substitution import own_elasticities, switching_factors
from kernels.uniform_prices import uniform_tile

__all__ = [
    "INTERVAL_ENDS",
    "LARGEST_UTILITY",
    "LEAST_DISSIMILARITY",
    "LEAST_OTHERS",
    "PRICE_LIMIT",
    "BackendUnavailable",
    "BindingSide",
    "Demand",
    "DenseDemand",
    "Draws",
    "FactorDemand",
    "Ladders",
    "Outcomes",
    "PricedCells",
    "PricedTotals",
    "PricingInputs",
    "Shelf",
    "Totals",
    "best_prices",
    "choice_probabilities",
    "choice_totals",
    "expected_cells",
    "expected_choices",
    "expected_outcomes",
    "expected_totals",
    "in_double",
    "is_compiled",
    "largest_product",
    "own_elasticities",
    "price_cells",
    "price_totals",
    "resolve_backend",
    "switching_factors",
    "take_segments",
    "uniform_tile",
    "utility_lines",
]
