"""One number per segment of a category: where its R stands, and the sums of a pass."""

from kernels import formulas
from kernels.compiled import compiled
from kernels.cpu.workspace import LANES
from kernels.formulas import LOWEST, MOST_PASSES, PATIENCE, is_exact, is_reached


@compiled()
def open_lanes(lanes, worth, width, has_outside_option):
    """Start every lane from the given R, with the utilities as they are; an R other than 0 is first to be confirmed.

    Lanes from `width` on are padding, which is computed but never waited for.
    """
    for s in range(LANES):
        lanes.worth[s] = worth[s]
        lanes.attained[s] = LOWEST
        lanes.shift[s] = 0
        lanes.passes[s] = 0
        lanes.outside[s] = 1 if has_outside_option else 0
        lanes.is_padding[s] = 1 if s >= width else 0
        lanes.is_open[s] = 1 if worth[s] == 0 and s < width else 0


@compiled()
def is_any_open(lanes):
    """Return whether some lane's R is not settled."""
    found = False
    for s in range(LANES):
        found |= lanes.is_open[s] > 0
    return found


@compiled()
def guess(lanes):
    """Move the open lanes to the R that their sums suggest, which are rough and taken at R = 0."""
    for s in range(LANES):
        first = formulas.opening_worth(lanes.earned[s], lanes.total[s], lanes.outside[s])
        lanes.worth[s] = first if lanes.is_open[s] > 0 else lanes.worth[s]


@compiled()
def reopen(lanes, tolerance):
    """Open the lanes whose prices reach another R than the one they are best for; return whether there are any."""
    for s in range(LANES):
        is_late = lanes.passes[s] >= PATIENCE
        is_done = is_reached(lanes.worth[s], lanes.earned[s], lanes.total[s], tolerance, is_late)
        is_done |= lanes.passes[s] >= MOST_PASSES
        lanes.is_open[s] = 0 if is_done else 1 - lanes.is_padding[s]
    return is_any_open(lanes)


@compiled()
def reset_sums(lanes):
    """Begin the sums of a pass with the outside option."""
    for s in range(LANES):
        lanes.total[s] = lanes.outside[s]
        lanes.earned[s] = 0


@compiled()
def advance(lanes, tolerance):
    """Move every open lane to its next R, and close those that this settles, or that have had all their passes.

    Each counts its own passes, so that none depends on its neighbours.
    """
    for s in range(LANES):
        is_late = lanes.passes[s] >= PATIENCE
        worth, attained, is_open = lanes.worth[s], lanes.attained[s], lanes.is_open[s]
        earned, total, outside, shift = lanes.earned[s], lanes.total[s], lanes.outside[s], lanes.shift[s]
        following, attained, stays_open = formulas.advance(
            worth, attained, earned, total, outside, shift, tolerance, is_late
        )
        lanes.attained[s] = attained
        lanes.worth[s] = following if is_open > 0 else worth
        lanes.passes[s] += is_open
        lanes.is_open[s] = min(is_open, stays_open) if lanes.passes[s] < MOST_PASSES else 0


@compiled()
def is_lopsided(lanes):
    """Return whether the sums of some lane are too large or too small to be exact."""
    found = False
    for s in range(LANES):
        found |= not is_exact(lanes.total[s])
    return found


@compiled()
def mark_lopsided(lanes):
    """Mark the lanes whose sums are not exact, and that another shift may mend.

    Of those that are open, if any, as what becomes of the others must not depend on their neighbours; and none that
    has had all its passes: no shift mends utilities so large that their rounding alone moves the sums out of range.
    """
    has_open = is_any_open(lanes)
    for s in range(LANES):
        is_asked = not has_open or lanes.is_open[s] > 0
        is_marked = is_asked and not is_exact(lanes.total[s]) and lanes.passes[s] < MOST_PASSES
        lanes.is_lopsided[s] = 1 if is_marked else 0
