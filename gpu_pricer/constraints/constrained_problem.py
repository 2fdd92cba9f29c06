"""A pricing problem under the constraints of a policy: its Lagrangian, its prices and their certificate."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.constraints.category_sums import KnownCategories
from gpu_pricer.constraints.certificate import Certificate, ProductLimits, certificate_of
from gpu_pricer.constraints.linear_constraints import linear_constraints_of, objective_weights
from gpu_pricer.constraints.solution import EXACT, Solution, Valuation
from gpu_pricer.constraints.solver import Solver
from gpu_pricer.constraints.subproblems import LagrangianSubproblems, PricesOf, SalesSums
from gpu_pricer.constraints.warm_start import Start, read_start
from gpu_pricer.errors import InputError
from gpu_pricer.policy.constraint import ANCHOR_PRICES, Constraint
from gpu_pricer.policy.each import with_each_value
from gpu_pricer.policy.objective import Objective
from gpu_pricer.policy.slices import Slices, slices_of
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights

Constraints = dict[str, Constraint]


@dataclass(frozen=True)
class MarketData:
    """The tables that constraints read besides the pricing problem.

    catalog, segments: in any order, with the columns that the conditions name; currency: the name of the currency.
    """

    catalog: pl.DataFrame
    segments: pl.DataFrame
    currency: str

    def products_of(self, problem: PricingProblem) -> pl.DataFrame:
        """Return the catalog's columns of the problem's products [P], in the problem's order."""
        products = problem.products.product_id.to_frame("product_id")
        return products.join(self.catalog, on="product_id", how="left", maintain_order="left")

    def slices(self, problem: PricingProblem, constraints: Constraints) -> Slices:
        """Return the cells of the problem that each constraint counts; none has `each` or `per`. See slices_of."""
        override_kind = problem.overrides.of_cells().kinds_of_segments(self.segments.height)
        return slices_of(constraints, self.products_of(problem), self.segments.sort("segment_id"), override_kind)


@dataclass(frozen=True)
class ConstrainedPrices:
    """Prices under constraints, and their certificate."""

    solution: Solution
    certificate: Certificate

    @property
    def lagrangian(self) -> LagrangianWeights:
        """The Lagrangian whose best prices these are."""
        return self.solution.lagrangian


class DecidedCertificate(NamedTuple):
    """The certificate of prices of which people decided some.

    lowered: of each limit that the decisions broke by its name, whether they lowered a category's part, bool [G].
    """

    certificate: Certificate
    lowered: dict[str, np.ndarray]


class ConstrainedProblem:
    """A pricing problem with its constraints, to be solved for one objective or for several."""

    def __init__(
        self,
        problem: PricingProblem,
        constraints: Constraints,
        market: MarketData,
        backend: str,
        known: KnownCategories | None = None,
    ) -> None:
        """Evaluate the constraints' conditions, and the sums at today's prices.

        known: the categories of which an earlier version's record has the sums, which are not evaluated.
        InputError for constraints that do not fit the market, for a demand without an outside option, whose number of
        purchases no price can change, and for conditions on segments beside bounds.max_segment_ratio.
        """
        if not problem.has_outside_option:
            raise InputError(
                "constraints and frontiers need a demand with an outside option, found one without: remove them"
            )
        products = market.products_of(problem)
        constraints = with_each_value(constraints, products, problem.products.is_on_shelf)
        self.constraints, self.currency = constraints, market.currency
        self.on_sums = {name: constraint for name, constraint in constraints.items() if constraint.per is None}
        slices = market.slices(problem, self.on_sums)
        if problem.bounds.max_segment_ratio is not None and not slices.covers_segments_alike:
            raise InputError(
                "constraints must cover every segment alike beside bounds.max_segment_ratio, found a condition that "
                "reads a column of the segments: name products only, or set bounds.max_segment_ratio to null"
            )
        self.earlier = None if known is None else known.read(problem.products, list(self.on_sums))
        self.is_evaluated = np.ones(problem.category_count, np.bool_) if known is None else ~known.is_known
        self.unit_limit = unit_limits(constraints, products)
        self.subproblems = LagrangianSubproblems(problem, slices, backend, self.is_evaluated, self.unit_limit)
        self.sales_today, self.sales_anchor = self.subproblems.evaluate_today(), self._evaluate_anchor()
        if self.earlier is not None:
            self.sales_today += self.earlier.today
        self.today, self.covered_today = self.sales_today.total.sum(axis=0), self.sales_today.covered.sum(axis=0)
        self.covered_base = self._covered_base()
        self.linear_constraints = linear_constraints_of(self.on_sums, self.covered_base)

    def _evaluate_anchor(self) -> SalesSums | None:
        """Return the sums at the anchor's prices, None where no constraint is relative to them."""
        if not any(constraint.relative_to == ANCHOR_PRICES for constraint in self.on_sums.values()):
            return None
        sums, earlier = self.subproblems.evaluate_anchor(), None if self.earlier is None else self.earlier.anchor
        return sums if earlier is None else sums + earlier

    def _covered_base(self) -> np.ndarray:
        """Return SUMS of each constraint's slice [K, 6] at the prices that its limit is relative to, else today's."""
        if self.sales_anchor is None:
            return self.covered_today
        is_of_anchor = [constraint.relative_to == ANCHOR_PRICES for constraint in self.on_sums.values()]
        return np.where(np.array(is_of_anchor)[:, None], self.sales_anchor.covered.sum(axis=0), self.covered_today)

    def solve(self, objective: np.ndarray, start: Start | None = None) -> ConstrainedPrices:
        """Return the best prices found for the objective's weights of SUMS [6]."""
        return self.certified(Solver(self.valuation(objective), self.linear_constraints).solve(start))

    def valuation(self, objective: np.ndarray) -> Valuation:
        """Return what prices are valued by for the objective's weights of SUMS [6]."""
        return Valuation(self.subproblems, objective, self.sales_today)

    def certified(self, solution: Solution, tolerance: float = 0.0) -> ConstrainedPrices:
        """Return the prices of a solution with their certificate; tolerance: see certificate_of."""
        return ConstrainedPrices(solution, self._certificate(solution, tolerance))

    def certify(
        self,
        objective: np.ndarray,
        lagrangian: LagrangianWeights,
        start: Start,
        before: PricesOf,
        prices: PricesOf,
        eased: np.ndarray,
    ) -> DecidedCertificate:
        """Return the certificate of prices that no search found, as where people decided some of them.

        A limit that held before the decisions and does not hold after them counts as relaxed: people chose to break it.

        objective [6]: weights of SUMS. lagrangian, start: those of the prices before
        the decisions. The bound is this problem's, whose limits hold the decided prices, at the multipliers of `start`:
        any multipliers give one. Where the prices miss a limit, it bounds what prices can earn that reach as much as
        these. eased bool [K]: limits that could not be met before the decisions, and that need to reach no more than
        they did then.
        """
        subproblems, constraints = self.subproblems, self.linear_constraints
        sums = subproblems.evaluate_at(prices)
        parts = [constraints.achieved(found.covered) for found in (subproblems.evaluate_at(before), sums)]
        reached_before, reached = (part.sum(axis=0) for part in parts)
        constraints = constraints.eased(eased, reached_before)
        is_broken = (constraints.violation(reached) > EXACT) & (constraints.violation(reached_before) <= EXACT)
        constraints, eased = constraints.eased(is_broken, reached), eased | is_broken
        reached = np.minimum(constraints.required, reached)
        category_bound = subproblems.category_bounds(self.lagrangian_of(objective, start))
        solution = self.valuation(objective).solution(
            lagrangian, constraints, eased, sums, start, category_bound, replace(constraints, required=reached)
        )
        lowered = {constraints.names[k]: parts[1][:, k] < parts[0][:, k] for k in np.flatnonzero(is_broken)}
        return DecidedCertificate(self._certificate(solution, tolerance=0.0), lowered)

    def value_at(self, objective: np.ndarray, start: Start) -> float:
        """Return the most that prices which meet the constraints can earn, by the Lagrangian at known multipliers.

        In currency; the objective's weights are those of `solve`. With bounds.max_segment_ratio the search for the best
        prices is local, and so the value only nearly a bound. No constraint is per product.
        """
        value = self.subproblems.solve(self.lagrangian_of(objective, start))[1]
        return value - float(start.multiplier @ self.linear_constraints.required)

    def lagrangian_of(self, objective: np.ndarray, start: Start) -> LagrangianWeights:
        """Return the Lagrangian of one iterate with the multipliers and shadow prices of `start`."""
        return LagrangianWeights(
            objective=objective,
            slices=self.subproblems.slices,
            coefficient=self.linear_constraints.coefficient,
            multiplier=start.multiplier[None],
            iterate=np.zeros(len(self.subproblems.problem.products.cost), np.int64),
            stock_price=start.stock_price,
            unit_limit=self.subproblems.stock.limit,
        )

    def read_start(self, folder: Path) -> Start:
        """Return the start of the search that a version's record holds; InputError where it has no certificate."""
        return read_start(folder, list(self.on_sums), self.subproblems.problem.products.product_id)

    def _certificate(self, solution: Solution, tolerance: float) -> Certificate:
        limits, includes_vat = self._product_limits(solution), self.subproblems.problem.includes_vat
        return certificate_of(
            solution,
            self.on_sums,
            self.covered_today,
            self.covered_base,
            limits,
            self.currency,
            includes_vat,
            tolerance,
        )

    def _product_limits(self, solution: Solution) -> ProductLimits | None:
        names = [name for name in self.constraints if name not in self.on_sums]
        if not names:
            return None
        table = pl.DataFrame(
            {
                "product_id": self.subproblems.problem.products.product_id,
                "limit": self.unit_limit,
                "units": solution.sums.units,
                "rationed": solution.rationed,
                "shadow_price": solution.start.stock_price,
            }
        )
        return ProductLimits(names, table.filter(pl.col("limit").is_finite()))


def solve_constrained(
    problem: PricingProblem,
    objective: Objective,
    constraints: Constraints,
    market: MarketData,
    backend: str,
    start: Start | None = None,
) -> ConstrainedPrices:
    """Return the best prices found for one objective under constraints; errors as in ConstrainedProblem."""
    return ConstrainedProblem(problem, constraints, market, backend).solve(objective_weights(objective), start)


def unit_limits(constraints: Constraints, products: pl.DataFrame) -> np.ndarray:
    """Return the most units [P] that limits per product allow each product, infinite where there is none.

    products: with the columns that hold the limits. InputError where such a column is missing or holds no limits.
    """
    limit = np.full(products.height, np.inf)
    for name, constraint in constraints.items():
        if constraint.per is not None:
            limit = np.minimum(limit, _limits(name, constraint, products))
    return limit


def _limits(name: str, constraint: Constraint, products: pl.DataFrame) -> np.ndarray:
    """Return the limits [P] of one constraint."""
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
