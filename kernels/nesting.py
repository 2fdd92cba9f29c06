"""The formulas of a category whose dissimilarity gamma is below 1, each written once for every target.

A visit buys in the category with probability Q = V^gamma / (1 + V^gamma), V = sum e^u, and then chooses product j with
probability e^u_j / V. gamma = 1 is the logit of `formulas`; a lower gamma lets prices move buyers between products more
than into and out of the category (nested logit; Train 2009, chapter 4). Arguments and results are scalars, except
`search`. Symbols beyond those of `formulas`:
    gamma, `dissimilarity`; V, whose logarithm is `depth`; Q, `bought`;
    `margin`: m = sum omega (x - c) e^u / V, the expected weighted margin of a purchase, in cents;
    `profit`: m Q, what a visit earns, in cents;
    T, `inner_value`: the R for which the prices that are best in the sense of `formulas` earn most, in cents.

With M = m V and g(V) = V^(1 - gamma) + V the profit is M / g(V). So the logit's outside option of weight 1 becomes one
of weight V^(1 - gamma), and every stationary price is c + 1/beta + T/omega with T = profit g'(V)
= m (1 - gamma (1 - Q)) (Gallego and Wang 2014). The prices that are best for some R maximise M - R V. Over all R they
trace the upper concave hull of the attainable (V, M), and there are two cases:

*Gains.* If some prices earn at least 0, so do the best. For a profit y >= 0, M - y g(V) is convex, because g is
concave, so its largest value lies at a vertex of the hull: *some* R has the best prices. T may have several fixed
points, so R is searched over all of its range. Between two values A < B the hull lies in the triangle of the points of
A and B and of the corner where their tangents, of slopes A and B, meet. By the same convexity no price for an R between
A and B earns more than the best of the three vertices.

*Losses.* If all prices lose, g lies below its tangent at the V of any pass. With the tangent in place of g the category
is a logit, whose bound holds for this category: max(R / g'(V), F(R) / (gamma V^(1 - gamma))), F(R) = M - R V. On a
coarse ladder the best prices need not lie on the hull; then the bound is above what the found prices earn.
"""

import math
from typing import Any

import numpy as np

from kernels.formulas import exponential, formula, is_double, log_one_plus

FIRST, CLIMB, SWEEP, POLISH, DONE = range(5)
"""The phases of a search: the pass at R = 0; towards a fixed point of T; over the whole range of R; from a better R
that the sweep met to a fixed point; done."""

MOST_CLIMBS = 24
"""The most passes of a climb. 4 to 8 are usual."""

MOST_SWEEPS = 64
"""The most passes of a sweep; the rest of the range is then one interval, whose bound holds, too. 7 to 12 are usual."""

NARROW = 1e-4
"""The width of an interval of the sweep, as a share of its right end, below which it is not cut any further."""

SLACK = 1e-5
"""The share by which the bound may exceed the profit that was found."""

VALUE, PHASE, PASSES, END, LOW, HIGH, EARLIER, MISSED = range(8)
BEST_VALUE, BEST_PROFIT, LEFT_VALUE, LEFT_DEPTH, LEFT_MARGIN, BOUND, FIELDS = range(8, 15)
"""The rows of `search` [FIELDS, n], which tells where the searches for the R of n segments stand; money is in cents.

VALUE: the R of the next pass; PHASE; PASSES: of this phase; END: no best R lies above it
LOW, HIGH: a fixed point of T lies between them; EARLIER, MISSED: R of the pass before, and T - R there
BEST_VALUE, BEST_PROFIT: the R that earned most so far, and what it earned
LEFT_VALUE, LEFT_DEPTH, LEFT_MARGIN: R, depth and margin at the left end of the sweep's next interval
BOUND: no prices that the search has ruled out earn more
"""


@formula
def logarithm(x: Any) -> Any:
    """Return ln x for x > 0, in float32 to within 4e-7 or a relative 2e-7; `log_one_plus` of the mantissa."""
    if is_double(x):
        return type(x)(math.log(x))
    bits = np.int32(np.float32(x).view(np.int32))
    power = np.int32((bits >> np.int32(23)) - np.int32(127))
    mantissa = np.int32(bits - np.int32(power << np.int32(23))).view(np.float32)
    return type(x)(power) * type(x)(0.6931471805599453) + log_one_plus(type(x)(mantissa) - type(x)(1.0))


@formula
def bought_share(depth: Any, dissimilarity: Any) -> Any:
    """Return Q, the probability that a visit buys in the category."""
    one = type(depth)(1.0)
    return one / (one + exponential(-dissimilarity * depth))


@formula
def outside_weight(total: Any, depth: Any, dissimilarity: Any) -> Any:
    """Return the outside option's weight V^(1 - gamma) on the scale of `total`, the sum of e^(u - shift); 1 if empty.

    depth: ln V, of the utilities without shift.
    """
    one = type(total)(1.0)
    return total * exponential(-dissimilarity * depth) if total > type(total)(0.0) else one


@formula
def inner_value(margin: Any, bought: Any, dissimilarity: Any) -> Any:
    """Return T = m (1 - gamma (1 - Q)), which stands for R in the best prices of a category with these choices."""
    return margin * (type(margin)(1.0) - dissimilarity * (type(margin)(1.0) - bought))


@formula
def switching_factor(depth: Any, dissimilarity: Any) -> Any:
    """Return (1 - gamma (1 - Q)) / Q, 1 for gamma = 1: own elasticity is -beta x (1 - this * P) (see `inner_value`)."""
    bought = bought_share(depth, dissimilarity)
    return inner_value(type(depth)(1.0), bought, dissimilarity) / bought


@formula
def loss_bound(value: Any, margin: Any, bought: Any, dissimilarity: Any) -> Any:
    """Return the bound of a category whose prices all lose, from a pass for R = `value` (see *Losses*)."""
    one = type(value)(1.0)
    left = one - bought
    steep = (one - dissimilarity * left) / max(bought, type(value)(1e-30))
    flat = max(dissimilarity * left, type(value)(1e-30)) / max(bought, type(value)(1e-30))
    return max(value / steep, (margin - value) / flat)


@formula
def corner_profit(search: Any, s: Any, depth: Any, margin: Any, dissimilarity: Any) -> Any:
    """Return what the corner of the sweep's interval would earn; depth and margin are those of its right end.

    V, M and F(R) = M - R V are counted in units of V at the left end. The tangents meet at V = (F(A) - F(B)) / (B - A).
    """
    value, left, one = search[VALUE, s], search[LEFT_VALUE, s], type(depth)(1.0)
    ratio = exponential(depth - search[LEFT_DEPTH, s])
    here = (margin - value) * ratio
    corner = min(max((search[LEFT_MARGIN, s] - left - here) / (value - left), ratio), one)
    return (value + here / corner) * bought_share(search[LEFT_DEPTH, s] + logarithm(corner), dissimilarity)


@formula
def start_search(search: Any, s: Any, least: Any, most: Any) -> None:
    """Start the search of segment s; least, most: the least and the largest weighted margin of a product, in cents."""
    for field in range(FIELDS):
        search[field, s] = 0
    search[LOW, s], search[HIGH, s], search[END, s] = min(least, type(most)(0.0)), most, max(most, type(most)(0.0))


@formula
def step_search(search: Any, s: Any, depth: Any, margin: Any, dissimilarity: Any, tolerance: Any) -> None:
    """Move the search of segment s on after a pass for R = search[VALUE, s], whose prices have this depth and margin.

    tolerance: relative change of R below which a climb has settled.
    """
    bought = bought_share(depth, dissimilarity)
    profit, target = margin * bought, inner_value(margin, bought, dissimilarity)
    if search[PHASE, s] == type(depth)(FIRST):
        begin(search, s, depth, margin, profit, target)
        return
    search[PASSES, s] += type(depth)(1.0)
    is_worse = profit < search[BEST_PROFIT, s]
    if profit > search[BEST_PROFIT, s]:
        search[BEST_PROFIT, s], search[BEST_VALUE, s] = profit, search[VALUE, s]
    if search[PHASE, s] == type(depth)(SWEEP):
        corner = corner_profit(search, s, depth, margin, dissimilarity)
        sweep(search, s, depth, margin, max(corner, profit))
        return
    if search[BEST_PROFIT, s] < type(depth)(0.0):
        bound = loss_bound(search[VALUE, s], margin, bought, dissimilarity)
        search[BOUND, s] = min(search[BOUND, s], bound)
    is_settled = abs(target - search[VALUE, s]) <= tolerance * abs(target)
    is_settled = is_settled or search[PASSES, s] >= type(depth)(MOST_CLIMBS)
    if search[PHASE, s] == type(depth)(CLIMB):
        climb(search, s, target, is_settled)
    else:
        polish(search, s, target, is_settled or is_worse)


@formula
def begin(search: Any, s: Any, depth: Any, margin: Any, profit: Any, target: Any) -> None:
    """Move on from the pass at R = 0: the sign of the profit says on which side of 0 the best R lies."""
    zero = type(profit)(0.0)
    search[LOW, s] = search[LOW, s] if profit < zero else zero
    search[HIGH, s] = zero if profit < zero else search[HIGH, s]
    search[BEST_PROFIT, s], search[BOUND, s], search[MISSED, s] = profit, max(profit, zero), target
    search[LEFT_DEPTH, s], search[LEFT_MARGIN, s] = depth, margin
    search[VALUE, s] = min(max(target, search[LOW, s]), search[HIGH, s])
    search[PHASE, s] = CLIMB


@formula
def climb(search: Any, s: Any, target: Any, is_settled: Any) -> None:
    """Take a secant step on T - R inside the bracket, or start the sweep; `target` is T.

    The step is T itself where the secant leaves the bracket, and half the bracket where T does, too.
    """
    value, missed, zero = search[VALUE, s], target - search[VALUE, s], type(target)(0.0)
    low = value if missed > zero else search[LOW, s]
    high = search[HIGH, s] if missed > zero else value
    curve = missed - search[MISSED, s]
    following = value - missed * (value - search[EARLIER, s]) / curve if curve != zero else target
    if not (low < following and following < high):
        following = target if low < target and target < high else type(value)(0.5) * (low + high)
    search[LOW, s], search[HIGH, s], search[EARLIER, s] = low, high, value
    search[MISSED, s], search[VALUE, s] = missed, following
    if not is_settled and following != value:
        return
    if search[BEST_PROFIT, s] < zero or search[END, s] <= zero:
        finish(search, s)
        return
    # The first interval ends at the R found. HIGH keeps this R for the end of the sweep, which asks for a better one.
    width = search[BEST_VALUE, s] if search[BEST_VALUE, s] > zero else search[END, s]
    search[PHASE, s], search[PASSES, s], search[HIGH, s] = SWEEP, 0, search[BEST_VALUE, s]
    search[VALUE, s] = min(width, search[END, s])


@formula
def sweep(search: Any, s: Any, depth: Any, margin: Any, bound: Any) -> None:
    """Leave the interval behind if it holds no better price, or halve it; bound: of what its prices earn.

    An interval is also left if it is so narrow that a better price would gain nothing, or if passes run out; its bound
    counts in any case.
    """
    left, value, end = search[LEFT_VALUE, s], search[VALUE, s], search[END, s]
    is_late, width = search[PASSES, s] >= type(value)(MOST_SWEEPS), value - left
    is_narrow = width <= type(width)(NARROW) * value
    if bound <= search[BEST_PROFIT, s] * type(bound)(1.0 + SLACK) or is_narrow or is_late:
        search[LEFT_VALUE, s], search[LEFT_DEPTH, s], search[LEFT_MARGIN, s] = value, depth, margin
        search[BOUND, s] = max(search[BOUND, s], bound)
        left, width = value, type(width)(2.0) * width
        if value >= end:
            if search[BEST_VALUE, s] == search[HIGH, s]:
                finish(search, s)
            else:
                search[PHASE, s], search[PASSES, s], search[VALUE, s] = POLISH, 0, search[BEST_VALUE, s]
            return
    else:
        width *= type(width)(0.5)
    following = end if is_late else min(left + width, end)
    best = search[BEST_VALUE, s]
    search[VALUE, s] = best if left < best and best < following else following


@formula
def polish(search: Any, s: Any, target: Any, is_settled: Any) -> None:
    """Take the step R <- T from a better R that the sweep met, or end; the step never lowers a profit above 0.

    The reason is that T maximises a minorant of M - y g(V), which touches it at the present prices.
    """
    search[VALUE, s] = target
    if is_settled:
        finish(search, s)


@formula
def finish(search: Any, s: Any) -> None:
    """End the search: one more pass, for the best R, sets the prices."""
    search[PHASE, s], search[VALUE, s] = DONE, search[BEST_VALUE, s]
    search[BOUND, s] = max(search[BOUND, s], search[BEST_PROFIT, s])
