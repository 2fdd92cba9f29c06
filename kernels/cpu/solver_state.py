"""Where the iteration of one category stands, for each segment of a block.

`state` is a record of worker_memory.STATE_FIELDS, each [LANES]. An R is *open* until it is settled. Every segment does
the same operations in the same order whatever the other segments of its block do, so no result depends on them.
"""

from kernels import formulas
from kernels.compiled import compiled
from kernels.formulas import LOWEST, MOST_PASSES, PATIENCE, is_exact, is_reached
from kernels.tile import LANES


@compiled()
def start_state(state, category_value, width, has_outside_option):
    """Start every segment from a given R, category_value [LANES], without a shift of the utilities.

    An R of 0 is open. Any other R must first be confirmed. Segments from `width` on are padding of the block: they are
    computed with the others, but no pass is made only for them.
    """
    for s in range(LANES):
        state.category_value[s] = category_value[s]
        state.attained[s] = LOWEST
        state.shift[s] = 0
        state.passes[s] = 0
        state.outside[s] = 1 if has_outside_option else 0
        state.is_padding[s] = 1 if s >= width else 0
        state.is_open[s] = 1 if category_value[s] == 0 and s < width else 0


@compiled()
def is_any_open(state):
    """Return whether the R of some segment is open."""
    found = False
    for s in range(LANES):
        found |= state.is_open[s] > 0
    return found


@compiled()
def set_opening_values(state):
    """Move R of the open segments to a first guess, computed from the rough sums at R = 0 in `state`."""
    for s in range(LANES):
        first = formulas.opening_category_value(state.earned[s], state.total[s], state.outside[s])
        state.category_value[s] = first if state.is_open[s] > 0 else state.category_value[s]


@compiled()
def reopen(state, tolerance):
    """Open the segments whose prices earn another R than the R they are best for; return whether any is open."""
    for s in range(LANES):
        is_late = state.passes[s] >= PATIENCE
        is_done = is_reached(state.category_value[s], state.earned[s], state.total[s], tolerance, is_late)
        is_done |= state.passes[s] >= MOST_PASSES
        state.is_open[s] = 0 if is_done else 1 - state.is_padding[s]
    return is_any_open(state)


@compiled()
def reset_sums(state):
    """Set the sums of a pass to the outside option's part, before any product is added."""
    for s in range(LANES):
        state.total[s] = state.outside[s]
        state.earned[s] = 0


@compiled()
def advance(state, tolerance):
    """Move the R of every open segment one step, and close segments that are then settled or have used their passes.

    Each segment counts its own passes, so that its result does not depend on its neighbours.
    """
    for s in range(LANES):
        is_late = state.passes[s] >= PATIENCE
        category_value, attained, is_open = state.category_value[s], state.attained[s], state.is_open[s]
        earned, total, outside, shift = state.earned[s], state.total[s], state.outside[s], state.shift[s]
        following, attained, stays_open = formulas.advance(
            category_value, attained, earned, total, outside, shift, tolerance, is_late
        )
        state.attained[s] = attained
        state.category_value[s] = following if is_open > 0 else category_value
        state.passes[s] += is_open
        state.is_open[s] = min(is_open, stays_open) if state.passes[s] < MOST_PASSES else 0


@compiled()
def is_out_of_range(state):
    """Return whether the sums of some segment are too large or too small to be accurate."""
    found = False
    for s in range(LANES):
        found |= not is_exact(state.total[s])
    return found


@compiled()
def mark_out_of_range(state):
    """Set is_out_of_range to 1 for segments whose sums are inaccurate and may be mended by another shift, else to 0.

    While some segments are open, only open ones are marked: what happens to a closed one must not depend on its
    neighbours. A segment that has used up its passes is not marked: its utilities are so large that their rounding
    alone moves the sums out of range, whatever the shift.
    """
    has_open = is_any_open(state)
    for s in range(LANES):
        is_asked = not has_open or state.is_open[s] > 0
        is_marked = is_asked and not is_exact(state.total[s]) and state.passes[s] < MOST_PASSES
        state.is_out_of_range[s] = 1 if is_marked else 0
