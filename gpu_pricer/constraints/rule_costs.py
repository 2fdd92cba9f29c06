"""What each rule of a policy costs: the objective without the rule, all else equal, less the objective with it.

The costs do not add up: of two rules that set the same prices, each costs little alone. A rule that overrules another
rule can even have a negative cost, because without the first rule the other one binds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from gpu_pricer.constraints.constrained_problem import MarketData, solve_constrained
from gpu_pricer.policy.anchor import MOST_DECREASE, MOST_INCREASE
from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.posterior_draws import POINT
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, pricing_problem
from gpu_pricer.pricing.tiles.solved_tile import solve_tile
from gpu_pricer.pricing.tiles.solving import choose_changes
from gpu_pricer.pricing.tiling import Tiling
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.price_table import CENTS

RULE_OFF: Mapping[str, object] = {
    "max_decrease": None,
    "max_increase": None,
    "max_decrease_amount": None,
    "max_increase_amount": None,
    "anchor": None,
    "pack_sizes": None,
    "min_days_between_changes": None,
    "min_change": None,
    "min_margin_rate": None,
    "within_support": False,
    "below_list_price": False,
    "max_below_competitor": None,
    "max_above_competitor": None,
    "floor_column": None,
    "ceiling_column": None,
    "family_column": None,
    "frozen": None,
    "max_changes": None,
    "max_segment_ratio": None,
}
"""The value of each field of Bounds that switches its rule off."""


def without_each(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """Yield the key of every rule in force, and the policy without this rule."""
    bounds: Bounds = policy.bounds
    for name, off in RULE_OFF.items():
        if getattr(bounds, name) != off:
            changes: dict[str, object] = {name: _unlimited(bounds.anchor) if name == "anchor" else off}
            yield f"bounds.{name}", replace(policy, bounds=replace(bounds, **changes))  # type: ignore[arg-type]
    if policy.ladder is not None:
        yield "ladder", replace(policy, ladder=None)
    if policy.category_ladders:
        yield "category_ladders", replace(policy, category_ladders={})
    for name in policy.active_constraints:
        others = {other: entry for other, entry in policy.constraints.items() if other != name}
        yield f"constraints.{name}", replace(policy, constraints=others)
    if policy.overrides is not None:
        yield "overrides", replace(policy, overrides=None)


def _unlimited(anchor: dict[str, Any] | None) -> dict[str, Any]:
    """Return the anchor with limits that no price meets; constraints may be relative to its prices all the same."""
    return (anchor or {}) | {"max_decrease": MOST_DECREASE, "max_increase": MOST_INCREASE}


def rule_costs(
    artefact: DemandArtefact,
    catalog: pl.DataFrame,
    policy: Policy,
    tiling: Tiling,
    backend: str,
    certified: float | None = None,
    uncertainty: str = POINT,
) -> dict[str, object]:
    """Return a period's objective in currency, and for every rule in force the objective without it and its cost.

    certified: the objective with all rules, None if it is not known. Each rule takes one pass over all cells, a tile at
    a time; under constraints it takes the passes of a new search for multipliers. Where constraints are relaxed, a rule
    can seem to raise the objective, because the constraints are relaxed less without the rule.
    """
    market = MarketData(catalog, artefact.segments, artefact.info.currency)

    def objective(of: Policy) -> float:
        """Return the objective in currency of the best prices under a policy."""
        problem = pricing_problem(artefact, catalog, of, uncertainty)
        if not of.active_constraints:
            return _objective(problem, of, tiling, backend)
        return solve_constrained(problem, of.objective, of.active_constraints, market, backend).solution.objective

    value = objective(policy) if certified is None else certified
    others = {name: objective(other) for name, other in without_each(policy)}
    costs = {name: {"objective_without": other, "cost": other - value} for name, other in others.items()}
    ranked = dict(sorted(costs.items(), key=lambda item: -item[1]["cost"]))
    return {"objective": value, "currency": artefact.info.currency, "costs": ranked}


def _objective(problem: PricingProblem, policy: Policy, tiling: Tiling, backend: str) -> float:
    """Return a period's objective in currency for a policy without constraints."""
    segments = len(problem.segments.segment_id)
    problem = choose_changes(problem, tiling.all_tiles(problem.products.category_start, segments), backend)
    total = 0.0
    for first, last in tiling.all_tiles(problem.products.category_start, segments):
        category_value = solve_tile(problem, first, last, backend).cells.category_value
        total += float((category_value.astype(np.float64) @ problem.segments.visits).sum())
    return (policy.objective.profit + policy.objective.revenue) * total / CENTS
