"""One product for a block of segments: its demand, its best price, and its part of the category's sums.

`product` is a record of product_records, `row` one of worker_memory.ROW_FIELDS, `state` one of
worker_memory.STATE_FIELDS; the fields of the latter two are [LANES]. Prices are in cents.
"""

from kernels.compiled import compiled
from kernels.cpu.factor_product import multiply_rows
from kernels.cpu.outputs import fetch_row
from kernels.formulas import (
    FAR,
    allowed_above,
    allowed_below,
    appeal_at_zero,
    better_price,
    between_rungs,
    beyond_end,
    clip,
    exponential,
    gentle_markup,
    is_double,
    is_steep,
    margin_at,
    markup,
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
from kernels.tile import LANES


@compiled()
def multiply_factors(tile, first, last, block, appeal, sensitivity):
    """Fill appeal, sensitivity [n, LANES] with a and b before offsets, for the n products `first` to `last` - 1.

    Unless the tile is dense, sensitivity gets the product of the factors, and b is the softplus of this product.
    """
    if tile.is_dense:
        begin = block * LANES
        for row in range(last - first):
            for s in range(LANES):
                appeal[row, s] = tile.product_appeal[first + row, begin + s]
                sensitivity[row, s] = tile.product_sensitivity[first + row, begin + s]
        return
    multiply_rows(tile.product_appeal[first:last], tile.segment_appeal[block], appeal)
    multiply_rows(tile.product_sensitivity[first:last], tile.segment_sensitivity[block], sensitivity)


@compiled()
def fill_rows(products, is_dense, appeal, sensitivity, rows, out, has_out, first, block):
    """Fill the rows [n] of products [n] from a and b: u(0), slope, and target = (c + mark-up - ending) / unit.

    The unconstrained price for R is then ending + spacing * ceil(target + R * value_step) on evenly spaced rungs, and
    target + R * value_step for continuous prices. appeal, sensitivity [n, LANES]: see multiply_factors. If has_out, the
    cells of these rows are later written to out [P, S], from product `first` on; that memory is prefetched here.
    """
    for r in range(len(products)):
        product, row = products[r], rows[r]
        reference_price, per_reference = product.reference_price, product.per_reference
        appeal_offset, sensitivity_offset = product.appeal_offset, product.sensitivity_offset
        offset, spacing, per_unit = product.unit_cost - product.ending, product.spacing, product.per_unit
        if has_out:
            fetch_row(out, first + r, block)
        needs_exact = is_double(offset)
        for s in range(LANES):  # one loop, so that the softplus is computed while the division runs
            given = sensitivity[r, s]
            slope = slope_of((given if is_dense else softplus(given)) + sensitivity_offset, per_reference)
            row.slope[s] = slope
            row.utility_at_zero[s] = appeal_at_zero(appeal[r, s] + appeal_offset, slope, reference_price)
            row.target[s] = target_of(offset, gentle_markup(slope, spacing), per_unit)
            needs_exact |= is_steep(slope, spacing)
        if needs_exact:
            for s in range(LANES):
                row.target[s] = target_of(offset, markup(row.slope[s], spacing), per_unit)


@compiled()
def add_opening_row(product, row, state):
    """Add the product, at about its best price for R = 0 and with rough exponentials, to the sums in `state`."""
    low, high, weight, weighted_cost = product.low, product.high, product.weight, product.weighted_cost
    scale = product.spacing if product.rule == RUNGS else type(low)(1.0)
    middle = product.ending + type(low)(0.5) * product.spacing
    for s in range(LANES):
        price = clip(between_rungs(row.target[s], scale, middle), low, high)
        share = rough_exponential(utility_at(price, row.utility_at_zero[s], row.slope[s]))
        state.total[s] += share
        state.earned[s] += margin_at(price, weight, weighted_cost) * share


@compiled()
def set_unconstrained_rung(product, row, state):
    """Fill the row's unconstrained_price with the best of evenly spaced rungs for R, without bounds."""
    spacing, ending, step = product.spacing, product.ending, product.value_step
    for s in range(LANES):
        row.unconstrained_price[s] = rung_at(stationary(row.target[s], state.category_value[s], step), spacing, ending)


@compiled()
def set_unconstrained_price(product, endings, row, state):
    """Fill the row's unconstrained_price with the best price for R without bounds.

    If the weight is not positive, a bound is best, and the price lies FAR beyond that bound.
    """
    if product.rule == RUNGS:
        set_unconstrained_rung(product, row, state)
    elif product.rule == ENDS:
        set_beyond_better_end(product, row, state)
    else:
        step = product.value_step
        for s in range(LANES):
            row.unconstrained_price[s] = stationary(row.target[s], state.category_value[s], step)
        if product.rule == ENDINGS:
            move_to_best_rungs(product, endings, row, state)


@compiled()
def move_to_best_rungs(product, endings, row, state):
    """Move the row's unconstrained_price from stationary prices to the better of the two rungs around each.

    endings [E], in cents. A bound counts as a rung, and the gap's rungs do not. This is rungs.prices_around for all
    segments at once: its loop over the endings is the outer one here, so that the inner one runs over segments and
    vectorises.
    """
    period, low, high = product.period, product.low, product.high
    gap_low, kept, gap_high = product.gap_low, product.kept, product.gap_high
    unit_cost, weight = product.unit_cost, product.weight
    for s in range(LANES):
        state.below[s] = -FAR
        state.above[s] = FAR
    for e in range(product.first_ending, product.last_ending):
        ending = endings[e]
        for s in range(LANES):
            price = clip(row.unconstrained_price[s], low, high)
            state.below[s] = max(state.below[s], rung_below(price, period, ending))
            state.above[s] = min(state.above[s], rung_above(price, period, ending))
    for s in range(LANES):
        unconstrained_price = row.unconstrained_price[s]
        price = clip(unconstrained_price, low, high)
        below = allowed_below(state.below[s], price, gap_low, kept, gap_high, low)
        above = allowed_above(state.above[s], price, gap_low, kept, gap_high, high)
        price = better_price(below, above, row.slope[s], unit_cost, weight, state.category_value[s])
        row.unconstrained_price[s] = rung_unless_outside(price, unconstrained_price, low, high)


@compiled()
def set_beyond_better_end(product, row, state):
    """Fill the row's unconstrained_price with prices FAR beyond the better bound, for a weight that is not positive."""
    low, high, unit_cost, weight = product.low, product.high, product.unit_cost, product.weight
    for s in range(LANES):
        best = better_price(low, high, row.slope[s], unit_cost, weight, state.category_value[s])
        row.unconstrained_price[s] = beyond_end(best, low)


@compiled()
def add_at_rungs(product, row, state):
    """Add the product at its best price for R to the sums, on evenly spaced rungs, without storing price or share.

    This one loop does the work of set_unconstrained_rung, clip_row and add_row.
    """
    spacing, ending, step = product.spacing, product.ending, product.value_step
    low, high, weight, weighted_cost = product.low, product.high, product.weight, product.weighted_cost
    for s in range(LANES):
        unconstrained_price = rung_at(stationary(row.target[s], state.category_value[s], step), spacing, ending)
        price = clip(unconstrained_price, low, high)
        share = exponential(utility_at(price, row.utility_at_zero[s], row.slope[s]))
        state.total[s] += share
        state.earned[s] += margin_at(price, weight, weighted_cost) * share


@compiled()
def set_prices_at_rungs(product, row, state):
    """Do what add_at_rungs does, and write the prices with and without bounds and the shares into the row."""
    spacing, ending, step = product.spacing, product.ending, product.value_step
    low, high, weight, weighted_cost = product.low, product.high, product.weight, product.weighted_cost
    for s in range(LANES):
        unconstrained_price = rung_at(stationary(row.target[s], state.category_value[s], step), spacing, ending)
        price = clip(unconstrained_price, low, high)
        share = exponential(utility_at(price, row.utility_at_zero[s], row.slope[s]))
        row.unconstrained_price[s], row.price[s], row.share[s] = unconstrained_price, price, share
        state.total[s] += share
        state.earned[s] += margin_at(price, weight, weighted_cost) * share


@compiled()
def clip_row(product, row):
    """Fill the row's price with the unconstrained one moved into the bounds."""
    low, high = product.low, product.high
    for s in range(LANES):
        row.price[s] = clip(row.unconstrained_price[s], low, high)


@compiled()
def add_row(product, row, state):
    """Fill the row's share with e^(u - shift) at its price; add the share, and share times margin, to the sums."""
    weight, weighted_cost = product.weight, product.weighted_cost
    for s in range(LANES):
        price = row.price[s]
        share = exponential(utility_at(price, row.utility_at_zero[s], row.slope[s]))
        row.share[s] = share
        state.total[s] += share
        state.earned[s] += margin_at(price, weight, weighted_cost) * share
