"""The common price of a family, several products of a category, for a block of segments.

For a given R the family contributes G(x) = sum_j (omega_j (x - c_j) - R) e^u_j(x) at a common price x. Every term
has one peak, at c_j + 1/beta_j + R/omega_j, but their sum may have several. G rises below the lowest peak and falls
above the highest. On any interval G is at most the sum of the largest values of its terms there, which lie at the
term's peak or at the end nearer to it. So a scan over the rungs between the peaks that skips every interval whose
bound is below the best value so far finds the global maximum: branch and bound in one dimension.

In all functions products [n] are the category's records and rows [n] its worker_memory rows; r is the number of the
family's first product among them, and s a segment of the block. Prices are in cents.
"""

from kernels.compiled import compiled
from kernels.formulas import FAR, clip, exponential, margin_at, stationary, utility_at
from kernels.rungs import bracket, number_of, rung_of
from kernels.tile import LANES


@compiled()
def set_common_price(products, r, endings, rows, state):
    """Write the family's best common price for R into unconstrained_price of each member's row.

    If a bound is active, the written price lies one cent outside it, which marks the bound as binding. endings [E], in
    cents; R is state.category_value. Members off the shelf get the price too but do not influence it, unless the whole
    family is off the shelf; then each counts as if it were on the shelf.
    """
    low, high = products[r].low, products[r].high
    is_gone = not is_any_on_shelf(products, r)
    for s in range(LANES):
        category_value = state.category_value[s]
        first, last = peaks(products, r, rows, s, category_value)
        scale = highest_utility(products, r, rows, s, low, is_gone)
        price = best_rung(products, r, endings, rows, s, category_value, first, last, scale, is_gone)
        best = part_of(products, r, rows, s, category_value, price, price, scale, is_gone)
        one = type(price)(1.0)
        if price == low and part_of(products, r, rows, s, category_value, low - one, low - one, scale, is_gone) > best:
            price = low - one
        elif (
            price == high
            and part_of(products, r, rows, s, category_value, high + one, high + one, scale, is_gone) > best
        ):
            price = high + one
        k = r
        while k >= 0:
            rows[k].unconstrained_price[s] = price
            k = products[k].next_mate


@compiled()
def is_any_on_shelf(products, r):
    """Return whether some product of the family is on the shelf."""
    found, k = False, r
    while k >= 0:
        found |= products[k].on_shelf
        k = products[k].next_mate
    return found


@compiled()
def peaks(products, r, rows, s, category_value):
    """Return the lowest and the highest peak of the family's terms; 0 and FAR if a weight is not positive."""
    first, last, k = type(category_value)(FAR), -type(category_value)(FAR), r
    while k >= 0:
        first = min(first, peak_of(products[k], rows[k], s, category_value, type(category_value)(0.0)))
        last = max(last, peak_of(products[k], rows[k], s, category_value, type(category_value)(FAR)))
        k = products[k].next_mate
    return first, last


@compiled()
def peak_of(product, row, s, category_value, otherwise):
    """Return the peak of the product's term of G, or `otherwise` if its weight is not positive."""
    return stationary(row.target[s], category_value, product.value_step) if product.weight > 0 else otherwise


@compiled()
def highest_utility(products, r, rows, s, price, is_gone):
    """Return the highest utility in the family at a price; callers subtract it, so that no exponential overflows.

    Products off the shelf count only if is_gone, which says that the whole family is off the shelf.
    """
    highest, k = -type(price)(FAR), r
    while k >= 0:
        if products[k].on_shelf or is_gone:
            highest = max(highest, utility_at(price, rows[k].utility_at_zero[s], rows[k].slope[s]))
        k = products[k].next_mate
    return highest


@compiled()
def part_of(products, r, rows, s, category_value, low, high, scale, is_gone):
    """Return an upper bound of G e^-scale for prices in [low, high]; if low equals high, G e^-scale itself."""
    total, k = type(category_value)(0.0), r
    while k >= 0:
        product, row = products[k], rows[k]
        if product.on_shelf or is_gone:
            at_low = term_of(product, row, s, category_value, low, scale)
            at_high = term_of(product, row, s, category_value, high, scale)
            largest = max(at_low, at_high)
            if product.weight > 0 and low < high:
                peak = clip(stationary(row.target[s], category_value, product.value_step), low, high)
                largest = max(largest, term_of(product, row, s, category_value, peak, scale))
            total += largest
        k = products[k].next_mate
    return total


@compiled()
def term_of(product, row, s, category_value, price, scale):
    """Return the product's term of G e^-scale at a price, (omega (x - c) - R) e^(u - scale)."""
    gain = margin_at(price, product.weight, product.weighted_cost) - category_value
    return gain * exponential(utility_at(price, row.utility_at_zero[s], row.slope[s]) - scale)


@compiled()
def best_rung(products, r, endings, rows, s, category_value, first, last, scale, is_gone):
    """Return the rung inside the bounds with the largest G, the lowest of equally good ones; a bound counts as a rung.

    first, last: the lowest and the highest peak; scale, is_gone: see highest_utility. The scan doubles its interval
    after every interval that it skips, and halves it where the bound leaves room for a better rung.
    """
    leader = products[r]
    low, high = leader.low, leader.high
    below, above = bracket(leader, endings, clip(first, low, high), clip(last, low, high))
    last_rung, _ = bracket(leader, endings, high, high)
    here, end = number_of(leader, endings, max(below, low)), number_of(leader, endings, min(above, last_rung))
    price = low
    best = part_of(products, r, rows, s, category_value, low, low, scale, is_gone)
    at_high = part_of(products, r, rows, s, category_value, high, high, scale, is_gone)
    if at_high > best:
        best, price = at_high, high
    width = 1
    while here <= end:
        until = min(here + width - 1, end)
        left, right = rung_of(leader, endings, here), rung_of(leader, endings, until)
        part = part_of(products, r, rows, s, category_value, left, right, scale, is_gone)
        if here == until:
            if part > best or (part == best and left < price):
                best, price = part, left
            here, width = here + 1, 2
        elif part < best:
            here, width = until + 1, 2 * width
        else:
            width //= 2
    return price
