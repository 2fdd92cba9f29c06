"""Rates of a policy as exact whole millionths, so that a bound of 15 % of 1.00 is 15 cents and not 14."""

import math
from fractions import Fraction

MILLION = 10**6


def millionths(rate: float) -> int:
    """The rate in millionths, exact as it is written in decimals."""
    return int(Fraction(str(rate)) * MILLION)


def require_rate(name: str, rate: object, least: float, most: float) -> None:
    """Raise ValueError unless the rate is a number in [least, most] with at most six decimals."""
    require_number(name, rate, least)
    if float(rate) > most:  # type: ignore[arg-type]
        raise ValueError(f"{name} must be at most {most:g}, found {rate!r}")
    if (Fraction(str(rate)) * MILLION).denominator != 1:
        raise ValueError(f"{name} must have at most six decimals, found {rate!r}")


def require_number(name: str, value: object, least: float) -> None:
    """Raise ValueError unless the value is a finite number of at least `least`; true is no number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number:
        raise ValueError(f"{name} must be a finite number, found {value!r}")
    if float(value) < least:  # type: ignore[arg-type]
        raise ValueError(f"{name} must be at least {least:g}, found {value!r}")
