"""The CPU loop: workers over (category, block of segments), vectors over segments.

Every lane (one segment of one category) does the same operations in the same order whatever else is in its block,
so results are the same bits for any tiling and any number of threads.
"""

import numpy as np
from numba import prange

from kernels.compiled import compiled
from kernels.cpu.families import want_together
from kernels.cpu.product_block import (
    clip_row,
    earn_at_rungs,
    earn_row,
    multiply_rows,
    open_row,
    score_rows,
    settle_at_rungs,
    want_row,
)
from kernels.cpu.solver_state import (
    advance,
    guess,
    is_any_open,
    is_lopsided,
    mark_lopsided,
    open_lanes,
    reopen,
    reset_sums,
)
from kernels.cpu.workspace import LANES, RUN
from kernels.formulas import LOWEST, exponential, inverse, utility_at
from kernels.outputs import add_up, read_prices, write_held, write_lines, write_prices, write_shares
from kernels.product_records import FAMILY, RUNGS, fill_records


@compiled(parallel=True)
def price_tile(tile, columns, tolerance, cells, sums, work, edges):
    """Fill cells and sums with what is best; return the most passes that each worker's categories took, int32.

    edges [T + 1]: worker t does the items edges[t] to edges[t + 1] - 1; item i is block i % B of category i // B.
    """
    steps = np.zeros(edges.shape[0] - 1, np.int32)
    for worker in prange(steps.shape[0]):
        # No more than a call: numba 0.68.1 gets assignments to fields of records wrong in the body of a prange.
        steps[worker] = price_items(
            tile, columns, tolerance, cells, sums, work, worker, edges[worker], edges[worker + 1]
        )
    return steps


@compiled(parallel=True)
def choose_tile(tile, columns, price, cells, sums, work, edges):
    """Fill cells.probability and sums with the choices at the given prices, [P, S] or [P, 1]."""
    for worker in prange(edges.shape[0] - 1):
        choose_items(tile, columns, price, cells, sums, work, worker, edges[worker], edges[worker + 1])


@compiled(parallel=True)
def line_tile(tile, columns, free, slope, work, edges):
    """Fill free and slope [P, S], of which every utility is free - slope * price."""
    for worker in prange(edges.shape[0] - 1):
        line_items(tile, columns, free, slope, work, worker, edges[worker], edges[worker + 1])


@compiled()
def line_items(tile, columns, free, slope, work, worker, begin, end):
    """Do one worker's items."""
    blocks = tile.segment_appeal.shape[0]
    for item in range(begin, end):
        category, block = item // blocks, item % blocks
        first, last = tile.category_start[category], tile.category_start[category + 1]
        products, rows = work.products[worker, : last - first], work.rows[worker, : last - first]
        if block == 0 or item == begin:
            fill_records(columns, first, last, products)
        score_item(tile, first, last, block, work.appeal[worker], work.sensitivity[worker], products, rows, free)
        write_lines(rows, free, slope, first, block)


@compiled()
def price_items(tile, columns, tolerance, cells, sums, work, worker, begin, end):
    """Do one worker's items, small categories together; return the most passes that one took."""
    blocks, most, item = tile.segment_appeal.shape[0], 0, begin
    while item < end:
        category, block = item // blocks, item % blocks
        stop = end_of_run(tile.category_start, category, end // blocks) if block == 0 else category + 1
        last_block = min(blocks, end - (stop - 1) * blocks)
        fill_run(columns, tile.category_start, category, stop, work.products[worker])
        for b in range(block, last_block):
            most = max(most, price_run(tile, category, stop, b, tolerance, cells, sums, work, worker))
        item = (stop - 1) * blocks + last_block
    return most


@compiled()
def end_of_run(category_start, category, whole):
    """Return where the categories end that are multiplied with this one: RUN products, and before category `whole`."""
    stop = category + 1
    while stop < whole and category_start[stop + 1] - category_start[category] <= RUN:
        stop += 1
    return stop


@compiled()
def fill_run(columns, category_start, category, stop, products):
    """Fill the records of categories `category` to `stop` - 1, one after the other."""
    begin = category_start[category]
    for c in range(category, stop):
        first, last = category_start[c], category_start[c + 1]
        fill_records(columns, first, last, products[first - begin : last - begin])


@compiled()
def price_run(tile, category, stop, block, tolerance, cells, sums, work, worker):
    """Price categories `category` to `stop` - 1 for a block of segments; return the most passes that one took."""
    begin, most, lanes = tile.category_start[category], 0, work.lanes[worker]
    has_shares = cells.probability.shape[1] > 0 or sums.visits.shape[0] > 0
    if begin < tile.category_start[stop]:
        multiply_rows(tile, begin, tile.category_start[stop], block, work.appeal[worker], work.sensitivity[worker])
    for c in range(category, stop):
        first, last = tile.category_start[c], tile.category_start[c + 1]
        here = slice(first - begin, last - begin)
        products, rows = work.products[worker, here], work.rows[worker, here]
        appeal, sensitivity = work.appeal[worker, here], work.sensitivity[worker, here]
        worth = cells.category_worth[c, block * LANES : (block + 1) * LANES]
        score_rows(products, tile.is_dense, appeal, sensitivity, rows, cells.price, first, block)
        open_lanes(lanes, worth, tile.segment_count - block * LANES, tile.has_outside_option)
        open_all(products, rows, lanes)
        most = max(most, solve(products, tile.endings, tile.has_outside_option, tolerance, rows, lanes))
        write_prices(rows, cells.price, first, block)
        write_held(products, rows, cells.held, first, block)
        if has_shares:
            take_shares(products, rows, lanes, worth)
            write_shares(rows, cells.probability, first, block)
            add_up(rows, lanes, sums, c, first, block)
    return most


@compiled()
def choose_items(tile, columns, given, cells, sums, work, worker, begin, end):
    """Do one worker's items at given prices."""
    blocks, lanes = tile.segment_appeal.shape[0], work.lanes[worker]
    for item in range(begin, end):
        category, block = item // blocks, item % blocks
        first, last = tile.category_start[category], tile.category_start[category + 1]
        products, rows = work.products[worker, : last - first], work.rows[worker, : last - first]
        if block == 0 or item == begin:
            fill_records(columns, first, last, products)
        worth = cells.category_worth[category, block * LANES : (block + 1) * LANES]
        score_item(
            tile, first, last, block, work.appeal[worker], work.sensitivity[worker], products, rows, cells.probability
        )
        open_lanes(lanes, worth, tile.segment_count - block * LANES, tile.has_outside_option)
        read_prices(given, first, block, rows)
        earn_all(products, rows, lanes)
        if is_lopsided(lanes) and recentre(products, rows, lanes, tile.has_outside_option):
            earn_all(products, rows, lanes)
        take_shares(products, rows, lanes, worth)
        write_shares(rows, cells.probability, first, block)
        add_up(rows, lanes, sums, category, first, block)


@compiled()
def score_item(tile, first, last, block, appeal, sensitivity, products, rows, out):
    """Fill rows with the demand of a block of segments for the products from `first` to `last` - 1; see score_rows."""
    if first < last:
        multiply_rows(tile, first, last, block, appeal, sensitivity)
        score_rows(products, tile.is_dense, appeal, sensitivity, rows, out, first, block)


@compiled()
def open_all(products, rows, lanes):
    """Move the lanes that start from nothing to a first guess of R."""
    if is_any_open(lanes):
        reset_sums(lanes)
        for r in range(len(products)):
            if products[r].on_shelf:
                open_row(products[r], rows[r], lanes)
        guess(lanes)


@compiled()
def solve(products, endings, has_outside_option, tolerance, rows, lanes):
    """Fill the rows with prices, and shares on the shelf, that are best for the R that they reach; return the passes.

    Where `climb` stops, R is right if F is as smooth as it seems; on a coarse ladder a single rung may change more.
    So the pass that takes the prices also confirms them, and lanes that still moved climb on.
    """
    passes = 0
    while True:
        passes = climb(products, endings, has_outside_option, tolerance, passes, rows, lanes)
        reset_sums(lanes)
        for r in range(len(products)):
            product, row = products[r], rows[r]
            if product.on_shelf and product.rule == RUNGS:
                settle_at_rungs(product, row, lanes)
                continue
            settle_row(products, r, endings, rows, lanes)
            if product.on_shelf:
                earn_row(product, row, lanes)
        passes += 1
        if is_lopsided(lanes) and recentre(products, rows, lanes, has_outside_option):
            continue
        if not reopen(lanes, tolerance):
            return passes
        advance(lanes, tolerance)


@compiled()
def climb(products, endings, has_outside_option, tolerance, passes, rows, lanes):
    """Iterate R <- sum omega (x - c) e^u / (1 + sum e^u) at the best prices for R; return the passes so far.

    Dinkelbach (1967): any R leads to an attainable one. A lane that is settled keeps its R, so that its neighbours'
    steps do not move it.
    """
    while is_any_open(lanes):
        passes += 1
        reset_sums(lanes)
        for r in range(len(products)):
            product = products[r]
            if product.on_shelf and product.rule == RUNGS:
                earn_at_rungs(product, rows[r], lanes)
            elif product.on_shelf or product.rule == FAMILY:
                settle_row(products, r, endings, rows, lanes)
                if product.on_shelf:
                    earn_row(product, rows[r], lanes)
        if is_lopsided(lanes):
            settle_all(products, endings, rows, lanes)
            if recentre(products, rows, lanes, has_outside_option):
                continue
        advance(lanes, tolerance)
    return passes


@compiled()
def settle_all(products, endings, rows, lanes):
    """Fill the rows' prices with the best ones for R."""
    for r in range(len(products)):
        settle_row(products, r, endings, rows, lanes)


@compiled()
def settle_row(products, r, endings, rows, lanes):
    """Fill a row's price with the best one for R; in a family the first product's row fills those of all."""
    if products[r].rule != FAMILY:
        want_row(products[r], endings, rows[r], lanes)
    elif products[r].leader == r:
        want_together(products, r, endings, rows, lanes)
    clip_row(products[r], rows[r])


@compiled()
def recentre(products, rows, lanes, has_outside_option):
    """Shift the utilities of lopsided lanes, the outside option's too, so that the largest is 0; return whether any.

    It costs the lane a pass, so that all ends where utilities are too large for any shift to help.
    """
    mark_lopsided(lanes)
    for s in range(LANES):
        lanes.above[s] = -lanes.shift[s] if has_outside_option else LOWEST
    for r in range(len(products)):
        row = rows[r]
        if products[r].on_shelf:
            for s in range(LANES):
                lanes.above[s] = max(lanes.above[s], utility_at(row.price[s], row.free[s], row.slope[s]))
    has_moved = False
    for s in range(LANES):
        is_sound = lanes.is_lopsided[s] == 0 or lanes.above[s] == LOWEST
        lanes.above[s] = 0 if is_sound else lanes.above[s]
        lanes.shift[s] += lanes.above[s]
        if has_outside_option and not is_sound:
            lanes.outside[s] = exponential(-lanes.shift[s])
        lanes.passes[s] += 0 if is_sound else 1
        has_moved |= not is_sound
    for r in range(len(products)):
        row = rows[r]
        for s in range(LANES):
            row.free[s] -= lanes.above[s]
    return has_moved


@compiled()
def earn_all(products, rows, lanes):
    """Add up the shares of the products on the shelf at the rows' prices."""
    reset_sums(lanes)
    for r in range(len(products)):
        if products[r].on_shelf:
            earn_row(products[r], rows[r], lanes)


@compiled()
def take_shares(products, rows, lanes, worth):
    """Turn shares from e^(u - shift) into probabilities, and fill worth with the R that they earn."""
    for s in range(LANES):
        lanes.below[s] = inverse(lanes.total[s])
        worth[s] = lanes.earned[s] * lanes.below[s]
    for r in range(len(products)):
        row = rows[r]
        if products[r].on_shelf:
            for s in range(LANES):
                row.share[s] *= lanes.below[s]
        else:
            for s in range(LANES):
                row.share[s] = 0
