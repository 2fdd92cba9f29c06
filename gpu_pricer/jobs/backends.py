"""Where a pricing problem is computed, as asked for or found."""

import logging

from gpu_pricer.errors import InputError
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from kernels import BackendUnavailable, resolve_backend

log = logging.getLogger(__name__)


def resolved(backend: str) -> str:
    """The backend that was asked for, auto being the best there is; InputError where it is not there."""
    try:
        return resolve_backend(backend)
    except (BackendUnavailable, ValueError) as error:
        raise InputError(str(error)) from error


def backend_of(problem: PricingProblem, asked: str, found: str) -> str:
    """Where this problem can be priced: families, and draws of the sensitivity, only on the CPU."""
    on_cpu = {
        "price families (policy.bounds.family_column) need": bool((problem.limits.family >= 0).any()),
        "uncertainty=posterior needs": problem.draws is not None,
    }
    for what, is_there in on_cpu.items():
        if not is_there or found == "cpu":
            continue
        if asked != "auto":
            raise InputError(f"{what} backend=cpu, found {asked}: set backend=cpu or auto")
        log.info("backend auto: cpu (%s it)", what)
        return "cpu"
    return found
