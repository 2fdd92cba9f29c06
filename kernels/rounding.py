"""Rounding up, for which every target has one instruction under another name."""

import math
from typing import Any

import numpy as np
from numba.extending import overload


def whole_above(x: Any) -> Any:
    """Return the smallest whole number not below x, in the type of x.

    `np.ceil` on the CPU, where `math.ceil` would go through a 64-bit integer and keep loops from vectorising;
    `math.ceil` on CUDA, which keeps the type and knows no `np.ceil` (numba-cuda 0.30.4).
    """
    return np.ceil(x)


@overload(whole_above)
def _on_cpu(x):
    return lambda x: np.ceil(x)


@overload(whole_above, target="cuda")
def _on_cuda(x):
    return lambda x: math.ceil(x)
