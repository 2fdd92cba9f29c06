"""How this package compiles for the CPU, and where the result is kept."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from numba import config, njit

_SETTINGS: Any = config
_HOST = llvm.get_host_cpu_features()
if _SETTINGS.CPU_FEATURES is None and _HOST.get("avx512f"):
    # LLVM keeps to half of a 512-bit register, for fear of lower clock rates; here the loops are half as long in
    # whole ones (650 against 450 Mcells/s; 2 CPU cores with AVX-512, numba 0.68, 2026-11). NUMBA_CPU_FEATURES wins.
    _SETTINGS.CPU_FEATURES = f"{_HOST.flatten()},-prefer-256-bit"

_PACKAGE = Path(__file__).parent
_SOURCES = sha256(b"".join(path.read_bytes() for path in sorted(_PACKAGE.rglob("*.py")))).hexdigest()[:16]


class CpuFlags(dict[str, bool]):
    """Fast-math flags for the CPU alone: numba-cuda (0.30.4) asks whether there are any, and then divides inexactly."""

    def __bool__(self) -> bool:
        return False


def compiled(parallel: bool = False, reassociate: bool = False) -> Callable[[Any], Any]:
    """Return the decorator for a CPU function of this package.

    Of fast mathematics only `contract` is allowed, fused multiply-add, and with `reassociate` sums in the order of
    vectors, which LLVM fixes for a given length. error_model="numpy" keeps zero-division checks out of the loops,
    which would stop them from vectorising. The GIL is released, so that other threads can write while this one
    computes. The cache is keyed by the sources of the *whole* package: numba by itself looks at the function's own
    file only and would go on running yesterday's formulas.
    """
    fastmath: Any = CpuFlags(contract=True, reassoc=reassociate)

    def decorate(function: Any) -> Any:
        """Return the function compiled on its first call, or taken from the cache."""
        given = _SETTINGS.CACHE_DIR
        _SETTINGS.CACHE_DIR = str(Path(given or _PACKAGE / "__pycache__") / f"kernels-{_SOURCES}")
        try:
            return njit(parallel=parallel, nogil=True, cache=True, fastmath=fastmath, error_model="numpy")(function)
        finally:
            _SETTINGS.CACHE_DIR = given

    return decorate
