"""The price iteration of one category for a block of segments on the CPU; the twin of cuda.category_solver.

products [n] are the category's records; rows [n] and `state` are its row records and its state record of worker_memory,
whose fields hold one value per segment of the block; endings [E] are in cents. Every segment does the same operations
in the same order whatever else is in its block, so results are the same bits for any tiling and any number of threads.
"""

from kernels.compiled import compiled
from kernels.cpu.families import set_common_price
from kernels.cpu.product_block import (
    add_at_rungs,
    add_opening_row,
    add_row,
    clip_row,
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
)
from kernels.formulas import LOWEST, exponential, inverse, utility_at
from kernels.product_records import FAMILY, RUNGS
from kernels.tile import LANES


@compiled()
def open_category(products, rows, state):
    """Move the open segments, whose R is 0, to a first guess of R."""
    if is_any_open(state):
        reset_sums(state)
        for r in range(len(products)):
            if products[r].on_shelf:
                add_opening_row(products[r], rows[r], state)
        set_opening_values(state)


@compiled()
def solve_category(products, endings, has_outside_option, tolerance, rows, state):
    """Iterate R, fill the rows with the best prices for R and with shares on the shelf, and return the passes.

    The R at which `climb` stops is right if F is smooth. On a coarse ladder F is not: one price that moves to another
    rung can change R by more than the tolerance. So the pass that fixes the prices also confirms R, and segments whose
    R is not confirmed climb on. tolerance is relative to R.
    """
    passes = 0
    while True:
        passes = climb(products, endings, has_outside_option, tolerance, passes, rows, state)
        fix_prices(products, endings, rows, state)
        passes += 1
        if is_out_of_range(state) and shift_utilities(products, rows, state, has_outside_option):
            continue
        if not reopen(state, tolerance):
            return passes
        advance(state, tolerance)


@compiled()
def climb(products, endings, has_outside_option, tolerance, passes, rows, state):
    """Iterate R <- sum omega (x - c) e^u / (1 + sum e^u) at the best prices for R; return the passes so far.

    From any R a pass leads to an R that its prices earn (Dinkelbach 1967). A segment whose R is settled keeps this R
    while other segments of the block go on.
    """
    while is_any_open(state):
        passes += 1
        add_best(products, endings, rows, state)
        if is_out_of_range(state):
            set_prices(products, endings, rows, state)
            if shift_utilities(products, rows, state, has_outside_option):
                continue
        advance(state, tolerance)
    return passes


@compiled()
def add_best(products, endings, rows, state):
    """Fill the sums at the best prices for R, and the prices and shares of the rows only where these are needed."""
    reset_sums(state)
    for r in range(len(products)):
        product = products[r]
        if product.on_shelf and product.rule == RUNGS:
            add_at_rungs(product, rows[r], state)
        elif product.on_shelf or product.rule == FAMILY:
            set_price(products, r, endings, rows, state)
            if product.on_shelf:
                add_row(product, rows[r], state)


@compiled()
def fix_prices(products, endings, rows, state):
    """Fill the rows with the best prices for R and, on the shelf, with shares, and the sums at these prices."""
    reset_sums(state)
    for r in range(len(products)):
        product, row = products[r], rows[r]
        if product.on_shelf and product.rule == RUNGS:
            set_prices_at_rungs(product, row, state)
            continue
        set_price(products, r, endings, rows, state)
        if product.on_shelf:
            add_row(product, row, state)


@compiled()
def set_prices(products, endings, rows, state):
    """Fill the rows' prices with the best ones for R."""
    for r in range(len(products)):
        set_price(products, r, endings, rows, state)


@compiled()
def set_price(products, r, endings, rows, state):
    """Fill the price of row r with the best one for R; the first product of a family sets the price of all members."""
    if products[r].rule != FAMILY:
        set_unconstrained_price(products[r], endings, rows[r], state)
    elif products[r].leader == r:
        set_common_price(products, r, endings, rows, state)
    clip_row(products[r], rows[r])


@compiled()
def shift_utilities(products, rows, state, has_outside_option):
    """Lower the utilities of segments with inaccurate sums so that the largest is 0; return whether any were.

    The utility of the outside option is lowered with them. Every shift counts as a pass of the segment, so that the
    iteration ends where utilities are too large for any shift to help.
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
    """Fill the sums, and the shares of the products on the shelf, at the rows' prices."""
    reset_sums(state)
    for r in range(len(products)):
        if products[r].on_shelf:
            add_row(products[r], rows[r], state)


@compiled()
def normalise_shares(products, rows, state, category_value):
    """Turn the rows' shares from e^(u - shift) into probabilities, and fill category_value [LANES] with the R earned.

    Products off the shelf get the probability 0.
    """
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
