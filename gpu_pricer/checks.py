"""Checks of configuration values: Hydra passes a wrong type through in silence, so each object checks its own."""

import math
import sys
from collections.abc import Sequence


def require_integer(name: str, value: object, least: int) -> None:
    """Raise ValueError unless the value is an integer of at least `least`; a bool is not an integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, found {value!r}")


def require_number(
    name: str,
    value: object,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
) -> None:
    """Raise ValueError unless the value is a finite number inside the limits; a bool is not a number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not (is_number and least <= value <= most and above < value < below):  # type: ignore[operator]
        limits = {"of at least": least, "above": above, "at most": most, "below": below}
        said = " and ".join(f"{word} {limit:g}" for word, limit in limits.items() if math.isfinite(limit))
        raise ValueError(f"{name} must be a number {said or 'that is finite'}, found {value!r}")


def require_range(name: str, value: object, least: float, most: float) -> None:
    """Raise ValueError unless the value is a pair [from, to] with least <= from <= to <= most."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise ValueError(f"{name} must be a pair [from, to], found {value!r}")
    require_number(f"{name}[0]", value[0], least=least, most=most)
    require_number(f"{name}[1]", value[1], least=value[0], most=most)


def require_flag(name: str, value: object) -> None:
    """Raise ValueError unless the value is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, found {value!r}")


def require_type(name: str, value: object, expected: object) -> None:
    """Raise ValueError unless the value is of the type str, int, float or list[str].

    A float is finite and may be written as an integer; a bool is not a number.
    """
    if expected == list[str]:
        holds = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
    elif expected is float:
        holds = type(value) in (int, float) and abs(value) <= sys.float_info.max  # type: ignore[arg-type]
    else:
        holds = type(value) is expected
    if not holds:
        said = expected.__name__ if isinstance(expected, type) and expected != list[str] else expected
        raise ValueError(f"{name} must be of type {said}, found {value!r}")
