"""How this package compiles for the CPU, and where the result is kept."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import config, njit

_PACKAGE = Path(__file__).parent
_SOURCES = sha256(b"".join(path.read_bytes() for path in sorted(_PACKAGE.glob("*.py")))).hexdigest()[:16]


def compiled(parallel: bool = False) -> Callable[[Any], Any]:
    """Return the decorator for a CPU function of this package.

    `contract` allows fused multiply-add and nothing else; error_model="numpy" keeps zero-division checks out
    of the loops, which would stop them from vectorising. The GIL is released, so that other
    threads can write while this one computes. The cache is keyed by the sources of the *whole*
    package: numba by itself looks at the function's own file only and would go on running yesterday's
    formulas.
    """

    settings: Any = config

    def decorate(function: Any) -> Any:
        given = settings.CACHE_DIR
        settings.CACHE_DIR = str(Path(given or _PACKAGE / "__pycache__") / f"kernels-{_SOURCES}")
        try:
            return njit(parallel=parallel, nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")(function)
        finally:
            settings.CACHE_DIR = given

    return decorate
