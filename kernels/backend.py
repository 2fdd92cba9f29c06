"""Which hardware computes prices: the CPU, or a CUDA GPU."""

import logging
import os
from functools import cache
from importlib.util import find_spec
from typing import Literal

Backend = Literal["cpu", "cuda"]

_log = logging.getLogger(__name__)


class BackendUnavailable(RuntimeError):
    """The requested backend cannot run here; the message says what is missing and what to do."""


def resolve_backend(name: str) -> Backend:
    """Return the backend to use for the name "auto", "cpu" or "cuda".

    "auto" chooses CUDA where it works, else the CPU, and logs its choice once. Raises BackendUnavailable for "cuda"
    without CUDA, and ValueError for any other name.
    """
    if name == "cpu":
        return "cpu"
    if name == "cuda":
        missing = missing_for_cuda()
        if missing:
            raise BackendUnavailable(f"backend 'cuda' needs {missing}; or choose backend 'cpu' or 'auto'")
        return "cuda"
    if name == "auto":
        return _choose()
    raise ValueError(f"backend must be 'auto', 'cpu' or 'cuda'; found {name!r}")


@cache
def _choose() -> Backend:
    """Return the backend for "auto", and log it."""
    missing = missing_for_cuda()
    chosen: Backend = "cpu" if missing else "cuda"
    _log.info("backend auto: %s (%s)", chosen, f"cuda needs {missing}" if missing else "CUDA works here")
    return chosen


def missing_for_cuda() -> str:
    """Return what the CUDA backend lacks here and how to get it, or an empty string if it lacks nothing."""
    if is_simulated():
        return ""
    for module, package in {"numba_cuda": "numba-cuda[cu12]", "cupy": "cupy-cuda12x[ctk]"}.items():
        if find_spec(module) is None:
            return f"the package {package} (pip install '{package}')"
    from numba import cuda

    if not cuda.is_available():
        return "a CUDA GPU with its driver (run on a GPU node, and with --gpus in a container)"
    return ""


def is_simulated() -> bool:
    """Return whether numba's CUDA simulator stands in for a GPU (NUMBA_ENABLE_CUDASIM=1)."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
