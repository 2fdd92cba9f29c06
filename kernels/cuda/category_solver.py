"""One lane of the CUDA loop: a category for one segment; the twin of `cpu` and `rows`, over the same formulas.

rows [LAYERS, ...] is the working memory of many lanes, in shared memory or in the scratch; `lane` says where this
one's first product is, and how far it is to the next. No slices: numba's lose sight of the kind of memory.
"""

from numba import cuda

from kernels.formulas import (
    FAR,
    LOWEST,
    MOST_PASSES,
    PATIENCE,
    advance,
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
    rung_above,
    rung_at,
    rung_below,
    rung_unless_outside,
    slope_of,
    softplus,
    stationary,
    target_of,
    utility_at,
)
from kernels.product_records import ENDINGS, ENDS, RUNGS

# Layers of a lane's rows: u(0), beta, and the target that R moves (see rows.score_rows).
UTILITY_AT_ZERO, SLOPE, TARGET = range(3)
LAYERS = 3


@cuda.jit(device=True)
def at(lane, r):
    """Return the index of product r."""
    return lane[0] + r * lane[1]


@cuda.jit(device=True)
def fill_lane(products, is_dense, scratch, column, rows, lane):
    """Fill the lane from a and b before offsets, at `column` of the scratch, which may be where rows are.

    Return what the products on the shelf earn at about their best prices for R = 0, and their sum without the outside
    option, both rough. See rows.score_rows and rows.open_row.
    """
    earned = total = type(scratch[UTILITY_AT_ZERO, 0])(0.0)
    for r in range(len(products)):
        product, given, i = products[r], at(column, r), at(lane, r)
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
    """Return about the best price for R = 0."""
    one, half = type(target)(1.0), type(target)(0.5)
    scale = product.spacing if product.rule == RUNGS else one
    return clip(between_rungs(target, scale, product.ending + half * product.spacing), product.low, product.high)


@cuda.jit(device=True)
def solve_category(products, endings, has_outside_option, tolerance, rows, lane, category_value, opening):
    """Return R, the sums of the pass that confirms it, earned, total and `outside`, and the passes.

    As cpu.solve for a lane that nobody else keeps waiting: it climbs while it is open; a pass while it is closed
    confirms R or opens it again. No prices are kept: they follow from R. worth is the R to start from, or 0 to start
    from the guess of `opening`, what score_lane returned.
    """
    nothing = type(category_value)(0.0)
    outside = type(category_value)(1.0) if has_outside_option else nothing
    attained, shift, is_open, passes = type(category_value)(LOWEST), nothing, category_value == nothing, 0
    if is_open:
        category_value = opening_category_value(opening[0], outside + opening[1], outside)
    while True:
        earned, total = add_shelf(products, endings, rows, lane, category_value, outside)
        passes += 1
        if not is_exact(total) and passes < MOST_PASSES:
            lowest = -shift if has_outside_option else type(category_value)(LOWEST)
            above = highest_utility(products, endings, rows, lane, category_value, lowest)
            if above != type(category_value)(LOWEST):
                shift += above
                outside = exponential(-shift) if has_outside_option else nothing
                shift_utilities(products, rows, lane, above)
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
    """Return the best price for R, were there no bounds; with a weight <= 0, FAR beyond an end. See rows.want_row."""
    if product.rule == ENDS:
        low, high = product.low, product.high
        return beyond_end(better_price(low, high, slope, product.unit_cost, product.weight, category_value), low)
    units = stationary(target, category_value, product.value_step)
    if product.rule == RUNGS:
        return rung_at(units, product.spacing, product.ending)
    return best_ending(product, endings, slope, units, category_value) if product.rule == ENDINGS else units


@cuda.jit(device=True)
def best_ending(product, endings, slope, unconstrained_price, category_value):
    """Return the better of the two rungs that bracket a stationary price; see rows.want_ending."""
    low, high, period = product.low, product.high, product.period
    price, below, above = (
        clip(unconstrained_price, low, high),
        -type(unconstrained_price)(FAR),
        type(unconstrained_price)(FAR),
    )
    for e in range(product.first_ending, product.last_ending):
        below = max(below, rung_below(price, period, endings[e]))
        above = min(above, rung_above(price, period, endings[e]))
    best = better_price(below, above, slope, product.unit_cost, product.weight, category_value)
    return rung_unless_outside(best, unconstrained_price, low, high)


@cuda.jit(device=True)
def best_price(product, endings, rows, i, category_value):
    """Return the best price of the product at index i for R."""
    unconstrained_price = unconstrained_price_of(product, endings, rows[SLOPE, i], rows[TARGET, i], category_value)
    return clip(unconstrained_price, product.low, product.high)


@cuda.jit(device=True)
def add_shelf(products, endings, rows, lane, category_value, outside):
    """Return what the products on the shelf earn at the best prices for R, and their sum with the outside option."""
    earned, total = type(category_value)(0.0), outside
    for r in range(len(products)):
        product, i = products[r], at(lane, r)
        if product.on_shelf:
            price = best_price(product, endings, rows, i, category_value)
            share = exponential(utility_at(price, rows[UTILITY_AT_ZERO, i], rows[SLOPE, i]))
            total += share
            earned += margin_at(price, product.weight, product.weighted_cost) * share
    return earned, total


@cuda.jit(device=True)
def highest_utility(products, endings, rows, lane, category_value, highest):
    """Return the highest utility of the products on the shelf at the best prices for R, or `highest` if above."""
    for r in range(len(products)):
        product, i = products[r], at(lane, r)
        if product.on_shelf:
            price = best_price(product, endings, rows, i, category_value)
            highest = max(highest, utility_at(price, rows[UTILITY_AT_ZERO, i], rows[SLOPE, i]))
    return highest


@cuda.jit(device=True)
def shift_utilities(products, rows, lane, above):
    """Take `above` off every utility."""
    for r in range(len(products)):
        rows[UTILITY_AT_ZERO, at(lane, r)] -= above


@cuda.jit(device=True)
def write_category(products, endings, rows, lane, category_value, per_total, cells, column):
    """Write what is best for R at `column` of the cells; off the shelf too, where nobody buys."""
    for r in range(len(products)):
        product, i, out = products[r], at(lane, r), at(column, r)
        unconstrained_price = unconstrained_price_of(product, endings, rows[SLOPE, i], rows[TARGET, i], category_value)
        price = clip(unconstrained_price, product.low, product.high)
        cells.price[out] = price
        if cells.has_shares:
            share = exponential(utility_at(price, rows[UTILITY_AT_ZERO, i], rows[SLOPE, i])) * per_total
            cells.probability[out] = share if product.on_shelf else type(share)(0.0)
        if cells.has_binding_sides:
            cells.binding_side[out] = binding_side_of(unconstrained_price, product.low, product.high)
