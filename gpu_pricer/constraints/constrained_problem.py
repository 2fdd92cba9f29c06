"""From a policy's constraints to the steering of every price, with its certificate."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.constraints.certificate import Certificate, certificate_of, read_start
from gpu_pricer.constraints.linear_constraints import goals_of, weights_of
from gpu_pricer.constraints.solver import Solution, Solver, Start
from gpu_pricer.constraints.stock import stock_of
from gpu_pricer.constraints.subproblems import Market
from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import Constraint
from gpu_pricer.policy.objective import Objective
from gpu_pricer.policy.slices import slices_of
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import Steering

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


class Planner:
    """A problem with its constraints, to be solved for one objective or for several."""

    def __init__(
        self,
        problem: PricingProblem,
        constraints: Constraints,
        catalog: pl.DataFrame,
        segments: pl.DataFrame,
        currency: str,
        backend: str,
    ) -> None:
        """catalog and segments, in any order, have the columns that the constraints read.

        InputError for constraints that do not fit them, or a demand without an outside option, whose units no price
        can change.
        """
        if not problem.has_outside_option:
            raise InputError(
                "constraints and frontiers need a demand with an outside option, found one without: remove them"
            )
        products = problem.products.product_id.to_frame("product_id")
        products = products.join(catalog, on="product_id", how="left", maintain_order="left")
        self.constraints, self.currency = constraints, currency
        self.of_sums = {name: constraint for name, constraint in constraints.items() if constraint.per is None}
        apart = problem.overrides.of_cells().kinds_of_segments(segments.height)
        slices = slices_of(self.of_sums, products, segments.sort("segment_id"), apart)
        self.market = Market(problem, slices, backend)
        today = self.market.today()
        self.today, self.covered_today = today.total.sum(axis=0), today.covered.sum(axis=0)
        self.goals, self.limit = goals_of(self.of_sums, self.covered_today), unit_limits(constraints, products)

    def plan(self, objective: np.ndarray, start: Start | None = None) -> Plan:
        """Solve it for the objective's weights of units, revenue and cost [3]."""
        stock = stock_of(self.market.problem, objective, self.limit)
        size = float(self.today @ objective)
        solution = Solver(self.market, objective, self.goals, stock, size).solve(start)
        per_product = [name for name in self.constraints if name not in self.of_sums]
        table = self._stock_table(solution) if per_product else None
        certificate = certificate_of(solution, self.of_sums, self.covered_today, table, per_product, self.currency)
        return Plan(solution, certificate)

    def read_start(self, folder: Path) -> Start:
        """Where the certificate in a folder says to start; InputError where there is none."""
        return read_start(folder, list(self.of_sums), self.market.problem.products.product_id)

    def _stock_table(self, solution: Solution) -> pl.DataFrame:
        """See Certificate.stock."""
        table = pl.DataFrame(
            {
                "product_id": self.market.problem.products.product_id,
                "limit": self.limit,
                "units": solution.sums.units,
                "rationed": solution.rationed,
                "shadow_price": solution.start.stock_price,
            }
        )
        return table.filter(pl.col("limit").is_finite())


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
    """Solve the problem under its constraints; see Planner."""
    return Planner(problem, constraints, catalog, segments, currency, backend).plan(weights_of(objective), start)


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
