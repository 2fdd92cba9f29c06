"""The best range of prices of one product over all segments, when its dearest may be no more than `ratio` its cheapest.

For given R of every category and segment, what a product adds to sum_s v_s R_s is, to first order in its shares,
sum_s v_s / D_s * (omega (x_s - c) - R_s) e^u_s(x_s) with D_s = 1 + sum e^u. Each term has one peak, so in a range of
prices from a level to ratio * level the best x_s is the peak moved into it, and the levels worth trying lie between
the lowest peak and the highest over ratio. A step of a search: what a level is worth, only pricing the category tells.
"""

import numpy as np
from numba import prange

from kernels.compiled import compiled
from kernels.cpu.families import bracket, number_of, rung_of
from kernels.formulas import better_price, clip, exponential, margin_at, utility_at

MILLION = 10**6

MOST_LEVELS = 256
"""Tried at once; of more, evenly spaced ones."""


@compiled(parallel=True)
def set_unconstrained_prices(products, endings, category, utility_at_zero, slope, category_value, unconstrained_price):
    """Fill wanted [P, S] with the best prices inside the bounds for R, worth [G, S]."""
    for p in prange(len(products)):
        set_unconstrained_prices_of(
            products, p, endings, utility_at_zero, slope, category_value[category[p]], unconstrained_price
        )


@compiled()
def set_unconstrained_prices_of(products, p, endings, utility_at_zero, slope, category_value, unconstrained_price):
    """Fill one product's."""
    product = products[p]
    low, high, unit_cost, weight = product.low, product.high, product.unit_cost, product.weight
    for s in range(unconstrained_price.shape[1]):
        below, above = low, high
        if weight > 0 and low < high:
            price = clip(unit_cost + type(low)(1.0) / slope[p, s] + category_value[s] / weight, low, high)
            below, above = bracket(product, endings, price, price)
            below, above = max(below, low), min(above, high)
        unconstrained_price[p, s] = better_price(below, above, slope[p, s], unit_cost, weight, category_value[s])


@compiled(parallel=True)
def propose_levels(
    products,
    endings,
    category,
    start,
    utility_at_zero,
    slope,
    category_value,
    scale,
    ratio,
    unconstrained_price,
    level,
    proposed,
    gain,
):
    """Move proposed [P] from level [P], in cents, to better levels, and gain [P] from 0 to what they promise.

    ratio: in millionths; scale [G, S]: v / D; a family has one level, decided with its first product.
    """
    for p in prange(len(products)):
        g, first = category[p], start[category[p]]
        # numba counts in unsigned numbers here, which become floats where signed ones are added.
        propose(
            products, endings, np.int64(p), first, utility_at_zero, slope, category_value[g], scale[g], ratio, unconstrained_price, level, proposed, gain
        )  # fmt: skip


@compiled()
def propose(
    products,
    endings,
    p,
    first,
    utility_at_zero,
    slope,
    category_value,
    scale,
    ratio,
    unconstrained_price,
    level,
    proposed,
    gain,
):
    """Do one product, and with the first of a family all of it."""
    product = products[p]
    if product.low == product.high or (product.leader >= 0 and first + product.leader != p):
        return
    least, most = extremes(products, p, first, unconstrained_price)
    last = min(-(-int(most) * MILLION // ratio), int(product.high))
    here = number_of(product, endings, least)
    count = max(number_of(product, endings, type(least)(last)) - here, 0)
    stride = count // MOST_LEVELS + 1
    before = value_of(
        products, p, first, endings, utility_at_zero, slope, category_value, scale, ratio, unconstrained_price, level[p]
    )
    best = before
    for n in range(here, here + count + 1, stride):
        price = rung_of(product, endings, n)
        if price > product.high:
            break
        value = value_of(
            products,
            p,
            first,
            endings,
            utility_at_zero,
            slope,
            category_value,
            scale,
            ratio,
            unconstrained_price,
            price,
        )
        if value > best:
            best, proposed[p] = value, price
    gain[p] = best - before
    k = product.next_mate if product.leader >= 0 else -1
    while k >= 0:
        proposed[first + k] = proposed[p]
        k = products[first + k].next_mate


@compiled()
def extremes(products, p, first, unconstrained_price):
    """Return the lowest and the highest price that is wanted for the product or one of its family."""
    least, most, k = unconstrained_price[p, 0], unconstrained_price[p, 0], p
    while True:
        for s in range(unconstrained_price.shape[1]):
            least, most = min(least, unconstrained_price[k, s]), max(most, unconstrained_price[k, s])
        if products[k].leader < 0 or products[k].next_mate < 0:
            return least, most
        k = first + products[k].next_mate


@compiled()
def value_of(
    products, p, first, endings, utility_at_zero, slope, category_value, scale, ratio, unconstrained_price, level
):
    """Return what a level promises for the product and its family, in float64."""
    total, k, high = 0.0, p, top_of(products[p], endings, level, ratio)
    while True:
        product = products[k]
        for s in range(unconstrained_price.shape[1]):
            price = clip(unconstrained_price[k, s], level, high)
            gain = np.float64(margin_at(price, product.weight, product.weighted_cost) - category_value[s])
            total += scale[s] * gain * exponential(np.float64(utility_at(price, utility_at_zero[k, s], slope[k, s])))
        if product.leader < 0 or product.next_mate < 0:
            return total
        k = first + product.next_mate


@compiled()
def top_of(product, endings, level, ratio):
    """Return the highest rung in the bounds that is at most `ratio` times the level."""
    most = type(level)(min(int(level) * ratio // MILLION, int(product.high)))
    below, _ = bracket(product, endings, most, most)
    return max(below, level)


@compiled()
def fill_tops(products, endings, level, ratio, top):
    """Fill top [P] with the highest prices that go with levels [P]."""
    for p in range(len(products)):
        top[p] = top_of(products[p], endings, level[p], ratio) if products[p].low < products[p].high else level[p]


@compiled()
def fill_rungs(products, endings, price, rung):
    """Fill rung [P] with the rungs in the bounds at or below prices [P], the lowest where there is none."""
    for p in range(len(products)):
        product = products[p]
        below, _ = bracket(product, endings, clip(price[p], product.low, product.high), product.low)
        rung[p] = max(below, product.low) if product.low < product.high else product.low
