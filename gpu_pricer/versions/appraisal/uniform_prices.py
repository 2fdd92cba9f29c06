"""What one price per product for all segments would earn, so that a run can say what prices by segment add."""

from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from gpu_pricer.constraints import ConstrainedProblem, MarketData, is_met, objective_weights
from gpu_pricer.errors import InputError
from gpu_pricer.policy import Policy, with_rule_columns
from gpu_pricer.pricing import match_products, problem_of
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from gpu_pricer.pricing.tiles.tally import tally_of
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.schemas import category_key
from gpu_pricer.tables.version.names import RECORD

MOST_CELLS = 1_000_000
"""Products on the shelf × segments up to which uniform prices are sought: a search of some seconds."""


@dataclass(frozen=True)
class UniformProfit:
    """The profit of one price per product, in currency per period.

    profit: of the prices found; under constraints, the most that prices which meet them can earn, by the Lagrangian
    bound at the version's multipliers. is_bound: which of the two it is. The search for uniform prices is local.
    """

    profit: float
    is_bound: bool


def uniform_profit(
    artefact: DemandArtefact, catalog: pl.DataFrame, policy: Policy, folder: Path, backend: str
) -> UniformProfit | None:
    """Return the profit of one price per product for all segments under the policy of a version in a folder.

    None for a catalog of more than MOST_CELLS, and where the rules couple the cells otherwise, have one price already,
    or cannot be proven for it: a family, a budget of changes, limits per product, of single segments or not met, or an
    objective that is not profit. catalog: with the columns that the policy reads; products off the shelf earn nothing.
    """
    bounds, constraints = policy.bounds, policy.active_constraints
    if bounds.max_segment_ratio == 1 or bounds.max_changes is not None or bounds.family_column is not None:
        return None
    if policy.objective.revenue:
        return None
    shelf = match_products(catalog, artefact).products.filter(pl.col("availability") > 0)
    on_shelf = catalog.join(shelf.select("product_id"), on="product_id", how="semi", maintain_order="left")
    if on_shelf.height * artefact.segments.height > MOST_CELLS or not on_shelf.height:
        return None
    policy = policy.of_categories(on_shelf.select(category_key()).to_series())
    tied = replace(policy, bounds=replace(bounds, max_segment_ratio=1.0))
    problem = problem_of(artefact, match_products(with_rule_columns(on_shelf, tied.bounds), artefact), tied)
    if not constraints:
        tally = tally_of(solve_tile(problem, 0, problem.category_count, backend))
        return UniformProfit(tally.profit_new, is_bound=False)
    is_per_product = any(constraint.per is not None for constraint in constraints.values())
    if is_per_product or not is_met(folder / RECORD):
        return None
    market = MarketData(on_shelf, artefact.segments, artefact.info.currency)
    try:
        constrained = ConstrainedProblem(problem, constraints, market, backend)
    except InputError:  # a limit of single segments
        return None
    weights = objective_weights(policy.objective)
    bound = constrained.value_at(weights, constrained.read_start(folder / RECORD))
    return UniformProfit(bound / policy.objective.profit, is_bound=True)
