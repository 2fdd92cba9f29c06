"""The search for the R of one category whose dissimilarity is below 1, on the CPU; the twin of cuda.nested_solver.

products [n], rows [n], `state` and endings [E] are those of cpu.category_solver; search [FIELDS, LANES] is that of
nesting. While the search goes on, the sums of `state` hold no outside option: its weight depends on the other sums and
is added at the end.
"""

from kernels.compiled import compiled
from kernels.cpu.category_solver import add_best, fix_prices, set_prices, shift_utilities
from kernels.cpu.solver_state import is_any_open, is_out_of_range
from kernels.formulas import LOWEST, inverse, margin_at
from kernels.nesting import BOUND, DONE, PHASE, VALUE, logarithm, outside_weight, start_search, step_search
from kernels.tile import LANES


@compiled()
def nest_category(products, endings, dissimilarity, tolerance, rows, state, search):
    """Fill the rows with the best prices and with shares on the shelf, fill the sums, and return the number of passes.

    Afterwards state.category_value holds the bound of the search, which no prices exceed. tolerance: see step_search.
    """
    passes = 0
    start_searches(products, rows, state, search)
    while is_any_open(state):
        passes += 1
        add_best(products, endings, rows, state)
        if is_out_of_range(state):
            set_prices(products, endings, rows, state)
            if shift_utilities(products, rows, state, False):
                continue
        step_searches(dissimilarity, tolerance, state, search)
    passes += 1
    fix_prices(products, endings, rows, state)
    if is_out_of_range(state) and shift_utilities(products, rows, state, False):
        fix_prices(products, endings, rows, state)
    add_outside(state, dissimilarity)
    for s in range(LANES):
        state.category_value[s] = search[BOUND, s]
    return passes


@compiled()
def start_searches(products, rows, state, search):
    """Start the search of every segment at R = 0, and open it unless it is padding or the shelf is empty."""
    least, most = type(search[VALUE, 0])(-LOWEST), type(search[VALUE, 0])(LOWEST)
    for r in range(len(products)):
        product = products[r]
        if product.on_shelf:
            at_low = margin_at(product.low, product.weight, product.weighted_cost)
            at_high = margin_at(product.high, product.weight, product.weighted_cost)
            least, most = min(least, at_low, at_high), max(most, at_low, at_high)
    for s in range(LANES):
        start_search(search, s, least, most)
        state.category_value[s] = 0
        state.is_open[s] = 1 - state.is_padding[s] if least <= most else 0


@compiled()
def step_searches(dissimilarity, tolerance, state, search):
    """Move every open search on after a pass, and close those that are done."""
    for s in range(LANES):
        if state.is_open[s] > 0:
            total = state.total[s]
            depth = logarithm(total) + state.shift[s]
            step_search(search, s, depth, state.earned[s] * inverse(total), dissimilarity, tolerance)
            state.category_value[s] = search[VALUE, s]
            state.is_open[s] = 0 if search[PHASE, s] == DONE else 1


@compiled()
def add_outside(state, dissimilarity):
    """Add the outside option's weight to the sums, which then give the choice probabilities and the profit."""
    for s in range(LANES):
        total = state.total[s]
        depth = logarithm(total) + state.shift[s] if total > 0 else total
        state.outside[s] = outside_weight(total, depth, dissimilarity)
        state.total[s] = total + state.outside[s]
