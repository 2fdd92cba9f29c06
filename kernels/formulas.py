"""The formulas of one cell, each written once for every target.

They are plain `@njit` functions without signatures: the numba CPU loop and the CUDA kernel inline them, the
CUDA simulator runs them, and `.py_func` on Python floats is a float64 reference. Every constant takes its
type from the data, so nothing here turns a float32 path into float64.

Symbols, everywhere in this package: money is in cents; `slope` is the price sensitivity per cent, beta = b /
r; `worth` is R, the expected weighted profit of the cell's whole category; `weight` is omega; `free` is the utility at
a price of 0.
"""

import math
from typing import Any

import numpy as np

from kernels.compiled import compiled
from kernels.rounding import whole_above

formula = compiled()

MOST_PASSES = 64
"""Cap of the iteration. 2 to 4 passes are usual, the one that takes the prices included; a pass that only ends in
another shift counts too."""

PATIENCE = 24
"""Passes after which R may no longer fall: rounding keeps a category that earns next to nothing from settling."""

LEAST, MOST = np.float32(1e-20), np.float32(1e18)
"""Sums of e^(u - shift) beyond these are taken again with another shift."""

LOWEST = np.float32(-1e38)
"""Below any utility, and still finite after a subtraction."""

FAR = np.float32(2.0**30)
"""Beyond any price: where a weight <= 0 wants the price to be."""


@formula
def is_double(x: Any) -> Any:
    """Return whether x is a float64; the compilers fold it, so the other branch costs nothing."""
    return type(x)(1.0) + type(x)(1e-12) != type(x)(1.0)


@formula
def whole_below(x: Any) -> Any:
    """Return the largest whole number not above x, for |x| < 2**31, in the type of x."""
    return -whole_above(-x)


@formula
def clamped(x: Any) -> Any:
    """Return x moved to where e**x is above 0, and not too large to be added up and weighted with prices."""
    if is_double(x):
        return min(max(x, type(x)(-700.0)), type(x)(300.0))
    return min(max(x, type(x)(-87.0)), type(x)(44.0))


@formula
def exponential(x: Any) -> Any:
    """Return e**x of `clamped` x; in float32 with a relative error below 2e-7 on [-20, 20], elsewhere below 4e-7.

    float64 takes `math.exp`. float32 takes 2**k * e**r with r = x - k ln 2 in [-ln 2 / 2, ln 2 / 2] and a minimax
    polynomial of degree 5. k is the low bits of x / ln 2 + 1.5 * 2**23, where a float32 has no room for a fraction;
    shifted, they are added to the polynomial's exponent. Written out because numba's wheels carry no SVML, so
    `math.exp` would not vectorise: 12 instructions, 0.14 ns a call (CPU with AVX-512, numba 0.68, 2026-11).
    """
    x = clamped(x)
    if is_double(x):
        return type(x)(math.exp(x))
    shifted = x * type(x)(1.4426950408889634) + type(x)(12582912.0)
    rest = x - (shifted - type(x)(12582912.0)) * type(x)(0.6931471805599453)
    series = type(x)(8.289582e-3)
    series = series * rest + type(x)(4.1897822e-2)
    series = series * rest + type(x)(1.6667649e-1)
    series = series * rest + type(x)(4.999915e-1)
    series = series * rest + type(x)(9.999997e-1)
    series = series * rest + type(x)(1.0)
    return power_of_two_times(shifted, series)


@formula
def rough_exponential(x: Any) -> Any:
    """Return e**x to within 0.2 % for a first guess: as `exponential`, with a polynomial of degree 2."""
    x = clamped(x)
    if is_double(x):
        return type(x)(math.exp(x))
    shifted = x * type(x)(1.4426950408889634) + type(x)(12582912.0)
    rest = x - (shifted - type(x)(12582912.0)) * type(x)(0.6931471805599453)
    series = (type(x)(0.49625859) * rest + type(x)(1.01486116)) * rest + type(x)(1.00044315)
    return power_of_two_times(shifted, series)


@formula
def power_of_two_times(shifted: Any, series: Any) -> Any:
    """Return series * 2**k, float32, for shifted = k + 1.5 * 2**23: k is added to the exponent of the series."""
    bits = np.int32(np.float32(shifted).view(np.int32) << np.int32(23)) + np.float32(series).view(np.int32)
    return type(series)(np.int32(bits).view(np.float32))


@formula
def log_one_plus(y: Any) -> Any:
    """Return ln(1 + y) for y in [0, 1]: relative error below 3e-7 in float32, `math.log1p` in float64.

    y times a minimax polynomial of degree 8, which needs no division.
    """
    if is_double(y):
        return type(y)(math.log1p(y))
    series = type(y)(3.9733537e-3)
    series = series * y + type(y)(-2.455566e-2)
    series = series * y + type(y)(7.034621e-2)
    series = series * y + type(y)(-1.3012297e-1)
    series = series * y + type(y)(1.8809333e-1)
    series = series * y + type(y)(-2.4769923e-1)
    series = series * y + type(y)(3.3310315e-1)
    series = series * y + type(y)(-4.9999094e-1)
    series = series * y + type(y)(9.9999994e-1)
    return series * y


@formula
def softplus(x: Any) -> Any:
    """Return ln(1 + e**x), without overflow on either side."""
    return max(x, type(x)(0.0)) + log_one_plus(exponential(-abs(x)))


@formula
def slope_of(sensitivity: Any, per_reference: Any) -> Any:
    """Return beta = b / r from b and 1 / r; a sensitivity below 1e-6 counts as 1e-6, so that beta > 0."""
    return max(sensitivity, type(sensitivity)(1e-6)) * per_reference


@formula
def appeal_at_zero(appeal: Any, slope: Any, reference_price: Any) -> Any:
    """Return a + b, the utility at a price of 0; `appeal` is the one at the reference price."""
    return slope * reference_price + appeal


@formula
def utility_at(price: Any, utility_at_zero: Any, slope: Any) -> Any:
    """Return u = a - b (x / r - 1), written as u(0) - beta x with `free` for u(0)."""
    return utility_at_zero - slope * price


@formula
def drawn_utility(price: Any, utility_at_zero: Any, slope: Any, factor: Any, reference_price: Any) -> Any:
    """Return u where the sensitivity is `factor` times as high: the appeal at the reference price is the same."""
    steep = slope * factor
    appeal = utility_at(reference_price, utility_at_zero, slope)
    return utility_at(price, appeal_at_zero(appeal, steep, reference_price), steep)


@formula
def markup(slope: Any, spacing: Any) -> Any:
    """Return what the best price exceeds c + R/omega by, before it is rounded up to a rung, for omega > 0.

    On rungs p apart, x and x + p are equally good where x - c - R/omega = p / (e**(beta p) - 1), and the upper one
    is better below. So the best rung is the lowest one that is not below c + R/omega + p / (e**(beta p) - 1); and
    for p -> 0 this is c + R/omega + 1/beta, the stationary price of Gallego and Wang (2014). spacing is p, or 0.
    """
    steep = slope * spacing
    if is_double(slope):
        return (steep / math.expm1(steep) if steep > type(slope)(0.0) else type(slope)(1.0)) / slope
    if is_steep(slope, spacing):
        return spacing / (exponential(steep) - type(slope)(1.0))
    return gentle_markup(slope, spacing)


@formula
def is_steep(slope: Any, spacing: Any) -> Any:
    """Return whether `gentle_markup` does not reach: a step of the ladder moves the utility by more than 1."""
    return slope * spacing > type(slope)(1.0)


@formula
def gentle_markup(slope: Any, spacing: Any) -> Any:
    """Return `markup` in float32 where it is not steep: y / (e**y - 1) by its power series (Bernoulli numbers)."""
    steep = slope * spacing
    square = steep * steep
    series = type(slope)(-1.0 / 1209600.0)
    series = series * square + type(slope)(1.0 / 30240.0)
    series = series * square + type(slope)(-1.0 / 720.0)
    series = series * square + type(slope)(1.0 / 12.0)
    series = series * square + (type(slope)(1.0) - type(slope)(0.5) * steep)
    return series / slope


@formula
def target_of(offset: Any, markup: Any, per_unit: Any) -> Any:
    """Return the best price without bounds at R = 0, less `ending` and in units; offset is c - ending (see tile)."""
    return (offset + markup) * per_unit


@formula
def stationary(target: Any, category_value: Any, step: Any) -> Any:
    """Return the best price without bounds for R in units, before it is rounded up to a rung."""
    return target + category_value * step


@formula
def rung_at(units: Any, spacing: Any, ending: Any) -> Any:
    """Return the lowest of evenly spaced rungs that is not below `ending` and so many spacings."""
    return whole_above(units) * spacing + ending


@formula
def between_rungs(units: Any, spacing: Any, middle: Any) -> Any:
    """Return where `rung_at` is on average, for a first guess; middle is half a spacing above `ending`."""
    return units * spacing + middle


@formula
def beyond_end(end: Any, low: Any) -> Any:
    """Return a price FAR beyond the bound that is the better end."""
    return type(end)(FAR) if end > low else -type(end)(FAR)


@formula
def margin_at(price: Any, weight: Any, weighted_cost: Any) -> Any:
    """Return omega (x - c)."""
    return weight * price - weighted_cost


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
    return ending + period * whole_above((price - ending) / period)


@formula
def better_price(lower: Any, upper: Any, slope: Any, cost: Any, weight: Any, category_value: Any) -> Any:
    """Return whichever price has the larger (omega (x - c) - R) e**u(x); the lower one on a tie.

    Both sides are divided by e**u(lower), which leaves one exponential that cannot overflow. The candidates
    are the two rungs that bracket the stationary price; or, with weight <= 0, the bounds themselves.
    """
    gain_lower = weight * (lower - cost) - category_value
    gain_upper = weight * (upper - cost) - category_value
    kept = exponential(slope * (lower - upper))
    return upper if gain_upper * kept > gain_lower else lower


@formula
def binding_side_of(unconstrained_price: Any, low: Any, high: Any) -> Any:
    """Return -1 where the price that is best without bounds lies below them, +1 where it lies above, else 0."""
    return np.int8(unconstrained_price > high) - np.int8(unconstrained_price < low)


@formula
def rung_unless_outside(rung: Any, unconstrained_price: Any, low: Any, high: Any) -> Any:
    """Return the better rung, but the price wanted if it lies outside the bounds, so that `bound_held` sees it."""
    return rung if low <= unconstrained_price and unconstrained_price <= high else unconstrained_price


@formula
def is_exact(total: Any) -> Any:
    """Return whether a sum of e^(u - shift) is neither too large nor too small to be exact."""
    return (total >= LEAST) & (total <= MOST)


@formula
def inverse(total: Any) -> Any:
    """Return 1 / total, and 0 for a total of 0: on an empty shelf nothing is chosen."""
    return type(total)(1.0) / total if total > type(total)(0.0) else type(total)(0.0)


@formula
def complement(share: Any) -> Any:
    """Return 1 - share."""
    return type(share)(1.0) - share


@formula
def curvature(category_value: Any, reached: Any, bought: Any) -> Any:
    """Return b, the share of a step of the iteration that the curvature of F adds to it: 1/2 at most, or 1.

    The iteration is Newton's on G(R) = F(R) - R (Dinkelbach 1967), and Halley's third-order step is Newton's
    divided by 1 - b with b = step G'' / (2 |G'|). F is the sum of exponentials in R, but for prices held by bounds;
    were their sensitivities alike, then F'' = F'**2 / F, and with P bought, F' = -P / (1 - P) and
    F = (reached - R P) / (1 - P): b = step P**2 / (2 (reached - R P)). Where that says nothing, b is 1.
    """
    left = reached - category_value * bought
    bend = type(category_value)(0.5) * abs(reached - category_value) * bought * bought / left
    return min(bend, type(category_value)(0.5)) if left > type(category_value)(0.0) else type(category_value)(1.0)


@formula
def next_category_value(category_value: Any, reached: Any, attained: Any, bought: Any, depth: Any, bend: Any) -> Any:
    """Return the R to try next: a Halley step when climbing, else Newton's, which never passes the root.

    A step down follows a step too far, after which F is less curved than `curvature` believes; should it lead below
    the largest R attained before, the middle between that and the present R is tried. Where hardly anybody buys
    nothing, Newton's step is 1 / beta long however far the root is; there it is that of F(R + step) = F e**(-b step)
    with b = P / (reached - R P), solved roughly: what is left is for the next steps to find. depth is ln(1 + sum e^u).
    """
    step = reached - category_value
    if step <= type(category_value)(0.0):
        return reached if reached >= attained else type(category_value)(0.5) * (category_value + attained)
    if bend >= type(category_value)(1.0):
        return reached
    if bought < type(category_value)(0.95):
        return reached + step * bend / (type(category_value)(1.0) - bend)
    slope = bought / (reached - category_value * bought)
    return max(
        reached,
        category_value + (depth - rough_log(max(slope * category_value + depth, type(category_value)(1.0)))) / slope,
    )


@formula
def rough_log(x: Any) -> Any:
    """Return ln x to within 0.04 for x > 0: the bits of a float32, read as a whole number, are nearly its logarithm."""
    if is_double(x):
        return type(x)(math.log(x))
    bits = type(x)(np.float32(x).view(np.int32))
    return (bits * type(x)(2.0**-23) - type(x)(126.957)) * type(x)(0.6931471805599453)


@formula
def is_confirmed(category_value: Any, reached: Any, tolerance: Any) -> Any:
    """Return whether the prices that are best for R reach it, to a relative tolerance."""
    return abs(reached - category_value) <= tolerance * abs(reached)


@formula
def is_settled(category_value: Any, reached: Any, bend: Any, tolerance: Any) -> Any:
    """Return whether the next R is right to a relative tolerance: of its error, `curvature` is an upper bound."""
    return bend * abs(reached - category_value) <= tolerance * abs(reached)


@formula
def advance(
    category_value: Any, attained: Any, earned: Any, total: Any, outside: Any, shift: Any, tolerance: Any, is_late: Any
) -> Any:
    """Return the R to try next, the largest R attained so far, and 0 if that next R is right, else 1.

    From the sums of a pass at the best prices for `worth`: total is sum e^(u - shift), with `outside` the outside
    option's part of it, earned is sum omega (x - c) e^(u - shift). A late pass may only climb (see PATIENCE).
    All of one type, since LLVM vectorises no loop over a function that returns a mixed tuple.
    """
    share = inverse(total)
    reached, bought = earned * share, complement(outside * share)
    bend = curvature(category_value, reached, bought)
    settled = is_settled(category_value, reached, bend, tolerance) | (is_late & (reached <= category_value))
    attained = max(attained, reached)
    depth = rough_log(total) + shift
    following = attained if is_late else next_category_value(category_value, reached, attained, bought, depth, bend)
    return following, attained, type(category_value)(0.0) if settled else type(category_value)(1.0)


@formula
def opening_category_value(earned: Any, total: Any, outside: Any) -> Any:
    """Return the R that rough sums at R = 0 lead to, or 0 if they are too lopsided to say."""
    zero = type(total)(0.0)
    share = inverse(total)
    reached, bought = earned * share, complement(outside * share)
    following = next_category_value(
        zero, reached, type(total)(LOWEST), bought, rough_log(total), curvature(zero, reached, bought)
    )
    return following if is_exact(total) else zero


@formula
def is_reached(category_value: Any, earned: Any, total: Any, tolerance: Any, is_late: Any) -> Any:
    """Return whether the sums of the pass that takes the prices for R confirm it; a late R need not be exact."""
    reached = earned * inverse(total)
    return is_confirmed(category_value, reached, tolerance) | (is_late & (reached <= category_value))


@formula
def category_value_bound(category_value: Any, earned: Any, total: Any, outside: Any) -> Any:
    """Return max(R, F(R)) from the sums of a pass; R* is never above, whatever R the iteration stopped at."""
    return max(category_value, (earned - category_value * (total - outside)) / outside)
