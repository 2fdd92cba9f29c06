"""The formulas of one cell, each written once for every target.

They are plain `@njit` functions without signatures: the numba CPU loop and the CUDA kernel inline them, the
CUDA simulator runs them, and `.py_func` on Python floats is a float64 reference. Every constant takes its
type from the data, so nothing here turns a float32 path into float64. Arguments and results are scalars.

Symbols, everywhere in this package:
    x, `price`: the price, in cents, like all money here;
    a, `appeal`: the utility at the reference price r;
    b, `sensitivity`: the price sensitivity, in utility per relative change of the price;
    beta = b / r, `slope`: the utility lost when the price rises by one cent;
    u(0), `utility_at_zero`: the utility at a price of 0;
    c, `unit_cost`: the effective cost of one unit; omega, `weight`: the weight of the product's margin;
    R, `category_value`: the expected weighted profit of the product's whole category, in cents per visit;
    P, `share`: the probability that a visit chooses the product; before it is normalised, e^(u - shift).
A *pass* computes every product's best price for one R and adds up the category at those prices. A pass has three sums:
`total`, the sum of e^(u - shift) with the outside option; `outside`, the outside option's part of `total`; and
`earned`, the sum of omega (x - c) e^(u - shift).
"""

import math
from typing import Any

import numpy as np
from numba.extending import overload

from kernels.compiled import compiled

formula = compiled()

MOST_PASSES = 64
"""The most passes of the iteration. 2 to 4 are usual, including the pass that fixes the prices. A pass that only leads
to another shift counts too."""

PATIENCE = 24
"""Number of passes after which R may no longer fall. Without this rule, rounding would keep a category that earns next
to nothing from ever settling."""

LEAST, MOST = np.float32(1e-20), np.float32(1e18)
"""A sum of e^(u - shift) outside this range is computed again with another shift."""

LOWEST = np.float32(-1e38)
"""A number below any utility, and still finite after a subtraction."""

FAR = np.float32(2.0**30)
"""A number beyond any price, in cents: plus or minus FAR is the unconstrained price if the weight is not positive."""


def whole_above(x: Any) -> Any:
    """Return the smallest whole number not below x, in the type of x.

    The CPU uses `np.ceil`, because `math.ceil` would go through a 64-bit integer and keep loops from vectorising. CUDA
    uses `math.ceil`, which keeps the type there; numba-cuda (0.30.4) has no `np.ceil`.
    """
    return np.ceil(x)


@overload(whole_above)
def _on_cpu(x):
    return lambda x: np.ceil(x)


@overload(whole_above, target="cuda")
def _on_cuda(x):
    return lambda x: math.ceil(x)


@formula
def is_double(x: Any) -> Any:
    """Return whether x is a float64. Compilers evaluate this when they compile, so the other branch costs nothing."""
    return type(x)(1.0) + type(x)(1e-12) != type(x)(1.0)


@formula
def whole_below(x: Any) -> Any:
    """Return the largest whole number not above x, for |x| < 2**31, in the type of x."""
    return -whole_above(-x)


@formula
def clamped(x: Any) -> Any:
    """Return x moved into the range where e**x is above 0 and small enough to be multiplied by prices and added up."""
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
    """Return e**x to within 0.2 %, for a first guess: `exponential` with a polynomial of degree 2."""
    x = clamped(x)
    if is_double(x):
        return type(x)(math.exp(x))
    shifted = x * type(x)(1.4426950408889634) + type(x)(12582912.0)
    rest = x - (shifted - type(x)(12582912.0)) * type(x)(0.6931471805599453)
    series = (type(x)(0.49625859) * rest + type(x)(1.01486116)) * rest + type(x)(1.00044315)
    return power_of_two_times(shifted, series)


@formula
def power_of_two_times(shifted: Any, series: Any) -> Any:
    """Return series * 2**k, float32, for shifted = k + 1.5 * 2**23, by adding k to the exponent bits of the series."""
    bits = np.int32(np.float32(shifted).view(np.int32) << np.int32(23)) + np.float32(series).view(np.int32)
    return type(series)(np.int32(bits).view(np.float32))


@formula
def log_one_plus(y: Any) -> Any:
    """Return ln(1 + y) for y in [0, 1]: relative error below 3e-7 in float32, `math.log1p` in float64.

    float32 takes y times a minimax polynomial of degree 8, which needs no division.
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
    """Return beta = b / r, in utility per cent of price, from b and 1 / r; b counts as at least 1e-6, so beta > 0."""
    return max(sensitivity, type(sensitivity)(1e-6)) * per_reference


@formula
def appeal_at_zero(appeal: Any, slope: Any, reference_price: Any) -> Any:
    """Return u(0) = a + b, the utility at a price of 0; `appeal` is a, the utility at the reference price."""
    return slope * reference_price + appeal


@formula
def utility_at(price: Any, utility_at_zero: Any, slope: Any) -> Any:
    """Return the utility u = a - b (x / r - 1) at a price, computed as u(0) - beta x."""
    return utility_at_zero - slope * price


@formula
def drawn_utility(price: Any, utility_at_zero: Any, slope: Any, factor: Any, reference_price: Any) -> Any:
    """Return the utility at a price if the sensitivity were `factor` times as high, with the same appeal a."""
    steep = slope * factor
    appeal = utility_at(reference_price, utility_at_zero, slope)
    return utility_at(price, appeal_at_zero(appeal, steep, reference_price), steep)


@formula
def markup(slope: Any, spacing: Any) -> Any:
    """Return by how many cents the best price exceeds c + R/omega, before it is rounded up to a rung, for omega > 0.

    `spacing` is p, the distance of neighbouring rungs in cents, or 0 for continuous prices. The rungs x and x + p are
    equally good where x - c - R/omega = p / (e**(beta p) - 1); at a lower x the upper rung is better. So the best rung
    is the lowest one that is not below c + R/omega + p / (e**(beta p) - 1). For p -> 0 this is
    c + R/omega + 1/beta, the stationary price of Gallego and Wang (2014).
    """
    steep = slope * spacing
    if is_double(slope):
        return (steep / math.expm1(steep) if steep > type(slope)(0.0) else type(slope)(1.0)) / slope
    if is_steep(slope, spacing):
        return spacing / (exponential(steep) - type(slope)(1.0))
    return gentle_markup(slope, spacing)


@formula
def is_steep(slope: Any, spacing: Any) -> Any:
    """Return whether one step of the ladder changes the utility by more than 1, where `gentle_markup` is not exact."""
    return slope * spacing > type(slope)(1.0)


@formula
def gentle_markup(slope: Any, spacing: Any) -> Any:
    """Return `markup` in float32 where `is_steep` is false: y / (e**y - 1) by its power series (Bernoulli numbers)."""
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
    """Return (c - ending + mark-up) / unit: the unconstrained price at R = 0, counted from `ending` in units.

    offset is c - ending and per_unit is 1 / unit; see product_records.product_records for ending and unit.
    """
    return (offset + markup) * per_unit


@formula
def stationary(target: Any, category_value: Any, step: Any) -> Any:
    """Return the unconstrained price for R in units, before it is rounded up to a rung.

    `step` is the product record's value_step, 1 / (omega * unit).
    """
    return target + category_value * step


@formula
def rung_at(units: Any, spacing: Any, ending: Any) -> Any:
    """Return the lowest of evenly spaced rungs that is not below ending + units * spacing, in cents."""
    return whole_above(units) * spacing + ending


@formula
def between_rungs(units: Any, spacing: Any, middle: Any) -> Any:
    """Return the mean of `rung_at` over nearby units, for a first guess; middle is half a spacing above `ending`."""
    return units * spacing + middle


@formula
def beyond_end(end: Any, low: Any) -> Any:
    """Return a price FAR above the bounds if the better bound `end` is above `low`, else FAR below them."""
    return type(end)(FAR) if end > low else -type(end)(FAR)


@formula
def margin_at(price: Any, weight: Any, weighted_cost: Any) -> Any:
    """Return the weighted margin omega (x - c), in cents; weighted_cost is omega c."""
    return weight * price - weighted_cost


@formula
def clip(price: Any, low: Any, high: Any) -> Any:
    """Return the price moved into the bounds [low, high]."""
    return min(max(price, low), high)


@formula
def rung_below(price: Any, period: Any, ending: Any) -> Any:
    """Return the highest rung k * period + ending that is not above the price, in cents; k may be negative."""
    return ending + period * whole_below((price - ending) / period)


@formula
def rung_above(price: Any, period: Any, ending: Any) -> Any:
    """Return the lowest rung k * period + ending that is not below the price, in cents."""
    return ending + period * whole_above((price - ending) / period)


@formula
def allowed_below(rung: Any, price: Any, gap_low: Any, kept: Any, gap_high: Any, low: Any) -> Any:
    """Return the highest allowed price not above a price, given the highest rung not above that price, in cents.

    Inside the gap only `kept` is allowed; the gap's ends are, and so is the bound `low`; see product_records.
    """
    rung = gap_low if (rung > gap_low) & (rung < gap_high) else rung
    rung = max(rung, kept) if kept <= price else rung
    return max(rung, low)


@formula
def allowed_above(rung: Any, price: Any, gap_low: Any, kept: Any, gap_high: Any, high: Any) -> Any:
    """Return the lowest allowed price not below a price, given the lowest rung not below that price, in cents."""
    rung = gap_high if (rung > gap_low) & (rung < gap_high) else rung
    rung = min(rung, kept) if kept >= price else rung
    return min(rung, high)


@formula
def better_price(lower: Any, upper: Any, slope: Any, cost: Any, weight: Any, category_value: Any) -> Any:
    """Return whichever of two prices has the larger (omega (x - c) - R) e**u(x); the lower one on a tie.

    Both sides are divided by e**u(lower), which leaves one exponential that cannot overflow. Callers compare the two
    rungs that bracket the stationary price or, if the weight is not positive, the two bounds.
    """
    gain_lower = weight * (lower - cost) - category_value
    gain_upper = weight * (upper - cost) - category_value
    kept = exponential(slope * (lower - upper))
    return upper if gain_upper * kept > gain_lower else lower


@formula
def binding_side_of(unconstrained_price: Any, low: Any, high: Any) -> Any:
    """Return -1 if the unconstrained price lies below the bounds, +1 if it lies above them, else 0, as BindingSide."""
    return np.int8(unconstrained_price > high) - np.int8(unconstrained_price < low)


@formula
def rung_unless_outside(rung: Any, unconstrained_price: Any, low: Any, high: Any) -> Any:
    """Return the rung; or the unconstrained price if it lies outside the bounds, for `binding_side_of` to see."""
    return rung if low <= unconstrained_price and unconstrained_price <= high else unconstrained_price


@formula
def is_exact(total: Any) -> Any:
    """Return whether a sum of e^(u - shift) is neither too large nor too small to be accurate."""
    return (total >= LEAST) & (total <= MOST)


@formula
def inverse(total: Any) -> Any:
    """Return 1 / total, and 0 for a total of 0, which an empty shelf without an outside option has."""
    return type(total)(1.0) / total if total > type(total)(0.0) else type(total)(0.0)


@formula
def complement(share: Any) -> Any:
    """Return 1 - share."""
    return type(share)(1.0) - share


@formula
def curvature(category_value: Any, reached: Any, bought: Any) -> Any:
    """Return b, the share that the curvature of F adds to a step of the iteration: at most 1/2, or 1 if unknown.

    The iteration is Newton's on G(R) = F(R) - R (Dinkelbach 1967). Halley's third-order step is Newton's step
    divided by 1 - b with b = step G'' / (2 |G'|). Apart from prices at their bounds, F is a sum of exponentials in R.
    If all sensitivities were alike, F'' would be F'**2 / F. Let P (`bought`) be the probability that a visit buys
    anything: then F' = -P / (1 - P) and F = (reached - R P) / (1 - P), so b = step P**2 / (2 (reached - R P)).
    If reached - R P is not positive, this gives no estimate, and b is 1.
    """
    left = reached - category_value * bought
    bend = type(category_value)(0.5) * abs(reached - category_value) * bought * bought / left
    return min(bend, type(category_value)(0.5)) if left > type(category_value)(0.0) else type(category_value)(1.0)


@formula
def next_category_value(category_value: Any, reached: Any, attained: Any, bought: Any, depth: Any, bend: Any) -> Any:
    """Return the R of the next pass: a Halley step up, or a Newton step down, which never passes the root.

    reached: the R that this pass's prices earn; attained: the largest such R so far; bought: the probability P that a
    visit buys anything; depth: ln(1 + sum e^u); bend: the result of `curvature`. A step down corrects a step up that
    went too far, after which F is less curved than `curvature` estimates. If the step down would lead below `attained`,
    the mean of `attained` and the present R is tried instead. If nearly every visit buys (P >= 0.95), Newton's step is
    about 1 / beta long however far the root is. The step is then the rough solution of F(R + step) = F e**(-b step)
    with b = P / (reached - R P), and later passes remove what error remains.
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
    """Return ln x to within 0.04 for x > 0: the bits of a float32, read as an integer, grow with its logarithm."""
    if is_double(x):
        return type(x)(math.log(x))
    bits = type(x)(np.float32(x).view(np.int32))
    return (bits * type(x)(2.0**-23) - type(x)(126.957)) * type(x)(0.6931471805599453)


@formula
def is_confirmed(category_value: Any, reached: Any, tolerance: Any) -> Any:
    """Return whether the prices that are best for R earn R, to a relative tolerance."""
    return abs(reached - category_value) <= tolerance * abs(reached)


@formula
def is_settled(category_value: Any, reached: Any, bend: Any, tolerance: Any) -> Any:
    """Return whether the next R is right to a relative tolerance; its error is at most `bend` times the step."""
    return bend * abs(reached - category_value) <= tolerance * abs(reached)


@formula
def advance(
    category_value: Any, attained: Any, earned: Any, total: Any, outside: Any, shift: Any, tolerance: Any, is_late: Any
) -> Any:
    """Return the R of the next pass, the largest R attained so far, and 0 if the iteration has settled, else 1.

    earned, total and outside are the sums of a pass at the best prices for `category_value`, with utilities lowered by
    `shift`. If is_late, R may only rise (see PATIENCE). All three results have one type, because LLVM vectorises no
    loop over a function that returns a mixed tuple.
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
    """Return the R to start from, computed from rough sums at R = 0; 0 if these sums are too large or too small."""
    zero = type(total)(0.0)
    share = inverse(total)
    reached, bought = earned * share, complement(outside * share)
    following = next_category_value(
        zero, reached, type(total)(LOWEST), bought, rough_log(total), curvature(zero, reached, bought)
    )
    return following if is_exact(total) else zero


@formula
def is_reached(category_value: Any, earned: Any, total: Any, tolerance: Any, is_late: Any) -> Any:
    """Return whether the pass that fixes the prices confirms R; if is_late, a too high R is confirmed too."""
    reached = earned * inverse(total)
    return is_confirmed(category_value, reached, tolerance) | (is_late & (reached <= category_value))


@formula
def category_value_bound(category_value: Any, earned: Any, total: Any, outside: Any) -> Any:
    """Return max(R, F(R)) from the sums of a pass. The optimum R* never exceeds it, wherever the iteration stopped."""
    return max(category_value, (earned - category_value * (total - outside)) / outside)
