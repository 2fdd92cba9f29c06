"""How the CPU loop reads and writes one category's cells for a block of segments, and adds up these cells.

Shapes are those of kernels.outputs; rows [n] are the worker's records of the category's n products, `first` is the
category's first product in the tile, and `block` is the number of the block of LANES segments.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kernels.compiled import compiled
from kernels.cpu.worker_memory import CACHE_LINE
from kernels.formulas import binding_side_of, category_value_bound
from kernels.tile import LANES

FOR_WRITING, KEEP, DATA = 1, 3, 1
"""Arguments of LLVM's prefetch: for writing, keep in all levels of the cache, in the data cache."""


@compiled()
def read_prices(given, first, block, rows):
    """Fill the rows' prices with given prices in cents, [P, S], or [P, 1] for all segments; 0 for the padding."""
    begin, segments = block * LANES, given.shape[1]
    for r in range(len(rows)):
        row = rows[r]
        for s in range(LANES):
            if segments == 1:
                row.price[s] = given[first + r, 0]
            else:
                row.price[s] = given[first + r, begin + s] if begin + s < segments else 0


@compiled()
def write_prices(rows, price, first, block):
    """Copy the rows' prices, without the padding, to their place in price [P, S], in cents."""
    begin = block * LANES
    for r in range(len(rows)):
        row, out = rows[r], price[first + r, begin : begin + LANES]
        for s in range(min(len(out), LANES)):
            out[s] = row.price[s]


@compiled()
def write_shares(rows, probability, first, block):
    """Copy the rows' shares, without the padding, to their place in probability [P, S]."""
    begin = block * LANES
    for r in range(len(rows)):
        row, out = rows[r], probability[first + r, begin : begin + LANES]
        for s in range(min(len(out), LANES)):
            out[s] = row.share[s]


@compiled()
def write_binding_sides(products, rows, binding_side, first, block):
    """Write the rows' BindingSides, without the padding, to their place in binding_side int8 [P, S]."""
    begin = block * LANES
    for r in range(len(rows)):
        row, out = rows[r], binding_side[first + r, begin : begin + LANES]
        low, high = products[r].low, products[r].high
        for s in range(min(len(out), LANES)):
            out[s] = binding_side_of(row.unconstrained_price[s], low, high)


@compiled()
def write_lines(rows, utility_at_zero, slope, first, block):
    """Copy the rows' u(0) and slope, without the padding, to their places in utility_at_zero and slope [P, S]."""
    begin = block * LANES
    for r in range(len(rows)):
        row = rows[r]
        for s in range(min(utility_at_zero.shape[1] - begin, LANES)):
            utility_at_zero[first + r, begin + s], slope[first + r, begin + s] = row.utility_at_zero[s], row.slope[s]


@compiled()
def add_up(rows, state, sums, category, first, block):
    """Fill the category's place in BlockSums with the block's sums over segments, for every class of segments."""
    for c in range(sums.visits.shape[0]):
        visits = sums.visits[c, block * LANES : (block + 1) * LANES]
        for r in range(len(rows)):
            sums.chosen[block, first + r, c] = chosen_of(visits, rows[r])
            sums.revenue[block, first + r, c] = revenue_of(visits, rows[r])
        if sums.has_bound:
            sums.bound[block, category, c] = bound_of(visits, state)


@compiled(reassociate=True)
def chosen_of(visits, row):
    """Return sum visits * share over the block's segments, in float64; visits [LANES]."""
    total = 0.0
    for s in range(LANES):
        total += visits[s] * np.float64(row.share[s])
    return total


@compiled(reassociate=True)
def revenue_of(visits, row):
    """Return sum visits * share * price over the block's segments, in cents and float64; visits [LANES]."""
    total = 0.0
    for s in range(LANES):
        total += visits[s] * np.float64(row.share[s]) * np.float64(row.price[s])
    return total


@compiled(reassociate=True)
def bound_of(visits, state):
    """Return sum visits * max(R, F(R)) over the block's segments, in cents and float64; visits [LANES]."""
    total = 0.0
    for s in range(LANES):
        category_value, earned = np.float64(state.category_value[s]), np.float64(state.earned[s])
        total += visits[s] * category_value_bound(
            category_value, earned, np.float64(state.total[s]), np.float64(state.outside[s])
        )
    return total


@compiled()
def fetch_row(out, p, block):
    """Prefetch the memory of product p and a block of segments in out [P, S], which is written soon.

    Stores wait for their cache lines in order. Without prefetching, copying the prices to `out` took 12 % of the time
    (2 CPU cores with AVX-512, 2026-11).
    """
    begin = block * LANES
    for s in range(begin, min(begin + LANES, out.shape[1]), CACHE_LINE // out.itemsize):
        prefetch(out, p, s)  # type: ignore[call-arg]


@intrinsic
def prefetch(_: Any, array: Any, row: Any, column: Any) -> Any:
    """Prefetch the cache line of array[row, column] without waiting; array [rows, columns]."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        """Emit LLVM's prefetch of the place, and return the value of None."""
        values = context.make_array(signature.args[0])(context, builder, given[0])
        place = cgutils.get_item_pointer(context, builder, signature.args[0], values, given[1:])
        number, pointer = cgutils.int32_t, cgutils.voidptr_t
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        instruction = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        builder.call(instruction, [builder.bitcast(place, pointer), number(FOR_WRITING), number(KEEP), number(DATA)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate
