"""How this package compiles functions for the CPU, and where it stores the result."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from numba import config, njit

_SETTINGS: Any = config
_HOST = llvm.get_host_cpu_features()
HAS_AVX512 = bool(_HOST.get("avx512f"))
if _SETTINGS.CPU_FEATURES is None and HAS_AVX512:
    # By default LLVM uses only half of a 512-bit register, because full ones may lower the clock rate. These loops are
    # faster with full ones: 650 against 450 Mcells/s (2 CPU cores with AVX-512, numba 0.68, 2026-11). A user's
    # NUMBA_CPU_FEATURES has precedence.
    _SETTINGS.CPU_FEATURES = f"{_HOST.flatten()},-prefer-256-bit"

_PACKAGE = Path(__file__).parent
_SOURCES = sha256(b"".join(path.read_bytes() for path in sorted(_PACKAGE.rglob("*.py")))).hexdigest()[:16]


def is_compiled() -> bool:
    """Return whether a process has stored compiled functions of these sources, so that the next ones load them."""
    return any(_cache(_SETTINGS.CACHE_DIR).rglob("*.nbi"))


def _cache(given: str) -> Path:
    """Return where compiled functions are stored; given: NUMBA_CACHE_DIR, or ""."""
    return Path(given or _PACKAGE / "__pycache__") / f"kernels-{_SOURCES}"


class CpuFlags(dict[str, bool]):
    """Fast-math flags for the CPU alone.

    The dictionary tests as false even when it holds flags: numba-cuda (0.30.4) tests the flags of a function and, if
    they are true, divides inexactly.
    """

    def __bool__(self) -> bool:
        """Return False, whatever flags the dictionary holds."""
        return False


def compiled(parallel: bool = False, reassociate: bool = False) -> Callable[[Any], Any]:
    """Return the decorator for a CPU function of this package.

    The compiler may use two liberties of fast mathematics: `contract`, which fuses multiply and add, and, if
    `reassociate` is true, sums in the order of vectors, which LLVM fixes for a given length. error_model="numpy" keeps
    checks for zero division out of the loops, because such checks prevent vectorising. The compiled function releases
    the GIL, so that other threads can write files while it computes. The key of the cache is the hash of *all* sources
    of the package: numba by itself hashes only the function's own file and would go on running old formulas.
    """
    fastmath: Any = CpuFlags(contract=True, reassoc=reassociate)

    def decorate(function: Any) -> Any:
        """Return a function that the first call compiles or loads from the cache."""
        given = _SETTINGS.CACHE_DIR
        _SETTINGS.CACHE_DIR = str(_cache(given))
        try:
            return njit(parallel=parallel, nogil=True, cache=True, fastmath=fastmath, error_model="numpy")(function)
        finally:
            _SETTINGS.CACHE_DIR = given

    return decorate
