"""The backend that computes a pricing problem: as configured, or the best one present."""

import logging

from gpu_pricer.errors import InputError
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem
from kernels import BackendUnavailable, is_compiled, resolve_backend

log = logging.getLogger(__name__)


def resolved(backend: str) -> str:
    """Return the backend of the configuration, for auto the best one. Raises InputError where it is not available.

    Say so where the kernels are not compiled yet, because the first run then stands still for a while.
    """
    try:
        found = resolve_backend(backend)
    except (BackendUnavailable, ValueError) as error:
        raise InputError(str(error)) from error
    if not is_compiled():
        log.info("the first run compiles the kernels for this machine, which takes a minute or two")
    return found


def backend_of(problem: PricingProblem, requested: str, found: str) -> str:
    """Return the backend for a problem; price families and draws of the sensitivity are priced on the CPU only.

    requested: as configured; found: from resolved(requested). Raises InputError for a problem that only the CPU can
    price when another backend is requested by name.
    """
    on_cpu = {
        "price families (policy.bounds.family_column) need": bool((problem.limits.family >= 0).any()),
        "uncertainty=posterior needs": problem.draws is not None,
    }
    for what, is_there in on_cpu.items():
        if not is_there or found == "cpu":
            continue
        if requested != "auto":
            raise InputError(f"{what} backend=cpu, found {requested}: set backend=cpu or auto")
        log.info("backend auto: cpu (%s it)", what)
        return "cpu"
    return found
