"""The part of `score` that meets the policy's constraints, before any price is written."""

import logging
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.constraints.certificate import MET, MISSED, Certificate, clear
from gpu_pricer.constraints.constrained_problem import Planner
from gpu_pricer.constraints.linear_constraints import weights_of
from gpu_pricer.constraints.solver import Start
from gpu_pricer.errors import Refused
from gpu_pricer.policy.policy import Policy
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from gpu_pricer.pricing.tiles.lagrangian import Steering

log = logging.getLogger(__name__)


class Demanded(NamedTuple):
    """A problem with constraints that fit it, the policy they are of, and where to look for the multipliers first."""

    planner: Planner
    policy: Policy
    start: Start | None


def demanded(
    problem: PricingProblem,
    policy: Policy,
    catalog: pl.DataFrame,
    segments: pl.DataFrame,
    currency: str,
    warm_start: Path | None,
    backend: str,
) -> Demanded | None:
    """What the policy demands of sums over the assortment, None for nothing; no file is changed.

    catalog: product_id and the columns that constraints read; segments: the artefact's. InputError for constraints
    that do not fit them.
    """
    if not policy.asked:
        if warm_start is not None:
            log.warning("paths.warm_start is not read: the policy has no constraints whose multipliers it could start")
        return None
    planner = Planner(problem, policy.asked, catalog, segments, currency, backend)
    return Demanded(planner, policy, None if warm_start is None else planner.read_start(warm_start))


def steer(found: Demanded | None, record: Path) -> Steering | None:
    """What the constraints make of the prices; their certificate is written into the record.

    Refused where they cannot be met and the policy says so.
    """
    clear(record)
    if found is None:
        return None
    plan = found.planner.plan(weights_of(found.policy.objective), found.start)
    _refuse_unmet(plan.certificate, found.policy.on_infeasible)
    plan.certificate.write(record)
    log.info(
        "constraints %s: within %.2g %% of the best, %s passes",
        plan.certificate.status, 100 * plan.solution.gap, plan.solution.passes,
    )  # fmt: skip
    return plan.steering


def _refuse_unmet(certificate: Certificate, on_infeasible: str) -> None:
    """Say which constraints are not met, and by how much; Refused if that is how the policy wants it."""
    if certificate.status == MET:
        return
    said = "; ".join(certificate.shortfalls())
    if on_infeasible == "refuse" or certificate.status == MISSED:
        raise Refused(
            f"policy.constraints must be met together, found that they cannot be: {said}: "
            "loosen them, widen the bounds, or set policy.on_infeasible=relax"
        )
    log.warning("constraints that cannot be met together are relaxed: %s", said)
