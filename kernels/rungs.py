"""The rungs of one product's ladder: those around a price, and their numbers.

A product's record holds `period` and the range first_ending to last_ending - 1 of `endings` [E], in cents; its rungs
are k * period + endings[e], numbered upwards from 0 at k = 0 and the first ending. All arguments except `endings` are
scalars. CUDA compiles these functions too. The CPU's loop over ordinary products has `bracket` a second time, in a form
that vectorises over segments (cpu.product_block.move_to_best_rungs).
"""

from kernels.compiled import compiled
from kernels.formulas import FAR, allowed_above, allowed_below, rung_above, rung_below


@compiled()
def bracket(product, endings, first, last):
    """Return the highest rung not above `first` and the lowest rung not below `last`, in cents.

    Rungs outside the product's bounds count too, so either result may lie outside the bounds.
    """
    below, above = -type(first)(FAR), type(first)(FAR)
    for e in range(product.first_ending, product.last_ending):
        below = max(below, rung_below(first, product.period, endings[e]))
        above = min(above, rung_above(last, product.period, endings[e]))
    return below, above


@compiled()
def prices_around(product, endings, price):
    """Return the allowed prices around a price inside the bounds, in cents; a rung is its own neighbour on both sides.

    Allowed are the bounds, and the rungs inside the bounds and outside the product's gap; inside the gap, `kept` is.
    """
    below, above = bracket(product, endings, price, price)
    gap = (product.gap_low, product.kept, product.gap_high)
    return allowed_below(below, price, *gap, product.low), allowed_above(above, price, *gap, product.high)


@compiled()
def number_of(product, endings, rung):
    """Return the number of a rung, given in cents."""
    period, rest = divmod(int(rung), int(product.period))
    e = product.first_ending
    while e < product.last_ending and endings[e] < rest:
        e += 1
    return period * (product.last_ending - product.first_ending) + e - product.first_ending


@compiled()
def rung_of(product, endings, number):
    """Return the rung with the given number, in cents."""
    count = product.last_ending - product.first_ending
    return product.period * type(product.period)(number // count) + endings[product.first_ending + number % count]
