"""The CPU loop over a tile; its price_tile is the twin of cuda.tile_loop.price_tile.

An *item* is one category for one block of segments: item i is block i % B of category i // B. Worker t does the items
edges[t] to edges[t + 1] - 1, for edges int64 [T + 1]. Records: `tile` is a tile.Tile, `columns` a
product_records.ProductColumns, `cells` an outputs.Cells, `sums` an outputs.BlockSums, and `work` a
worker_memory.WorkerMemory.

The index of a prange is unsigned, but signed while numba infers types: a function that is called with the index itself
is compiled for both. Hence np.int64(worker).
"""

import numpy as np
from numba import prange

from kernels.compiled import compiled
from kernels.cpu.category_solver import (
    add_shelf,
    normalise_shares,
    open_category,
    shift_utilities,
    solve_category,
)
from kernels.cpu.nested_solver import add_outside, nest_category
from kernels.cpu.outputs import add_up, read_prices, write_binding_sides, write_lines, write_prices, write_shares
from kernels.cpu.product_block import fill_rows, multiply_factors
from kernels.cpu.solver_state import is_out_of_range, start_state
from kernels.cpu.worker_memory import RUN
from kernels.product_records import fill_records
from kernels.tile import LANES


@compiled(parallel=True)
def price_tile(tile, columns, tolerance, cells, sums, work, edges):
    """Fill cells and sums at the best prices; return int32 [T], the most passes that each worker's categories took.

    tolerance: relative change of R below which a step is not taken, of the demand's type.
    """
    steps = np.zeros(edges.shape[0] - 1, np.int32)
    for worker in prange(steps.shape[0]):
        # Only a call: numba 0.68.1 compiles assignments to fields of records wrongly in the body of a prange.
        steps[worker] = price_items(
            tile, columns, tolerance, cells, sums, work, np.int64(worker), edges[worker], edges[worker + 1]
        )
    return steps


@compiled(parallel=True)
def choose_tile(tile, columns, price, cells, sums, work, edges):
    """Fill cells.probability, cells.category_value and sums at given prices [P, S] or [P, 1], in cents."""
    for worker in prange(edges.shape[0] - 1):
        choose_items(tile, columns, price, cells, sums, work, np.int64(worker), edges[worker], edges[worker + 1])


@compiled(parallel=True)
def line_tile(tile, columns, utility_at_zero, slope, work, edges):
    """Fill utility_at_zero and slope [P, S]: every utility is utility_at_zero - slope * price, the price in cents."""
    for worker in prange(edges.shape[0] - 1):
        line_items(tile, columns, utility_at_zero, slope, work, np.int64(worker), edges[worker], edges[worker + 1])


@compiled()
def line_items(tile, columns, utility_at_zero, slope, work, worker, begin, end):
    """Do the items `begin` to `end` - 1 of line_tile."""
    blocks = tile.block_count
    for item in range(begin, end):
        category, block = item // blocks, item % blocks
        first, last = tile.category_start[category], tile.category_start[category + 1]
        products, rows = work.products[worker, : last - first], work.rows[worker, : last - first]
        if block == 0 or item == begin:
            fill_records(columns, first, last, products)
        fill_item(tile, first, last, block, work, worker, utility_at_zero, True)
        write_lines(rows, utility_at_zero, slope, first, block)


@compiled()
def price_items(tile, columns, tolerance, cells, sums, work, worker, begin, end):
    """Do the items `begin` to `end` - 1 of price_tile, small categories together; return the most passes of an item."""
    blocks, most, item = tile.block_count, 0, begin
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
def end_of_run(category_start, category, complete):
    """Return the end of the run of categories whose factors are multiplied in one call, which starts at `category`.

    A run of several categories has at most RUN products and ends before category `complete`, the first category of
    which this worker does not do all blocks. category_start int64 [G + 1].
    """
    stop = category + 1
    while stop < complete and category_start[stop + 1] - category_start[category] <= RUN:
        stop += 1
    return stop


@compiled()
def fill_run(columns, category_start, category, stop, products):
    """Fill products [n], the records of categories `category` to `stop` - 1, one category after the other."""
    begin = category_start[category]
    for c in range(category, stop):
        first, last = category_start[c], category_start[c + 1]
        fill_records(columns, first, last, products[first - begin : last - begin])


@compiled()
def price_run(tile, category, stop, block, tolerance, cells, sums, work, worker):
    """Price categories `category` to `stop` - 1 for one block of segments; return the most passes of a category."""
    begin, most, state = tile.category_start[category], 0, work.state[worker]
    has_shares = cells.has_probability or sums.has_totals
    if begin < tile.category_start[stop]:
        multiply_factors(tile, begin, tile.category_start[stop], block, work.appeal[worker], work.sensitivity[worker])
    for c in range(category, stop):
        first, last = tile.category_start[c], tile.category_start[c + 1]
        here = slice(first - begin, last - begin)
        products, rows = work.products[worker, here], work.rows[worker, here]
        appeal, sensitivity = work.appeal[worker, here], work.sensitivity[worker, here]
        category_value = cells.category_value[c, block * LANES : (block + 1) * LANES]
        fill_rows(products, tile.is_dense, appeal, sensitivity, rows, cells.price, cells.has_price, first, block)
        is_nested, width = tile.dissimilarity[c] < 1, tile.segment_count - block * LANES
        start_state(state, category_value, width, tile.has_outside_option and not is_nested)
        if is_nested:
            search, dissimilarity = work.search[worker], tile.dissimilarity[c]
            passes = nest_category(products, tile.endings, dissimilarity, tolerance, rows, state, search)
        else:
            open_category(products, rows, state)
            passes = solve_category(products, tile.endings, tile.has_outside_option, tolerance, rows, state)
        most = max(most, passes)
        if cells.has_price:
            write_prices(rows, cells.price, first, block)
        if cells.has_binding_side:
            write_binding_sides(products, rows, cells.binding_side, first, block)
        if has_shares:
            normalise_shares(products, rows, state, category_value)
            write_choices(rows, state, cells, sums, c, first, block)
    return most


@compiled()
def choose_items(tile, columns, given, cells, sums, work, worker, begin, end):
    """Do the items `begin` to `end` - 1 of choose_tile at given prices [P, S] or [P, 1], in cents."""
    blocks, state = tile.block_count, work.state[worker]
    for item in range(begin, end):
        category, block = item // blocks, item % blocks
        first, last = tile.category_start[category], tile.category_start[category + 1]
        products, rows = work.products[worker, : last - first], work.rows[worker, : last - first]
        if block == 0 or item == begin:
            fill_records(columns, first, last, products)
        category_value = cells.category_value[category, block * LANES : (block + 1) * LANES]
        fill_item(tile, first, last, block, work, worker, cells.probability, cells.has_probability)
        is_nested = tile.dissimilarity[category] < 1
        has_outside = tile.has_outside_option and not is_nested
        start_state(state, category_value, tile.segment_count - block * LANES, has_outside)
        read_prices(given, first, block, rows)
        add_shelf(products, rows, state)
        if is_out_of_range(state) and shift_utilities(products, rows, state, has_outside):
            add_shelf(products, rows, state)
        if is_nested:
            add_outside(state, tile.dissimilarity[category])
        normalise_shares(products, rows, state, category_value)
        write_choices(rows, state, cells, sums, category, first, block)


@compiled()
def fill_item(tile, first, last, block, work, worker, out, has_out):
    """Fill the worker's rows with the demand of a block of segments for products `first` to `last` - 1.

    If has_out, the results are later written to out [P, S]; see product_block.fill_rows.
    """
    if first < last:
        here = slice(0, last - first)
        products, rows = work.products[worker, here], work.rows[worker, here]
        appeal, sensitivity = work.appeal[worker], work.sensitivity[worker]
        multiply_factors(tile, first, last, block, appeal, sensitivity)
        fill_rows(products, tile.is_dense, appeal, sensitivity, rows, out, has_out, first, block)


@compiled()
def write_choices(rows, state, cells, sums, category, first, block):
    """Write the rows' probabilities to `cells`, and their totals to `sums`, where these are filled."""
    if cells.has_probability:
        write_shares(rows, cells.probability, first, block)
    if sums.has_totals:
        add_up(rows, state, sums, category, first, block)
