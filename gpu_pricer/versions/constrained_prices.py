"""The part of `score` that meets the policy's constraints, before any price is written."""

import logging
from pathlib import Path
from typing import NamedTuple

from gpu_pricer.constraints.category_sums import CATEGORY_SUMS, CategorySums, write_category_sums
from gpu_pricer.constraints.certificate import MET, MISSED, Certificate, clear
from gpu_pricer.constraints.constrained_problem import ConstrainedPrices, ConstrainedProblem, MarketData
from gpu_pricer.constraints.lagrangian_record import RecordedLagrangian, clear_lagrangian, write_lagrangian
from gpu_pricer.constraints.linear_constraints import objective_weights
from gpu_pricer.constraints.warm_start import Start
from gpu_pricer.errors import Refused
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import LagrangianWeights

log = logging.getLogger(__name__)


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
        "constraints %s: within %.2g %% of the best, %s passes",
        found.certificate.status, 100 * found.solution.gap, found.solution.passes,
    )  # fmt: skip
    return found.lagrangian


def record_constrained(constrained: ConstrainedProblem, found: ConstrainedPrices, record: Path) -> None:
    """Write the certificate, the Lagrangian and each category's part of the sums into a version's record."""
    solution, products = found.solution, constrained.subproblems.problem.products
    found.certificate.write(record)
    write_lagrangian(RecordedLagrangian(found.lagrangian, constrained.on_sums), products.product_id, record)
    sums = CategorySums(solution.sales_today, constrained.sales_anchor, solution.sums, solution.category_bound)
    write_category_sums(sums, products, list(constrained.on_sums), record)


def _refuse_unmet(certificate: Certificate, on_infeasible: str) -> None:
    """Log what unmet constraints lack; raise Refused where the policy says so, or where a limit is missed."""
    if certificate.status == MET:
        return
    shortfalls = "; ".join(certificate.shortfalls())
    if on_infeasible == "refuse" or certificate.status == MISSED:
        raise Refused(
            f"policy.constraints must be met together, found that they cannot be: {shortfalls}: "
            "loosen them, widen the bounds, or set policy.on_infeasible=relax"
        )
    log.warning("constraints that cannot be met together are relaxed: %s", shortfalls)
