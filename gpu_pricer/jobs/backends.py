"""Where a pricing problem is computed, as asked for or found."""

import logging

from gpu_pricer.errors import InputError
from gpu_pricer.policy.problem import PricingProblem
from kernels import BackendUnavailable, resolve_backend

log = logging.getLogger(__name__)


def resolved(backend: str) -> str:
    """The backend that was asked for, auto being the best there is; InputError where it is not there."""
    try:
        return resolve_backend(backend)
    except (BackendUnavailable, ValueError) as error:
        raise InputError(str(error)) from error


def backend_of(problem: PricingProblem, asked: str, found: str) -> str:
    """Where this problem can be priced: families only on the CPU."""
    if found == "cpu" or not (problem.family >= 0).any():
        return found
    if asked == "auto":
        log.info("backend auto: cpu (price families are not priced on cuda)")
        return "cpu"
    raise InputError(
        f"price families (policy.bounds.family_column) need backend=cpu, found {asked}: set backend=cpu or auto"
    )
