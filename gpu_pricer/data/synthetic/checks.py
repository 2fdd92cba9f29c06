"""Checks that the settings of the synthetic market share."""

from collections.abc import Sequence


def check_whole(name: str, value: object, least: int) -> None:
    """Raise ValueError unless the value is a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number ≥ {least}, found {value!r}")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Raise ValueError unless the value is a number from low to high."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}, found {value!r}")


def check_range(name: str, value: object, low: float, high: float) -> None:
    """Raise ValueError unless the value is a pair [from, to] inside low to high."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise ValueError(f"{name} must be a pair [from, to], found {value!r}")
    check_number(f"{name}[0]", value[0], low, high)
    check_number(f"{name}[1]", value[1], value[0], high)
