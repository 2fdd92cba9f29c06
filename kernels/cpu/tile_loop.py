"""The CPU loop: workers over (category, block of segments), vectors over segments.

Every lane (one segment of one category) does the same operations in the same order whatever else is in its block,
so results are the same bits for any tiling and any number of threads.
"""

import numpy as np
from numba import prange

from kernels.compiled import compiled
from kernels.cpu.families import set_common_price
from kernels.cpu.product_block import (
    add_at_rungs,
    add_opening_row,
    add_row,
    clip_row,
    fill_rows,
    multiply_factors,
    set_prices_at_rungs,
    set_unconstrained_price,
)
from kernels.cpu.solver_state import (
    advance,
    is_any_open,
    is_out_of_range,
    mark_out_of_range,
    reopen,
    reset_sums,
    set_opening_values,
    start_state,
)
from kernels.cpu.worker_memory import LANES, RUN
from kernels.formulas import LOWEST, exponential, inverse, utility_at
from kernels.outputs import add_up, read_prices, write_binding_sides, write_lines, write_prices, write_shares
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
def line_tile(tile, columns, utility_at_zero, slope, work, edges):
    """Fill free and slope [P, S], of which every utility is free - slope * price."""
    for worker in prange(edges.shape[0] - 1):
        line_items(tile, columns, utility_at_zero, slope, work, worker, edges[worker], edges[worker + 1])


@compiled()
def line_items(tile, columns, utility_at_zero, slope, work, worker, begin, end):
    """Do one worker's items."""
    blocks = tile.segment_appeal.shape[0]
    for item in range(begin, end):
        category, block = item // blocks, item % blocks
        first, last = tile.category_start[category], tile.category_start[category + 1]
        products, rows = work.products[worker, : last - first], work.rows[worker, : last - first]
        if block == 0 or item == begin:
            fill_records(columns, first, last, products)
        fill_item(
            tile, first, last, block, work.appeal[worker], work.sensitivity[worker], products, rows, utility_at_zero
        )
        write_lines(rows, utility_at_zero, slope, first, block)


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
    begin, most, state = tile.category_start[category], 0, work.state[worker]
    has_shares = cells.probability.shape[1] > 0 or sums.visits.shape[0] > 0
    if begin < tile.category_start[stop]:
        multiply_factors(tile, begin, tile.category_start[stop], block, work.appeal[worker], work.sensitivity[worker])
    for c in range(category, stop):
        first, last = tile.category_start[c], tile.category_start[c + 1]
        here = slice(first - begin, last - begin)
        products, rows = work.products[worker, here], work.rows[worker, here]
        appeal, sensitivity = work.appeal[worker, here], work.sensitivity[worker, here]
        category_value = cells.category_value[c, block * LANES : (block + 1) * LANES]
        fill_rows(products, tile.is_dense, appeal, sensitivity, rows, cells.price, first, block)
        start_state(state, category_value, tile.segment_count - block * LANES, tile.has_outside_option)
        open_category(products, rows, state)
        most = max(most, solve_category(products, tile.endings, tile.has_outside_option, tolerance, rows, state))
        write_prices(rows, cells.price, first, block)
        write_binding_sides(products, rows, cells.binding_side, first, block)
        if has_shares:
            normalise_shares(products, rows, state, category_value)
            write_shares(rows, cells.probability, first, block)
            add_up(rows, state, sums, c, first, block)
    return most


@compiled()
def choose_items(tile, columns, given, cells, sums, work, worker, begin, end):
    """Do one worker's items at given prices."""
    blocks, state = tile.segment_appeal.shape[0], work.state[worker]
    for item in range(begin, end):
        category, block = item // blocks, item % blocks
        first, last = tile.category_start[category], tile.category_start[category + 1]
        products, rows = work.products[worker, : last - first], work.rows[worker, : last - first]
        if block == 0 or item == begin:
            fill_records(columns, first, last, products)
        category_value = cells.category_value[category, block * LANES : (block + 1) * LANES]
        fill_item(
            tile, first, last, block, work.appeal[worker], work.sensitivity[worker], products, rows, cells.probability
        )
        start_state(state, category_value, tile.segment_count - block * LANES, tile.has_outside_option)
        read_prices(given, first, block, rows)
        add_shelf(products, rows, state)
        if is_out_of_range(state) and recentre(products, rows, state, tile.has_outside_option):
            add_shelf(products, rows, state)
        normalise_shares(products, rows, state, category_value)
        write_shares(rows, cells.probability, first, block)
        add_up(rows, state, sums, category, first, block)


@compiled()
def fill_item(tile, first, last, block, appeal, sensitivity, products, rows, out):
    """Fill rows with the demand of a block of segments for the products from `first` to `last` - 1; see score_rows."""
    if first < last:
        multiply_factors(tile, first, last, block, appeal, sensitivity)
        fill_rows(products, tile.is_dense, appeal, sensitivity, rows, out, first, block)


@compiled()
def open_category(products, rows, state):
    """Move the lanes that start from nothing to a first guess of R."""
    if is_any_open(state):
        reset_sums(state)
        for r in range(len(products)):
            if products[r].on_shelf:
                add_opening_row(products[r], rows[r], state)
        set_opening_values(state)


@compiled()
def solve_category(products, endings, has_outside_option, tolerance, rows, state):
    """Fill the rows with prices, and shares on the shelf, that are best for the R that they reach; return the passes.

    Where `climb` stops, R is right if F is as smooth as it seems; on a coarse ladder a single rung may change more.
    So the pass that takes the prices also confirms them, and lanes that still moved climb on.
    """
    passes = 0
    while True:
        passes = climb(products, endings, has_outside_option, tolerance, passes, rows, state)
        reset_sums(state)
        for r in range(len(products)):
            product, row = products[r], rows[r]
            if product.on_shelf and product.rule == RUNGS:
                set_prices_at_rungs(product, row, state)
                continue
            set_price(products, r, endings, rows, state)
            if product.on_shelf:
                add_row(product, row, state)
        passes += 1
        if is_out_of_range(state) and recentre(products, rows, state, has_outside_option):
            continue
        if not reopen(state, tolerance):
            return passes
        advance(state, tolerance)


@compiled()
def climb(products, endings, has_outside_option, tolerance, passes, rows, state):
    """Iterate R <- sum omega (x - c) e^u / (1 + sum e^u) at the best prices for R; return the passes so far.

    Dinkelbach (1967): any R leads to an attainable one. A lane that is settled keeps its R, so that its neighbours'
    steps do not move it.
    """
    while is_any_open(state):
        passes += 1
        reset_sums(state)
        for r in range(len(products)):
            product = products[r]
            if product.on_shelf and product.rule == RUNGS:
                add_at_rungs(product, rows[r], state)
            elif product.on_shelf or product.rule == FAMILY:
                set_price(products, r, endings, rows, state)
                if product.on_shelf:
                    add_row(product, rows[r], state)
        if is_out_of_range(state):
            set_prices(products, endings, rows, state)
            if recentre(products, rows, state, has_outside_option):
                continue
        advance(state, tolerance)
    return passes


@compiled()
def set_prices(products, endings, rows, state):
    """Fill the rows' prices with the best ones for R."""
    for r in range(len(products)):
        set_price(products, r, endings, rows, state)


@compiled()
def set_price(products, r, endings, rows, state):
    """Fill a row's price with the best one for R; in a family the first product's row fills those of all."""
    if products[r].rule != FAMILY:
        set_unconstrained_price(products[r], endings, rows[r], state)
    elif products[r].leader == r:
        set_common_price(products, r, endings, rows, state)
    clip_row(products[r], rows[r])


@compiled()
def recentre(products, rows, state, has_outside_option):
    """Shift the utilities of lopsided lanes, the outside option's too, so that the largest is 0; return whether any.

    It costs the lane a pass, so that all ends where utilities are too large for any shift to help.
    """
    mark_out_of_range(state)
    for s in range(LANES):
        state.above[s] = -state.shift[s] if has_outside_option else LOWEST
    for r in range(len(products)):
        row = rows[r]
        if products[r].on_shelf:
            for s in range(LANES):
                state.above[s] = max(state.above[s], utility_at(row.price[s], row.utility_at_zero[s], row.slope[s]))
    has_moved = False
    for s in range(LANES):
        is_sound = state.is_out_of_range[s] == 0 or state.above[s] == LOWEST
        state.above[s] = 0 if is_sound else state.above[s]
        state.shift[s] += state.above[s]
        if has_outside_option and not is_sound:
            state.outside[s] = exponential(-state.shift[s])
        state.passes[s] += 0 if is_sound else 1
        has_moved |= not is_sound
    for r in range(len(products)):
        row = rows[r]
        for s in range(LANES):
            row.utility_at_zero[s] -= state.above[s]
    return has_moved


@compiled()
def add_shelf(products, rows, state):
    """Add up the shares of the products on the shelf at the rows' prices."""
    reset_sums(state)
    for r in range(len(products)):
        if products[r].on_shelf:
            add_row(products[r], rows[r], state)


@compiled()
def normalise_shares(products, rows, state, category_value):
    """Turn shares from e^(u - shift) into probabilities, and fill worth with the R that they earn."""
    for s in range(LANES):
        state.below[s] = inverse(state.total[s])
        category_value[s] = state.earned[s] * state.below[s]
    for r in range(len(products)):
        row = rows[r]
        if products[r].on_shelf:
            for s in range(LANES):
                row.share[s] *= state.below[s]
        else:
            for s in range(LANES):
                row.share[s] = 0
