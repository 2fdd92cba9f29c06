"""The CPU loop: threads over (category, block of segments), vectors over segments.

A block's appeals and slopes are computed into buffers that stay in the cache and are iterated there. Every lane (one
segment of one category) does the same operations in the same order whatever else is in its block, so results are the
same bits for any tiling and any number of threads. The sums over factors are ours and not BLAS's for the same reason.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from kernels.compiled import compiled
from kernels.formulas import (
    better_price,
    bound_held,
    clip,
    ending_above,
    ending_below,
    exponential,
    is_improvement,
    slope_of,
    softplus,
    unclipped_price,
    utility_at,
)

BLOCK = 64
"""Segments of one category that are iterated together."""

MOST_STEPS = 64
"""Cap of the iteration; 4 to 7 steps are usual (design, section 3)."""

LOWEST = np.float32(-1e38)
"""Below any utility, and still finite after a subtraction."""


class Block(NamedTuple):
    """The working memory of one category and up to BLOCK segments: [n, lanes] the first four, [lanes] the rest.

    share holds the utility u first, then e^(u - peak), whose sum is total; worth is the R that prices are best for,
    reached the R that they earn, target the unclipped optimum of the product at hand, moved into its bounds.
    """

    appeal: np.ndarray
    slope: np.ndarray
    price: np.ndarray
    share: np.ndarray
    worth: np.ndarray
    reached: np.ndarray
    total: np.ndarray
    peak: np.ndarray
    target: np.ndarray


@compiled()
def new_block(rows, lanes, like):
    """Return a block in the type of the array `like`, with R = 0."""
    grid, line = (rows, lanes), (lanes,)
    return Block(
        np.empty(grid, like.dtype),
        np.empty(grid, like.dtype),
        np.empty(grid, like.dtype),
        np.empty(grid, like.dtype),
        np.zeros(line, like.dtype),
        np.empty(line, like.dtype),
        np.empty(line, like.dtype),
        np.empty(line, like.dtype),
        np.empty(line, like.dtype),
    )


@compiled(parallel=True)
def price_tile(scores, products, category_start, rungs, has_outside_option, tolerance, cells):
    """Fill the arrays of `cells` and return the steps that each (category, block) took, int32."""
    segments = cells.price.shape[1]
    blocks = -(-segments // BLOCK)
    steps = np.zeros((category_start.shape[0] - 1) * blocks, np.int32)
    for item in prange(steps.shape[0]):
        category, begin = item // blocks, item % blocks * BLOCK
        first, last = category_start[category], category_start[category + 1]
        lanes = min(BLOCK, scores.segment_appeal.shape[1] - begin)
        block = new_block(last - first, lanes, scores.segment_appeal)
        score_rows(scores, products[first:last], first, begin, block)
        steps[item] = climb(products[first:last], rungs, has_outside_option, tolerance, block)
        settle_rows(products[first:last], rungs, False, block)
        write_block(products[first:last], block, cells, category, first, begin)
    return steps


@compiled()
def score_rows(scores, products, first, begin, block):
    """Fill the block's appeal and slope, for the products from `first` on and the segments from `begin` on."""
    appeal, slope, end = block.appeal, block.slope, begin + block.worth.shape[0]
    last = first + appeal.shape[0]
    if scores.is_dense:
        appeal[:] = scores.product_appeal[first:last, begin:end]
        slope[:] = scores.product_sensitivity[first:last, begin:end]
    else:
        dot_rows(scores.product_appeal[first:last], scores.segment_appeal[:, begin:end].copy(), appeal)
        dot_rows(scores.product_sensitivity[first:last], scores.segment_sensitivity[:, begin:end].copy(), slope)
        for row in range(slope.shape[0]):
            for s in range(slope.shape[1]):
                slope[row, s] = softplus(slope[row, s])
    for row in range(appeal.shape[0]):
        appeal_offset, sensitivity_offset = products[row].appeal_offset, products[row].sensitivity_offset
        reference_price = products[row].reference_price
        for s in range(appeal.shape[1]):
            appeal[row, s] += appeal_offset
            slope[row, s] = slope_of(slope[row, s] + sensitivity_offset, reference_price)


@compiled()
def dot_rows(product, segment, out):
    """Fill out [n, lanes] with product factors [n, D] times segment factors [D, lanes], eight factors at a time."""
    whole = product.shape[1] // 8 * 8
    for row in range(out.shape[0]):
        for s in range(out.shape[1]):
            out[row, s] = 0
        for k in range(0, whole, 8):
            p0, p1, p2, p3 = product[row, k], product[row, k + 1], product[row, k + 2], product[row, k + 3]
            p4, p5, p6, p7 = product[row, k + 4], product[row, k + 5], product[row, k + 6], product[row, k + 7]
            for s in range(out.shape[1]):
                dot = p1 * segment[k + 1, s] + (p0 * segment[k, s] + out[row, s])
                dot = p3 * segment[k + 3, s] + (p2 * segment[k + 2, s] + dot)
                dot = p5 * segment[k + 5, s] + (p4 * segment[k + 4, s] + dot)
                out[row, s] = p7 * segment[k + 7, s] + (p6 * segment[k + 6, s] + dot)
        for k in range(whole, product.shape[1]):
            for s in range(out.shape[1]):
                out[row, s] = product[row, k] * segment[k, s] + out[row, s]


@compiled()
def climb(products, rungs, has_outside_option, tolerance, block):
    """Iterate R <- sum omega (x - c) e^u / (1 + sum e^u) at the best prices for R; return the steps taken.

    Dinkelbach (1967): from any start the first step reaches an attainable R, which then only climbs. A lane whose R no
    longer improves keeps it, so that its neighbours' steps do not move it.
    """
    worth, reached = block.worth, block.reached
    for step in range(MOST_STEPS):
        block.peak[:] = 0 if has_outside_option else LOWEST
        settle_rows(products, rungs, True, block)
        sum_rows(products, has_outside_option, block)
        is_settled = True
        for s in range(worth.shape[0]):
            if step == 0 or is_improvement(reached[s], worth[s], tolerance):
                worth[s] = reached[s]
                is_settled = False
        if is_settled:
            return step + 1
    return MOST_STEPS


@compiled()
def settle_rows(products, rungs, on_shelf, block):
    """Fill price and share (the utility) with the best prices for R of the products that are on the shelf, or are not.

    The same as formulas.best_price in every lane, with the loops turned so that each vectorises over lanes.
    """
    appeal, slope, lower, upper, worth = block.appeal, block.slope, block.price, block.share, block.worth
    peak = block.peak
    for row in range(products.shape[0]):
        product = products[row]
        if product.on_shelf != on_shelf:
            continue
        bracket_row(product, rungs, row, block)
        cost, weight, low, high = product.unit_cost, product.weight, product.low, product.high
        reference_price = product.reference_price
        for s in range(worth.shape[0]):
            lower_price, upper_price = clip(lower[row, s], low, high), clip(upper[row, s], low, high)
            best = better_price(lower_price, upper_price, slope[row, s], cost, weight, worth[s])
            lower[row, s] = best
            utility = utility_at(best, appeal[row, s], slope[row, s], reference_price)
            upper[row, s] = utility
            peak[s] = max(peak[s], utility)


@compiled()
def bracket_row(product, rungs, row, block):
    """Fill one row's price and share with its two candidate prices, which may still leave the bounds."""
    lower, upper, slope, worth, target = block.price, block.share, block.slope, block.worth, block.target
    cost, weight, low, high = product.unit_cost, product.weight, product.low, product.high
    lanes = worth.shape[0]
    if weight <= 0:
        for s in range(lanes):
            lower[row, s] = low
            upper[row, s] = high
        return
    for s in range(lanes):
        target[s] = clip(unclipped_price(slope[row, s], cost, weight, worth[s]), low, high)
        lower[row, s] = target[s]
        upper[row, s] = target[s]
    period = rungs.period[product.ladder]
    first, last = rungs.ending_start[product.ladder], rungs.ending_start[product.ladder + 1]
    for e in range(first, last):
        ending = rungs.endings[e]
        for s in range(lanes):
            below, above = ending_below(target[s], period, ending), ending_above(target[s], period, ending)
            lower[row, s] = below if e == first else max(lower[row, s], below)
            upper[row, s] = above if e == first else min(upper[row, s], above)


@compiled()
def sum_rows(products, has_outside_option, block):
    """Turn share from u into e^(u - peak); fill total, the denominator, and reached, the R it gives."""
    price, share, peak, total, reached = block.price, block.share, block.peak, block.total, block.reached
    for s in range(peak.shape[0]):
        total[s] = exponential(-peak[s]) if has_outside_option else 0
        reached[s] = 0
    for row in range(price.shape[0]):
        if products[row].on_shelf:
            weight, cost = products[row].weight, products[row].unit_cost
            for s in range(peak.shape[0]):
                share[row, s] = exponential(share[row, s] - peak[s])
                total[s] += share[row, s]
                reached[s] += weight * (price[row, s] - cost) * share[row, s]
    for s in range(peak.shape[0]):
        reached[s] = reached[s] / total[s] if total[s] > 0 else 0


@compiled()
def write_block(products, block, cells, category, first, begin):
    """Copy a block's results, without the padding, to its place in `cells`."""
    price, share, slope, worth, total = block.price, block.share, block.slope, block.worth, block.total
    width = min(worth.shape[0], cells.price.shape[1] - begin)
    end = begin + width
    cells.category_worth[category, begin:end] = block.reached[:width]
    for row in range(products.shape[0]):
        product = products[row]
        cost, weight, low, high = product.unit_cost, product.weight, product.low, product.high
        price_out = cells.price[first + row, begin:end]
        probability_out = cells.probability[first + row, begin:end]
        held_out = cells.held[first + row, begin:end]
        for s in range(width):
            price_out[s] = price[row, s]
            held_out[s] = bound_held(price[row, s], slope[row, s], cost, weight, worth[s], low, high)
        for s in range(width):
            probability_out[s] = share[row, s] / total[s] if product.on_shelf else 0


@compiled(parallel=True)
def choose_tile(scores, products, category_start, has_outside_option, price, probability):
    """Fill probability [P, S] with the choice probabilities at the prices [P, S]."""
    segments = probability.shape[1]
    blocks = -(-segments // BLOCK)
    for item in prange((category_start.shape[0] - 1) * blocks):
        category, begin = item // blocks, item % blocks * BLOCK
        first, last = category_start[category], category_start[category + 1]
        lanes = min(BLOCK, scores.segment_appeal.shape[1] - begin)
        width = min(lanes, segments - begin)
        block = new_block(last - first, lanes, scores.segment_appeal)
        score_rows(scores, products[first:last], first, begin, block)
        choose_rows(
            products[first:last], has_outside_option, block.appeal, block.slope,
            price[first:last, begin : begin + width], probability[first:last, begin : begin + width],
        )  # fmt: skip


@compiled()
def choose_rows(products, has_outside_option, appeal, slope, price, probability):
    """Fill probability [n, width] of one category; the logit, shifted by its largest utility."""
    for s in range(price.shape[1]):
        real = type(appeal[0, 0])
        peak = real(0.0) if has_outside_option else real(LOWEST)
        for row in range(price.shape[0]):
            appeal[row, s] = utility_at(price[row, s], appeal[row, s], slope[row, s], products[row].reference_price)
            if products[row].on_shelf:
                peak = max(peak, appeal[row, s])
        total = exponential(-peak) if has_outside_option else real(0.0)
        for row in range(price.shape[0]):
            probability[row, s] = exponential(appeal[row, s] - peak) if products[row].on_shelf else 0
            total += probability[row, s]
        for row in range(price.shape[0]):
            if products[row].on_shelf:
                probability[row, s] /= total
