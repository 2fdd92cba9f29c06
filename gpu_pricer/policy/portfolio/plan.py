"""From a policy's constraints to the steering of every price, with its certificate."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.objective import Objective
from gpu_pricer.policy.portfolio.certificate import Certificate, certificate_of
from gpu_pricer.policy.portfolio.constraint import Constraint
from gpu_pricer.policy.portfolio.goals import goals_of
from gpu_pricer.policy.portfolio.market import Market
from gpu_pricer.policy.portfolio.slices import slices_of
from gpu_pricer.policy.portfolio.solve import Solution, Solver, Start, objective_of
from gpu_pricer.policy.portfolio.steering import Steering
from gpu_pricer.policy.portfolio.stock import stock_of
from gpu_pricer.policy.problem import PricingProblem

Constraints = dict[str, Constraint]


@dataclass(frozen=True)
class Plan:
    """What the constraints lead to, and what is proved of it."""

    solution: Solution
    certificate: Certificate

    @property
    def steering(self) -> Steering:
        """How prices are steered."""
        return self.solution.steering


def plan(
    problem: PricingProblem,
    objective: Objective,
    constraints: Constraints,
    catalog: pl.DataFrame,
    segments: pl.DataFrame,
    currency: str,
    backend: str,
    start: Start | None = None,
) -> Plan:
    """Solve the problem under its constraints, of which there is at least one.

    catalog and segments, in any order, have the columns that the constraints read. InputError for constraints that do
    not fit them, or a demand without an outside option, whose units no price can change.
    """
    if not problem.has_outside_option:
        raise InputError(
            "policy.constraints need a demand with an outside option, found one without: remove the constraints"
        )
    products = problem.product_id.to_frame("product_id")
    products = products.join(catalog, on="product_id", how="left", maintain_order="left")
    of_sums = {name: constraint for name, constraint in constraints.items() if constraint.per is None}
    market = Market(problem, slices_of(of_sums, products, segments.sort("segment_id")), backend)
    today = market.today()
    goals, limit = goals_of(of_sums, today.covered.sum(axis=0)), unit_limits(constraints, products)
    stock = stock_of(problem, objective, limit)
    size = float(objective_of(objective, today).sum())
    solution = Solver(market, objective, goals, stock, size).solve(start)
    table = _stock_table(products["product_id"], limit, solution) if len(of_sums) < len(constraints) else None
    return Plan(solution, certificate_of(solution, of_sums, today.covered.sum(axis=0), table, currency))


def unit_limits(constraints: Constraints, products: pl.DataFrame) -> np.ndarray:
    """The most units of each product that limits per product allow, infinite where there is none [P]."""
    limit = np.full(products.height, np.inf)
    for name, constraint in constraints.items():
        if constraint.per is not None:
            limit = np.minimum(limit, _limits(name, constraint, products))
    return limit


def _limits(name: str, constraint: Constraint, products: pl.DataFrame) -> np.ndarray:
    column = str(constraint.at_most)
    if column not in products.columns or not products[column].dtype.is_numeric():
        found = products[column].dtype if column in products.columns else "no such column"
        raise InputError(
            f"constraints.{name}.at_most must be a column of numbers in the catalog, found {found} for {column!r}: "
            "mend the name or add the column"
        )
    values = products[column].cast(pl.Float64)
    bad = products.filter(values.is_not_null() & ~(values >= 0))
    if bad.height:
        raise InputError(
            f"{column} must be null or at least 0 in the catalog, found {bad.height} products where it is not, "
            f"the first {bad.select('product_id', column).row(0)}: mend the catalog"
        )
    limit = values.fill_null(np.inf).to_numpy()
    if constraint.where is None:
        return limit
    covered = slices_of({name: constraint}, products, pl.DataFrame({"everybody": [True]}))
    return np.where(covered.covers(0, 0), limit, np.inf)


def _stock_table(product_id: pl.Series, limit: np.ndarray, solution: Solution) -> pl.DataFrame:
    """See Certificate.stock."""
    table = pl.DataFrame(
        {
            "product_id": product_id,
            "limit": limit,
            "units": solution.sums.units,
            "rationed": solution.rationed,
            "shadow_price": solution.start.stock_price,
        }
    )
    return table.filter(pl.col("limit").is_finite())
