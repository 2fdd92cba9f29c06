"""The search for the R of one category whose dissimilarity is below 1, on CUDA; the twin of cpu.nested_solver.

products [n], endings [E], rows and `place` are those of cuda.category_solver; search [FIELDS, 1] is that of nesting, in
the thread's own memory. The compiler keeps it in registers, because every index is a constant.
"""

from numba import cuda

from kernels.cuda.category_solver import add_shelf, highest_utility, shift_utilities
from kernels.formulas import LOWEST, MOST_PASSES, inverse, is_exact, margin_at
from kernels.nesting import BOUND, DONE, PHASE, VALUE, logarithm, outside_weight, start_search, step_search


@cuda.jit(device=True)
def nest_category(products, endings, dissimilarity, tolerance, rows, place, search):
    """Return R of the best prices, the search's bound, the sums earned, total and outside, and the number of passes.

    The last pass is the one for the best R. tolerance: see nesting.step_search.
    """
    nothing, lowest = type(tolerance)(0.0), type(tolerance)(LOWEST)
    earned = total = shift = nothing
    passes, shifts, is_open = 0, 0, start_at_zero(products, search, -lowest, lowest)
    while is_open:
        earned, total = add_shelf(products, endings, rows, place, search[VALUE, 0], nothing)
        passes += 1
        if not is_exact(total) and shifts < MOST_PASSES:
            above = highest_utility(products, endings, rows, place, search[VALUE, 0], lowest)
            shift += above
            shifts += 1
            shift_utilities(products, rows, place, above)
            continue
        is_open = search[PHASE, 0] != type(tolerance)(DONE)
        if is_open:
            step_search(search, 0, logarithm(total) + shift, earned * inverse(total), dissimilarity, tolerance)
    depth = logarithm(total) + shift if total > nothing else nothing
    outside = outside_weight(total, depth, dissimilarity)
    return search[VALUE, 0], search[BOUND, 0], earned, total + outside, outside, passes


@cuda.jit(device=True)
def start_at_zero(products, search, least, most):
    """Start the search at R = 0; return whether a product is on the shelf, without which there is nothing to search.

    least, most: numbers that no margin exceeds or falls below.
    """
    for r in range(len(products)):
        product = products[r]
        if product.on_shelf:
            at_low = margin_at(product.low, product.weight, product.weighted_cost)
            at_high = margin_at(product.high, product.weight, product.weighted_cost)
            least, most = min(least, min(at_low, at_high)), max(most, max(at_low, at_high))
    start_search(search, 0, least, most)
    return least <= most
