"""The part of `score` that meets the policy's constraints, before any price is written."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gpu_pricer.constraints.category_sums import CATEGORY_SUMS, CategorySums, write_category_sums
from gpu_pricer.constraints.certificate import MET, MISSED, Certificate, clear
from gpu_pricer.constraints.constrained_problem import ConstrainedPrices, ConstrainedProblem, MarketData
from gpu_pricer.constraints.lagrangian_record import RecordedLagrangian, clear_lagrangian, write_lagrangian
from gpu_pricer.constraints.linear_constraints import objective_weights
from gpu_pricer.constraints.solution import EXACT, Solution
from gpu_pricer.constraints.warm_start import Start
from gpu_pricer.errors import Refused
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights

log = logging.getLogger(__name__)

LEAST_MORE = 0.005
"""Currency units of the objective from which today's prices count as better than those found."""


class PreparedConstraints(NamedTuple):
    """A problem with constraints that fit it, the policy that sets them, and where the search starts, if known."""

    constrained: ConstrainedProblem
    policy: Policy
    start: Start | None


def prepare_constraints(
    problem: PricingProblem, policy: Policy, market: MarketData, warm_start: Path | None, backend: str
) -> PreparedConstraints | None:
    """Return the policy's constraints on the problem, None for a policy without constraints; no file is changed.

    warm_start: the record of an earlier version, if any. Raise InputError for constraints that do not fit the market.
    """
    if not policy.active_constraints:
        if warm_start is not None:
            log.warning("paths.warm_start is not read: the policy has no constraints whose multipliers it could start")
        return None
    constrained = ConstrainedProblem(problem, policy.active_constraints, market, backend)
    return PreparedConstraints(constrained, policy, None if warm_start is None else constrained.read_start(warm_start))


def solve_constraints(prepared: PreparedConstraints | None, record: Path) -> LagrangianWeights | None:
    """Return the Lagrangian under which scoring meets the constraints, None without constraints.

    The certificate and the Lagrangian are written into the version's record. Raise Refused where the constraints cannot
    be met and the policy's on_infeasible is refuse, or where the prices miss a limit.
    """
    clear(record)
    clear_lagrangian(record)
    (record / CATEGORY_SUMS).unlink(missing_ok=True)
    if prepared is None:
        return None
    found = prepared.constrained.solve(objective_weights(prepared.policy.objective), prepared.start)
    _refuse_unmet(found.certificate, prepared.policy.on_infeasible)
    record_constrained(prepared.constrained, found, record)
    log.info(
        "constraints %s: within %.2g %% of the dual bound, %s passes",
        found.certificate.status, 100 * found.solution.gap, found.solution.passes,
    )  # fmt: skip
    _warn_below_today(prepared.constrained, found.solution, objective_weights(prepared.policy.objective))
    return found.lagrangian


def record_constrained(constrained: ConstrainedProblem, found: ConstrainedPrices, record: Path) -> None:
    """Write the certificate, the Lagrangian and each category's part of the sums into a version's record."""
    solution, products = found.solution, constrained.subproblems.problem.products
    found.certificate.write(record)
    write_lagrangian(RecordedLagrangian(found.lagrangian, constrained.on_sums), products.product_id, record)
    sums = CategorySums(solution.sales_today, constrained.sales_anchor, solution.sums, solution.category_bound)
    write_category_sums(sums, products, list(constrained.on_sums), record)


def _warn_below_today(constrained: ConstrainedProblem, solution: Solution, objective: np.ndarray) -> None:
    """Log that today's prices keep every rule and limit and earn more than those found; objective: weights of SUMS [6].

    The search takes the best prices for some multipliers, and few prices under one limit leave it little choice.
    """
    problem, limits, today = constrained.subproblems.problem, constrained.linear_constraints, solution.sales_today
    by_hand = problem.overrides.of_cells()
    may_stay = problem.limits.may_stay | ~problem.products.is_on_shelf
    if not may_stay.all() or (by_hand.price != problem.products.today[by_hand.product]).any():
        return
    is_met = limits.violation(limits.achieved(today.covered).sum(axis=0)) <= EXACT
    more = float((today.total @ objective).sum()) - solution.objective
    if is_met.all() and more > LEAST_MORE:
        log.warning(
            "today's prices meet every limit and count %.2f %s more for the objective than the prices found: some "
            "limits leave the search too few prices to choose among; let them hold over more products, or keep today's "
            "prices", more, constrained.currency,
        )  # fmt: skip


def _refuse_unmet(certificate: Certificate, on_infeasible: str) -> None:
    """Log what unmet constraints lack; raise Refused where the policy says so, or where a limit is missed."""
    if certificate.status == MET:
        return
    shortfalls = "; ".join(certificate.shortfalls())
    if certificate.status == MISSED:
        raise Refused(
            f"policy.constraints must be met, found that the search of prices misses them: {shortfalls}: loosen these "
            "limits by what they lack, let them hold over more products, or widen the bounds"
        )
    if on_infeasible == "refuse":
        raise Refused(
            f"policy.constraints must be met together, found that they cannot be: {shortfalls}: "
            "loosen them, widen the bounds, or set policy.on_infeasible=relax"
        )
    log.warning("constraints that cannot be met together are relaxed: %s", shortfalls)
