"""The part of `score` that meets the policy's constraints, before any price is written."""

import logging
from pathlib import Path

import polars as pl

from gpu_pricer.errors import Refused
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.portfolio.certificate import MET, MISSED, Certificate, clear, read_start
from gpu_pricer.policy.portfolio.plan import plan
from gpu_pricer.policy.portfolio.steering import Steering
from gpu_pricer.policy.problem import PricingProblem

log = logging.getLogger(__name__)


def steer(
    problem: PricingProblem,
    policy: Policy,
    catalog: pl.DataFrame,
    segments: pl.DataFrame,
    currency: str,
    record: Path,
    warm_start: Path | None,
    backend: str,
) -> Steering | None:
    """What the constraints make of the prices, None without any; their certificate is written into the record.

    catalog: product_id and the columns that constraints read; segments: the artefact's. InputError for constraints
    that do not fit them, Refused where they cannot be met and the policy says so.
    """
    names = [name for name, asked in policy.asked.items() if asked.per is None]
    start = None if warm_start is None or not policy.asked else read_start(warm_start, names, problem.product_id)
    clear(record)
    if not policy.asked:
        return None
    found = plan(problem, policy.objective, policy.asked, catalog, segments, currency, backend, start)
    certificate = found.certificate
    _refuse_unmet(certificate, policy.on_infeasible)
    certificate.write(record)
    log.info(
        "constraints %s: within %.2g %% of the best, %s passes",
        certificate.status, 100 * found.solution.gap, found.solution.passes,
    )  # fmt: skip
    return found.steering


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
