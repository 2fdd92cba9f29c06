"""Constrained prices after events on some categories, at the multipliers that an earlier version was solved for.

The other categories keep their prices. So limits that were just met can be missed after the events, and the objective
can be further from the optimum. Both are computed exactly: what each limit reaches from the sums over all categories,
and an upper bound on the objective from the Lagrangian at the kept multipliers, which holds for any multipliers (weak
duality; Geoffrion 1974).
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.checks import require_number
from gpu_pricer.constraints.category_sums import CategorySums
from gpu_pricer.constraints.certificate import MET, MISSED
from gpu_pricer.constraints.certificate_file import CERTIFICATE, read_certificate
from gpu_pricer.constraints.constrained_problem import ConstrainedPrices, ConstrainedProblem
from gpu_pricer.constraints.lagrangian_record import read_iterates, read_multipliers
from gpu_pricer.constraints.solution import EXACT, Solution
from gpu_pricer.constraints.solver import STOCK_PASSES, TRIES
from gpu_pricer.constraints.stock_search import StockSearch
from gpu_pricer.constraints.subproblems import LagrangianSubproblems, SalesSums
from gpu_pricer.constraints.unit_value import unit_value_of
from gpu_pricer.constraints.warm_start import Start
from gpu_pricer.errors import InputError, first_line
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.tables.version.stock_record import STOCK_PRICES

log = logging.getLogger(__name__)


class NotKept(Exception):
    """The multipliers of the earlier version cannot stay; the text says why."""


@dataclass(frozen=True)
class Tolerance:
    """What keeping the multipliers may cost before they are sought anew.

    max_violation: the most that a limit may be missed by, as a share of it. max_gap_increase: the most that the gap to
    the best objective may exceed that of the version for which the multipliers were found.
    """

    max_violation: float
    max_gap_increase: float

    def __post_init__(self) -> None:
        for name in ("max_violation", "max_gap_increase"):
            require_number(f"reprice.{name}", getattr(self, name), least=0)


class Solved(NamedTuple):
    """The version for which the multipliers were found: its run, and the gap of its objective."""

    run: str
    gap: float


def require_kept(record: Path, run: str) -> Solved:
    """Return for which version the multipliers in the record of `run` were found.

    NotKept if they cannot stay; InputError where the record has no certificate.
    """
    certificate = read_certificate(record)
    try:
        kept, status = certificate["kept"], certificate["status"]
        solved = (
            Solved(run, certificate["gap"] or 0.0) if kept is None else Solved(kept["solved"], kept["gap_when_solved"])
        )
    except (LookupError, TypeError) as error:
        path = record / CERTIFICATE
        raise InputError(f"{path} must be what `gpu-pricer score` wrote, found: {first_line(error)}") from error
    if kept is None and status != MET:
        raise NotKept(f"{run} does not meet all limits, and which give way is settled anew")
    return solved


def keep_multipliers(
    constrained: ConstrainedProblem, objective: np.ndarray, record: Path, solved: Solved, tolerance: Tolerance
) -> ConstrainedPrices:
    """Return the prices of a problem at the multipliers in an earlier version's record, with their certificate.

    constrained: the problem after events, with the categories that are known from that record. A category is priced
    with the multipliers of its own recorded iterate, a new one with those of the iterate that most categories have.
    Shadow prices of stock are sought anew in the categories that are not known. NotKept where a limit or the gap goes
    beyond the tolerance, or the constraints are others.
    """
    kept = _KeptSolution(constrained, objective, record)
    found = constrained.certified(kept.solution(), tolerance.max_violation)
    _require_within(tolerance, found, solved)
    missed = float(_violation(found.solution).max(initial=0.0))
    log.info(
        "the multipliers of %s are kept: limits are missed by at most %.2g %%, the gap is %.2g %% (%.2g %% before)",
        solved.run, 100 * missed, 100 * found.solution.gap, 100 * solved.gap,
    )  # fmt: skip
    cost = {
        "solved": solved.run,
        "gap_when_solved": solved.gap,
        "largest_violation": missed,
        "categories_priced": int(kept.is_touched.sum()),
    }
    return replace(found, certificate=replace(found.certificate, summary=found.certificate.summary | {"kept": cost}))


class _KeptSolution:
    """The parts of the solution at kept multipliers: of known categories from the record, of the others evaluated."""

    def __init__(self, constrained: ConstrainedProblem, objective: np.ndarray, record: Path) -> None:
        assert constrained.earlier is not None
        self.constrained, self.objective, self.record = constrained, objective, record
        self.subproblems, self.earlier = constrained.subproblems, constrained.earlier
        self.problem = self.subproblems.problem
        self.is_touched = constrained.is_evaluated
        self.is_product_touched = np.repeat(self.is_touched, np.diff(self.problem.products.category_start))
        self.start = constrained.read_start(record)
        self.valuation = constrained.valuation(objective)
        self.stock = self.subproblems.stock

    def solution(self) -> Solution:
        """Return the prices at the kept multipliers with their sums, objective and bound."""
        lagrangian, fresh = self._with_stock_prices(self._recorded())
        sums = fresh + self._with_units(self.earlier)
        start = Start(self.start.multiplier, lagrangian.stock_price)
        constraints = self.constrained.linear_constraints
        is_missed = constraints.violation(constraints.achieved(sums.covered).sum(axis=0)) > EXACT
        bound = self._category_bound(start)
        return self.valuation.solution(lagrangian, constraints, is_missed, sums, start, bound)

    def _recorded(self) -> LagrangianWeights:
        """Return the Lagrangian of the record, for the problem after events; NotKept where constraints are others."""
        recorded = read_multipliers(self.record)
        if recorded.constraints != self.constrained.on_sums:
            raise NotKept("policy.constraints ask for other limits after the events, as of a value that is new or gone")
        known = read_iterates(self.record, self.problem.products.product_id)
        price = np.where(np.isfinite(self.stock.limit), known["stock_price"].fill_null(0.0).to_numpy(), 0.0)
        iterate = known["iterate"].fill_null(-1).to_numpy()
        return LagrangianWeights(
            objective=self.objective,
            slices=self.subproblems.slices,
            coefficient=recorded.coefficient,
            multiplier=recorded.multiplier,
            iterate=of_categories(iterate, self.problem.products.category_start, len(recorded.multiplier)),
            stock_price=price,
            unit_limit=self.stock.limit,
        )

    def _with_stock_prices(self, lagrangian: LagrangianWeights) -> tuple[LagrangianWeights, SalesSums]:
        """Return the Lagrangian with shadow prices that keep touched products to their limits, and their sales."""
        search = StockSearch(self.stock, self.problem.products.today / CENTS)
        unit_value = unit_value_of(self.problem, lagrangian)
        search.start_at(lagrangian.stock_price, unit_value)
        price = search.shadow_price(unit_value)
        for _ in range(STOCK_PASSES if self.stock.has_limits else 0):
            sums = self.subproblems.solve(replace(lagrangian, stock_price=self._touched(price, lagrangian)))[0]
            if not search.advance(sums.units, price, unit_value):
                break
            price = search.shadow_price(unit_value)
        price = self._touched(price, lagrangian)
        for _ in range(TRIES):
            priced = replace(lagrangian, stock_price=price)
            sums = self.subproblems.evaluate(priced)
            price = search.lift(sums.units, price, unit_value)
            if price is priced.stock_price:
                break
        return priced, sums

    def _touched(self, price: np.ndarray, lagrangian: LagrangianWeights) -> np.ndarray:
        """Return the shadow prices [P] of touched products, and the recorded ones of the others."""
        return np.where(self.is_product_touched, price, lagrangian.stock_price)

    def _with_units(self, earlier: CategorySums) -> SalesSums:
        """Return the known categories' sales, with the units of the products that have a limit."""
        path, units = self.record / STOCK_PRICES, np.zeros(len(self.is_product_touched))
        if path.is_file():
            table = self.problem.products.product_id.to_frame("product_id")
            sold = pl.read_parquet(path, columns=["product_id", "units"])
            joined = table.join(sold, on="product_id", how="left", maintain_order="left")
            units = np.where(self.is_product_touched, 0.0, joined["units"].fill_null(0.0).to_numpy())
        return replace(earlier.new, units=units)

    def _category_bound(self, start: Start) -> np.ndarray:
        """Return the most that each category can add to the Lagrangian [G]; known where neither it nor a limit moved.

        A limit on a ratio enters the Lagrangian with the limit itself, which may follow today's prices.
        """
        constraints, recorded = self.constrained.linear_constraints, read_multipliers(self.record)
        is_moved = (constraints.coefficient != recorded.coefficient).any(axis=1) & (start.multiplier > 0)
        covers = (self.constrained.sales_today.covered[:, is_moved] != 0).any(axis=(1, 2))
        is_stale = self.is_touched | covers
        weights = self.constrained.lagrangian_of(self.objective, start)
        stale = LagrangianSubproblems(
            self.problem, self.subproblems.slices, self.subproblems.backend, is_stale, self.constrained.unit_limit
        )
        return np.where(is_stale, stale.category_bounds(weights), self.earlier.bound)


def of_categories(iterate: np.ndarray, category_start: np.ndarray, iterates: int) -> np.ndarray:
    """Return one iterate for all products of a category, int64 [P]: the one that most of its products had.

    iterate int64 [P]: the recorded one, −1 for a new product; a category of new products takes the one that most
    products have. iterates: I, their number.
    """
    sizes = np.diff(category_start)
    category, is_known = np.repeat(np.arange(len(sizes)), sizes), iterate >= 0
    count = np.zeros((len(sizes), iterates), np.int64)
    np.add.at(count, (category[is_known], iterate[is_known]), 1)
    chosen = np.where(count.any(axis=1), count.argmax(axis=1), count.sum(axis=0).argmax())
    return np.repeat(chosen, sizes)


def _violation(solution: Solution) -> np.ndarray:
    """Return what the limits lack, as shares of their scales [K]; 0 where they are met."""
    violation = solution.linear_constraints.violation(solution.achieved)
    return np.where(violation > EXACT, violation, 0.0)


def _require_within(tolerance: Tolerance, found: ConstrainedPrices, solved: Solved) -> None:
    """Raise NotKept where a limit is missed by more than the tolerance, or the gap has grown by more."""
    violation, most = _violation(found.solution), tolerance.max_violation
    if (violation > most).any():
        worst = found.solution.linear_constraints.names[int(violation.argmax())]
        raise NotKept(
            f"policy.constraints.{worst} would be missed by {violation.max():.2g} of its limit, more than "
            f"reprice.max_violation={most:g}"
        )
    if found.certificate.status == MISSED:
        raise NotKept(f"a limit would be missed: {'; '.join(found.certificate.shortfalls())}")
    increase = found.solution.gap - solved.gap
    if not increase <= tolerance.max_gap_increase:
        raise NotKept(
            f"the gap to the best would be {found.solution.gap:.2g}, that of {solved.run} was {solved.gap:.2g}, more "
            f"than reprice.max_gap_increase={tolerance.max_gap_increase:g} below"
        )
