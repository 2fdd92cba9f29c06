"""The CPU loop: threads over (category, block of segments), vectors over segments.

A block's appeals and slopes are computed into buffers that stay in the cache and are iterated there. Every
lane (one segment of one category) does the same operations in the same order whatever else is in its block,
so results are the same bits for any tiling and any number of threads.
"""

import numpy as np
from numba import prange

from kernels.block import BLOCK, LOWEST, new_block, score_rows
from kernels.compiled import compiled
from kernels.formulas import (
    better_price,
    bound_held,
    clip,
    exponential,
    is_improvement,
    rung_above,
    rung_below,
    unclipped_price,
    utility_at,
)

MOST_STEPS = 64
"""Cap of the iteration; 4 to 7 steps are usual (design, section 3)."""


@compiled(parallel=True)
def price_tile(scores, products, category_start, endings, has_outside_option, tolerance, cells):
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
        steps[item] = climb(products[first:last], endings, has_outside_option, tolerance, block)
        settle_rows(products[first:last], endings, False, block)
        write_block(products[first:last], block, cells, category, first, begin)
    return steps


@compiled()
def climb(products, endings, has_outside_option, tolerance, block):
    """Iterate R <- sum omega (x - c) e^u / (1 + sum e^u) at the best prices for R; return the steps taken.

    Dinkelbach (1967): from any start the first step reaches an attainable R, which then only climbs. A lane
    whose R no longer improves keeps it, so that its neighbours' steps do not move it.
    """
    worth, reached = block.worth, block.reached
    for step in range(MOST_STEPS):
        block.peak[:] = 0 if has_outside_option else LOWEST
        settle_rows(products, endings, True, block)
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
def settle_rows(products, endings, on_shelf, block):
    """Fill price with the best prices for R and share with their utilities, and raise peak to these.

    Of the products that are on the shelf, or of those that are not. Every loop vectorises over lanes.
    """
    appeal, slope, lower, upper, worth = block.appeal, block.slope, block.price, block.share, block.worth
    peak = block.peak
    for row in range(products.shape[0]):
        product = products[row]
        if product.on_shelf != on_shelf:
            continue
        bracket_row(product, endings, row, block)
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
def bracket_row(product, endings, row, block):
    """Fill one row's price and share with its two candidate prices, which may still leave the bounds."""
    lower, upper, slope, worth, target = block.price, block.share, block.slope, block.worth, block.target
    cost, weight, low, high = product.unit_cost, product.weight, product.low, product.high
    lanes = worth.shape[0]
    if weight <= type(weight)(0.0):
        for s in range(lanes):
            lower[row, s] = low
            upper[row, s] = high
        return
    for s in range(lanes):
        target[s] = clip(unclipped_price(slope[row, s], cost, weight, worth[s]), low, high)
        lower[row, s] = target[s]
        upper[row, s] = target[s]
    period, first = product.period, product.first_ending
    for e in range(first, product.last_ending):
        ending = endings[e]
        for s in range(lanes):
            below, above = rung_below(target[s], period, ending), rung_above(target[s], period, ending)
            lower[row, s] = below if e == first else max(lower[row, s], below)
            upper[row, s] = above if e == first else min(upper[row, s], above)


@compiled()
def sum_rows(products, has_outside_option, block):
    """Turn share from u into e^(u - peak); fill total, the denominator, and reached, the R it gives."""
    price, share, peak, total, reached = block.price, block.share, block.peak, block.total, block.reached
    zero = peak.dtype.type(0)
    for s in range(peak.shape[0]):
        total[s] = exponential(-peak[s]) if has_outside_option else zero
        reached[s] = zero
    for row in range(price.shape[0]):
        if products[row].on_shelf:
            weight, cost = products[row].weight, products[row].unit_cost
            for s in range(peak.shape[0]):
                share[row, s] = exponential(share[row, s] - peak[s])
                total[s] += share[row, s]
                reached[s] += weight * (price[row, s] - cost) * share[row, s]
    for s in range(peak.shape[0]):
        reached[s] = reached[s] / total[s] if total[s] > zero else zero


@compiled()
def write_block(products, block, cells, category, first, begin):
    """Copy a block's results, without the padding, to its place in `cells`."""
    price, slope, worth = block.price, block.slope, block.worth
    width = min(worth.shape[0], cells.price.shape[1] - begin)
    end = begin + width
    cells.category_worth[category, begin:end] = block.reached[:width]
    for row in range(products.shape[0]):
        product = products[row]
        cost, weight, low, high = product.unit_cost, product.weight, product.low, product.high
        price_out = cells.price[first + row, begin:end]
        held_out = cells.held[first + row, begin:end]
        for s in range(width):
            price_out[s] = price[row, s]
            held_out[s] = bound_held(price[row, s], slope[row, s], cost, weight, worth[s], low, high)
    write_shares(products, block, cells.probability, first, begin)


@compiled(parallel=True)
def choose_tile(scores, products, category_start, has_outside_option, price, probability):
    """Fill probability [P, S] with the choice probabilities at the prices [P, S]."""
    segments = probability.shape[1]
    blocks = -(-segments // BLOCK)
    for item in prange((category_start.shape[0] - 1) * blocks):
        category, begin = item // blocks, item % blocks * BLOCK
        first, last = category_start[category], category_start[category + 1]
        lanes = min(BLOCK, scores.segment_appeal.shape[1] - begin)
        block = new_block(last - first, lanes, scores.segment_appeal)
        score_rows(scores, products[first:last], first, begin, block)
        read_prices(products[first:last], has_outside_option, price, first, begin, block)
        sum_rows(products[first:last], has_outside_option, block)
        write_shares(products[first:last], block, probability, first, begin)


@compiled()
def read_prices(products, has_outside_option, given, first, begin, block):
    """Fill the block's price from the given [P, S], share with the utilities, peak with their maximum."""
    appeal, slope, price, share, peak = block.appeal, block.slope, block.price, block.share, block.peak
    width = min(peak.shape[0], given.shape[1] - begin)
    # Here and not in the prange body, where numba 0.68.1 fills peak with a wrong value.
    peak[:] = 0 if has_outside_option else LOWEST
    price[:, width:] = 0
    share[:, width:] = 0
    for row in range(products.shape[0]):
        reference_price, is_on_shelf = products[row].reference_price, products[row].on_shelf
        given_row = given[first + row, begin : begin + width]
        for s in range(width):
            price[row, s] = given_row[s]
            share[row, s] = utility_at(given_row[s], appeal[row, s], slope[row, s], reference_price)
        if is_on_shelf:
            for s in range(width):
                peak[s] = max(peak[s], share[row, s])


@compiled()
def write_shares(products, block, probability, first, begin):
    """Copy a block's probabilities, without the padding, to their place in probability [P, S]."""
    share, total = block.share, block.total
    width = min(total.shape[0], probability.shape[1] - begin)
    for row in range(products.shape[0]):
        out = probability[first + row, begin : begin + width]
        zero, is_on_shelf = total.dtype.type(0), products[row].on_shelf
        for s in range(width):
            out[s] = share[row, s] / total[s] if is_on_shelf else zero
