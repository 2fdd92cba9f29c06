"""Floor 0: arrays in, arrays out. The price formulas, written once, and the CPU and CUDA loops over them."""

from kernels.backend import BackendUnavailable, resolve_backend
from kernels.demand import Demand, DenseDemand, FactorDemand, in_double, take_segments
from kernels.ladders import PRICE_LIMIT, Ladders
from kernels.offer import Offer, Shelf
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

__all__ = [
    "PRICE_LIMIT",
    "BackendUnavailable",
    "Demand",
    "DenseDemand",
    "FactorDemand",
    "Ladders",
    "Offer",
    "PricedCells",
    "PricedTotals",
    "Shelf",
    "Totals",
    "best_prices",
    "choice_probabilities",
    "choice_totals",
    "in_double",
    "price_cells",
    "price_totals",
    "resolve_backend",
    "take_segments",
    "utility_lines",
]
