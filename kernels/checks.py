"""Checks of arguments; their error messages say what must hold and what was found."""

from typing import Any

import numpy as np


def require(is_met: Any, must: str, found: object) -> None:
    """Raise ValueError with the message "`must`; found `found`" unless the condition is met everywhere."""
    if not np.all(is_met):
        raise ValueError(f"{must}; found {found}")


def require_array(name: str, array: Any, shape: tuple[int, ...], kinds: str) -> None:
    """Raise ValueError unless `array` is a finite ndarray of this shape; `kinds`: letters of allowed dtype kinds."""
    require(isinstance(array, np.ndarray), f"{name} must be a NumPy array", type(array).__name__)
    require(array.dtype.kind in kinds, f"{name} must have a dtype of kind {' or '.join(kinds)}", array.dtype)
    require(array.shape == shape, f"{name} must have shape {shape}", array.shape)
    if array.dtype.kind == "f":
        require_each(np.isfinite(array), f"{name} must be finite", array)


def require_each(is_met: Any, must: str, array: Any) -> None:
    """Raise ValueError unless every entry meets the condition; the message counts those that do not and shows one."""
    if not np.all(is_met):
        where = np.argwhere(~np.asarray(is_met))
        first = tuple(int(index) for index in where[0])
        raise ValueError(f"{must}; found {len(where)} that do not, first {array[first]} at {list(first)}")


def require_offsets(name: str, offsets: Any) -> None:
    """Raise ValueError unless `offsets` are integers that start at 0 and never fall, as starts of groups do."""
    require(isinstance(offsets, np.ndarray), f"{name} must be a NumPy array", type(offsets).__name__)
    require(offsets.dtype.kind == "i", f"{name} must hold signed integers", offsets.dtype)
    require(offsets.ndim == 1 and offsets.size > 0, f"{name} must be one-dimensional, not empty", offsets.shape)
    require(offsets[0] == 0, f"{name} must start at 0", offsets[0])
    require(np.diff(offsets) >= 0, f"{name} must never fall", offsets)
