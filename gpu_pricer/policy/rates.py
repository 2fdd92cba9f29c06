"""Rates of a policy in whole millionths, which are exact: a bound of 15 % of 1.00 is 15 cents and not 14."""

from fractions import Fraction

from gpu_pricer.checks import require_number

MILLION = 10**6


def millionths(rate: float) -> int:
    """Return the rate in millionths, exact for the decimals that it is written with."""
    return int(Fraction(str(rate)) * MILLION)


def require_rate(name: str, rate: object, least: float, most: float) -> None:
    """Raise ValueError unless the rate is a number in [least, most] with at most six decimals."""
    require_number(name, rate, least=least, most=most)
    if (Fraction(str(rate)) * MILLION).denominator != 1:
        raise ValueError(f"{name} must have at most six decimals, found {rate!r}")
