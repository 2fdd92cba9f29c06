"""The price iteration of one category for one segment on CUDA; the twin of cpu.category_solver and cpu.product_block.

products [n] are the category's records and endings [E] are in cents. Working memory and cells of many threads lie in
flat arrays, by product, then segment: rows [LAYERS, ...] in shared memory or in the scratch, a and b in
scratch [2, ...], results in a chunk.ChunkCells. A *place* or *column* is a pair: the index of this thread's first
product in such an array, and the distance to its next product. The functions take no slices of arrays, because the
compiler would no longer know in which kind of memory a slice lies.
"""

from numba import cuda

from kernels.formulas import (
    LOWEST,
    MOST_PASSES,
    PATIENCE,
    advance,
    allowed_above,
    allowed_below,
    appeal_at_zero,
    better_price,
    between_rungs,
    beyond_end,
    binding_side_of,
    clip,
    exponential,
    is_exact,
    is_reached,
    margin_at,
    markup,
    opening_category_value,
    rough_exponential,
    rung_at,
    rung_unless_outside,
    slope_of,
    softplus,
    stationary,
    target_of,
    utility_at,
)
from kernels.product_records import ENDINGS, ENDS, RUNGS
from kernels.rungs import bracket as compiled_bracket

# Layers of rows: u(0), beta, and the unconstrained price at R = 0 in units (see formulas.target_of).
UTILITY_AT_ZERO, SLOPE, TARGET = range(3)
LAYERS = 3

# The simulator hands its own arrays to device functions, which functions compiled for the CPU do not take.
bracket = cuda.jit(device=True)(compiled_bracket.py_func)


@cuda.jit(device=True)
def at(place, r):
    """Return the index of product r of the category at a place."""
    return place[0] + r * place[1]


@cuda.jit(device=True)
def fill_rows(products, is_dense, scratch, column, rows, place):
    """Fill the rows at `place` from a and b before offsets at `column` of the scratch; return rough sums at R = 0.

    The sums are `earned`, and `total` without the outside option, of the products on the shelf at about their best
    prices for R = 0. Unless is_dense, the scratch holds products of factors instead of b, and b is the softplus of
    each. Rows and scratch may be the same memory.
    """
    earned = total = type(scratch[UTILITY_AT_ZERO, 0])(0.0)
    for r in range(len(products)):
        product, given, i = products[r], at(column, r), at(place, r)
        appeal, sensitivity = scratch[UTILITY_AT_ZERO, given], scratch[SLOPE, given]
        if not is_dense:
            sensitivity = softplus(sensitivity)
        slope = slope_of(sensitivity + product.sensitivity_offset, product.per_reference)
        utility_at_zero = appeal_at_zero(appeal + product.appeal_offset, slope, product.reference_price)
        target = target_of(product.unit_cost - product.ending, markup(slope, product.spacing), product.per_unit)
        rows[UTILITY_AT_ZERO, i], rows[SLOPE, i], rows[TARGET, i] = utility_at_zero, slope, target
        if product.on_shelf:
            price = opening_price(product, target)
            share = rough_exponential(utility_at(price, utility_at_zero, slope))
            total += share
            earned += margin_at(price, product.weight, product.weighted_cost) * share
    return earned, total


@cuda.jit(device=True)
def opening_price(product, target):
    """Return about the best price for R = 0, in cents."""
    one, half = type(target)(1.0), type(target)(0.5)
    scale = product.spacing if product.rule == RUNGS else one
    return clip(between_rungs(target, scale, product.ending + half * product.spacing), product.low, product.high)


@cuda.jit(device=True)
def solve_category(products, endings, has_outside_option, tolerance, rows, place, category_value, opening):
    """Return R, the sums of the pass that confirms it (earned, total and outside), and the number of passes.

    category_value: the R to start from, or 0 to start from the guess that `opening` gives, the result of fill_rows.
    While R is open, passes move it; once R is settled, a pass confirms it or opens it again. Prices are not kept,
    because they follow from R. tolerance is relative to R.
    """
    nothing = type(category_value)(0.0)
    outside = type(category_value)(1.0) if has_outside_option else nothing
    attained, shift, is_open, passes = type(category_value)(LOWEST), nothing, category_value == nothing, 0
    if is_open:
        category_value = opening_category_value(opening[0], outside + opening[1], outside)
    while True:
        earned, total = add_shelf(products, endings, rows, place, category_value, outside)
        passes += 1
        if not is_exact(total) and passes < MOST_PASSES:
            lowest = -shift if has_outside_option else type(category_value)(LOWEST)
            above = highest_utility(products, endings, rows, place, category_value, lowest)
            if above != type(category_value)(LOWEST):
                shift += above
                outside = exponential(-shift) if has_outside_option else nothing
                shift_utilities(products, rows, place, above)
                continue
        is_late = passes >= PATIENCE
        if not is_open and (passes >= MOST_PASSES or is_reached(category_value, earned, total, tolerance, is_late)):
            return category_value, earned, total, outside, passes
        category_value, attained, stays_open = advance(
            category_value, attained, earned, total, outside, shift, tolerance, is_late
        )
        is_open = stays_open > nothing and passes < MOST_PASSES


@cuda.jit(device=True)
def unconstrained_price_of(product, endings, slope, target, category_value):
    """Return the best price for R without bounds, in cents.

    If the weight is not positive, a bound is best, and the price lies FAR beyond that bound.
    """
    if product.rule == ENDS:
        low, high = product.low, product.high
        return beyond_end(better_price(low, high, slope, product.unit_cost, product.weight, category_value), low)
    units = stationary(target, category_value, product.value_step)
    if product.rule == RUNGS:
        return rung_at(units, product.spacing, product.ending)
    return best_rung(product, endings, slope, units, category_value) if product.rule == ENDINGS else units


@cuda.jit(device=True)
def best_rung(product, endings, slope, unconstrained_price, category_value):
    """Return the better of the two rungs around a stationary price, or that price if it lies outside the bounds.

    A bound counts as a rung, and the gap's rungs do not, as in rungs.prices_around.
    """
    low, high = product.low, product.high
    price = clip(unconstrained_price, low, high)
    below, above = bracket(product, endings, price, price)
    below = allowed_below(below, price, product.gap_low, product.kept, product.gap_high, low)
    above = allowed_above(above, price, product.gap_low, product.kept, product.gap_high, high)
    best = better_price(below, above, slope, product.unit_cost, product.weight, category_value)
    return rung_unless_outside(best, unconstrained_price, low, high)


@cuda.jit(device=True)
def best_price(product, endings, rows, i, category_value):
    """Return the best price for R, inside the bounds and in cents, of the product whose row is at index i."""
    unconstrained_price = unconstrained_price_of(product, endings, rows[SLOPE, i], rows[TARGET, i], category_value)
    return clip(unconstrained_price, product.low, product.high)


@cuda.jit(device=True)
def add_shelf(products, endings, rows, place, category_value, outside):
    """Return the sums `earned` and `total` of the products on the shelf at the best prices for R."""
    earned, total = type(category_value)(0.0), outside
    for r in range(len(products)):
        product, i = products[r], at(place, r)
        if product.on_shelf:
            price = best_price(product, endings, rows, i, category_value)
            share = exponential(utility_at(price, rows[UTILITY_AT_ZERO, i], rows[SLOPE, i]))
            total += share
            earned += margin_at(price, product.weight, product.weighted_cost) * share
    return earned, total


@cuda.jit(device=True)
def highest_utility(products, endings, rows, place, category_value, highest):
    """Return the highest of `highest` and the utilities of the products on the shelf at the best prices for R."""
    for r in range(len(products)):
        product, i = products[r], at(place, r)
        if product.on_shelf:
            price = best_price(product, endings, rows, i, category_value)
            highest = max(highest, utility_at(price, rows[UTILITY_AT_ZERO, i], rows[SLOPE, i]))
    return highest


@cuda.jit(device=True)
def shift_utilities(products, rows, place, above):
    """Lower the utility of every product of the category by `above`."""
    for r in range(len(products)):
        rows[UTILITY_AT_ZERO, at(place, r)] -= above


@cuda.jit(device=True)
def write_category(products, endings, rows, place, category_value, per_total, cells, column):
    """Write the category's cells for R at `column` of a chunk's flat arrays; see chunk.ChunkCells.

    per_total: 1 / total. Products off the shelf get a price too, and the probability 0.
    """
    for r in range(len(products)):
        product, i, out = products[r], at(place, r), at(column, r)
        unconstrained_price = unconstrained_price_of(product, endings, rows[SLOPE, i], rows[TARGET, i], category_value)
        price = clip(unconstrained_price, product.low, product.high)
        cells.price[out] = price
        if cells.has_shares:
            share = exponential(utility_at(price, rows[UTILITY_AT_ZERO, i], rows[SLOPE, i])) * per_total
            cells.probability[out] = share if product.on_shelf else type(share)(0.0)
        if cells.has_binding_side:
            cells.binding_side[out] = binding_side_of(unconstrained_price, product.low, product.high)
