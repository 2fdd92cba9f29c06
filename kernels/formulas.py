"""The formulas of one cell, each written once for every target.

They are plain `@njit` functions without signatures: the numba CPU loop and the CUDA kernel inline them, the
CUDA simulator runs them, and `.py_func` on Python floats is a float64 reference. Every constant takes its
type from the data, so nothing here turns a float32 path into float64.

Symbols, everywhere in this package: money is in cents; `slope` is the price sensitivity per cent, beta = b /
r; `worth` is R, the expected weighted profit of the cell's whole category; `weight` is omega.
"""

import math
from typing import Any

import numpy as np

from kernels.compiled import compiled

formula = compiled()


@formula
def is_double(x: Any) -> Any:
    """Return whether x is a float64; the compilers fold it, so the other branch costs nothing."""
    return type(x)(1.0) + type(x)(1e-12) != type(x)(1.0)


@formula
def whole_below(x: Any) -> Any:
    """Return the largest whole number not above x, for |x| < 2**31, in the type of x.

    By truncation: numba's `math.floor` goes through a 64-bit integer, which keeps loops from vectorising, and
    numba-cuda (0.30.4) has no `np.floor`.
    """
    truncated = type(x)(np.int32(x))
    return truncated - type(x)(1.0) if truncated > x else truncated


@formula
def exponential(x: Any) -> Any:
    """Return e**x; in float32 with a relative error below 2e-7 on [-87, 88], clamped outside.

    float64 takes `math.exp`, float32 Cephes' `expf`: 2**k by bit shift times a polynomial. Written out
    because numba's wheels carry no SVML, so `math.exp` would not vectorise (0.34 ns a call; CPU with AVX-512,
    numba 0.68, 2026-11).
    """
    if is_double(x):
        return type(x)(math.exp(x))
    x = min(max(x, type(x)(-87.0)), type(x)(88.0))
    power = whole_below(x * type(x)(1.44269504) + type(x)(0.5))
    rest = x - power * type(x)(0.693359375) + power * type(x)(2.12194440e-4)
    series = type(x)(1.9875691500e-4)
    series = series * rest + type(x)(1.3981999507e-3)
    series = series * rest + type(x)(8.3334519073e-3)
    series = series * rest + type(x)(4.1665795894e-2)
    series = series * rest + type(x)(1.6666665459e-1)
    series = series * rest + type(x)(5.0000001201e-1)
    series = series * rest * rest + rest + type(x)(1.0)
    bits = np.int32((np.int32(power) + np.int32(127)) << np.int32(23))
    return series * type(x)(bits.view(np.float32))


@formula
def log_one_plus(y: Any) -> Any:
    """Return ln(1 + y) for y in [0, 1]: relative error below 3e-7 in float32, `math.log1p` in float64.

    2 artanh(y / (2 + y)) by its power series, whose argument never exceeds 1/3.
    """
    if is_double(y):
        return type(y)(math.log1p(y))
    ratio = y / (y + type(y)(2.0))
    square = ratio * ratio
    series = type(y)(1.0 / 13.0)
    series = series * square + type(y)(1.0 / 11.0)
    series = series * square + type(y)(1.0 / 9.0)
    series = series * square + type(y)(1.0 / 7.0)
    series = series * square + type(y)(1.0 / 5.0)
    series = series * square + type(y)(1.0 / 3.0)
    series = series * square + type(y)(1.0)
    return (ratio + ratio) * series


@formula
def softplus(x: Any) -> Any:
    """Return ln(1 + e**x), without overflow on either side."""
    return max(x, type(x)(0.0)) + log_one_plus(exponential(-abs(x)))


@formula
def slope_of(sensitivity: Any, reference_price: Any) -> Any:
    """Return beta, the sensitivity per cent; a sensitivity below 1e-6 counts as 1e-6, so that beta > 0."""
    return max(sensitivity, type(sensitivity)(1e-6)) / reference_price


@formula
def utility_at(price: Any, appeal: Any, slope: Any, reference_price: Any) -> Any:
    """Return u = a - b (x / r - 1), written as a - beta (x - r)."""
    return appeal - slope * (price - reference_price)


@formula
def unclipped_price(slope: Any, cost: Any, weight: Any, worth: Any) -> Any:
    """Return the stationary price c + 1/beta + R/omega: the optimum for weight > 0.

    Gallego and Wang (2014), equal adjusted mark-up. For weight <= 0 it is no optimum, and callers take an end
    of the interval instead.
    """
    return cost + type(slope)(1.0) / slope + worth / weight


@formula
def clip(price: Any, low: Any, high: Any) -> Any:
    """Return the price moved into [low, high]."""
    return min(max(price, low), high)


@formula
def rung_below(price: Any, period: Any, ending: Any) -> Any:
    """Return the highest rung k * period + ending that is not above the price (k may be negative)."""
    return ending + period * whole_below((price - ending) / period)


@formula
def rung_above(price: Any, period: Any, ending: Any) -> Any:
    """Return the lowest rung k * period + ending that is not below the price."""
    return ending - period * whole_below((ending - price) / period)


@formula
def better_price(lower: Any, upper: Any, slope: Any, cost: Any, weight: Any, worth: Any) -> Any:
    """Return whichever price has the larger (omega (x - c) - R) e**u(x); the lower one on a tie.

    Both sides are divided by e**u(lower), which leaves one exponential that cannot overflow. The candidates
    are the two rungs that bracket the unclipped optimum, moved into the bounds; or, with weight <= 0, the
    bounds themselves.
    """
    gain_lower = weight * (lower - cost) - worth
    gain_upper = weight * (upper - cost) - worth
    kept = exponential(slope * (lower - upper))
    return upper if gain_upper * kept > gain_lower else lower


@formula
def bound_held(price: Any, slope: Any, cost: Any, weight: Any, worth: Any, low: Any, high: Any) -> Any:
    """Return -1 where the lower bound holds the price, +1 where the upper one does, else 0.

    A bound holds where the unclipped optimum lies beyond it. With weight <= 0 the chosen end always holds.
    """
    if weight > type(weight)(0.0):
        target = unclipped_price(slope, cost, weight, worth)
        return np.int8(target > high) - np.int8(target < low)
    return np.int8(price > low) - np.int8(price <= low)


@formula
def is_improvement(reached: Any, worth: Any, tolerance: Any) -> Any:
    """Return whether R climbed by more than a relative tolerance, below which rounding moves it."""
    return reached - worth > tolerance * abs(worth)
