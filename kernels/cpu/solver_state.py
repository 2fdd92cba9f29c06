"""One number per segment of a category: where its R stands, and the sums of a pass."""

from kernels import formulas
from kernels.compiled import compiled
from kernels.cpu.worker_memory import LANES
from kernels.formulas import LOWEST, MOST_PASSES, PATIENCE, is_exact, is_reached


@compiled()
def start_state(state, category_value, width, has_outside_option):
    """Start every lane from the given R, with the utilities as they are; an R other than 0 is first to be confirmed.

    Lanes from `width` on are padding, which is computed but never waited for.
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
    """Return whether some lane's R is not settled."""
    found = False
    for s in range(LANES):
        found |= state.is_open[s] > 0
    return found


@compiled()
def set_opening_values(state):
    """Move the open lanes to the R that their sums suggest, which are rough and taken at R = 0."""
    for s in range(LANES):
        first = formulas.opening_category_value(state.earned[s], state.total[s], state.outside[s])
        state.category_value[s] = first if state.is_open[s] > 0 else state.category_value[s]


@compiled()
def reopen(state, tolerance):
    """Open the lanes whose prices reach another R than the one they are best for; return whether there are any."""
    for s in range(LANES):
        is_late = state.passes[s] >= PATIENCE
        is_done = is_reached(state.category_value[s], state.earned[s], state.total[s], tolerance, is_late)
        is_done |= state.passes[s] >= MOST_PASSES
        state.is_open[s] = 0 if is_done else 1 - state.is_padding[s]
    return is_any_open(state)


@compiled()
def reset_sums(state):
    """Begin the sums of a pass with the outside option."""
    for s in range(LANES):
        state.total[s] = state.outside[s]
        state.earned[s] = 0


@compiled()
def advance(state, tolerance):
    """Move every open lane to its next R, and close those that this settles, or that have had all their passes.

    Each counts its own passes, so that none depends on its neighbours.
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
    """Return whether the sums of some lane are too large or too small to be exact."""
    found = False
    for s in range(LANES):
        found |= not is_exact(state.total[s])
    return found


@compiled()
def mark_out_of_range(state):
    """Mark the lanes whose sums are not exact, and that another shift may mend.

    Of those that are open, if any, as what becomes of the others must not depend on their neighbours; and none that
    has had all its passes: no shift mends utilities so large that their rounding alone moves the sums out of range.
    """
    has_open = is_any_open(state)
    for s in range(LANES):
        is_asked = not has_open or state.is_open[s] > 0
        is_marked = is_asked and not is_exact(state.total[s]) and state.passes[s] < MOST_PASSES
        state.is_out_of_range[s] = 1 if is_marked else 0
