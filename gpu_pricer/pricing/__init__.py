"""The price of every product for every segment.

`problem` defines which products are priced and within which limits, `tiles` solves the problem some categories at a
time, `layouts` turns solved tiles into columns, and `scoring` writes the columns to files.
"""

from gpu_pricer.pricing.problem.matching import match_products
from gpu_pricer.pricing.problem.posterior_draws import POINT, POSTERIOR, UNCERTAINTIES
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, pricing_problem, problem_of
from gpu_pricer.pricing.scoring import score_tiles, table_columns, tiles_of_files
from gpu_pricer.pricing.tiles.solving import choose_changes, reference_cells
from gpu_pricer.pricing.tiling import Tiling

__all__ = [
    "POINT",
    "POSTERIOR",
    "UNCERTAINTIES",
    "PricingProblem",
    "Tiling",
    "choose_changes",
    "match_products",
    "pricing_problem",
    "problem_of",
    "reference_cells",
    "score_tiles",
    "table_columns",
    "tiles_of_files",
]
