"""Which side of its bounds a price lies on, or what else decided it."""

from enum import IntEnum


class BindingSide(IntEnum):
    """The values of `PricedCells.binding_side`: what keeps a price from the one that is best without bounds.

    LOW: the best price without bounds lies below the lower bound. NONE: it lies inside the bounds.
    HIGH: it lies above the upper bound. The kernels write these three.
    OVERRIDE: a person or a rule fixed the price. CHANGE_BUDGET: today's price stays because the policy limits how
    many prices may change. Pricing writes these two after the kernels have run.
    """

    LOW = -1
    NONE = 0
    HIGH = 1
    OVERRIDE = 2
    CHANGE_BUDGET = 3
