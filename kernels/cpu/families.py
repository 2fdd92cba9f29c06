"""The one price of a family, several products of a category, for LANES segments.

For a given R the family's part of the category is G(x) = sum_j (omega_j (x - c_j) - R) e^u_j(x) at a common x. Every
term has one peak, at c_j + 1/beta_j + R/omega_j, but their sum may have several. It falls above the highest peak
and rises below the lowest, and on any interval it is at most the sum of its terms' largest values there, each at the
peak or the nearer end. So a scan over the rungs in between that passes over intervals which cannot hold a better one
finds the global maximum: branch and bound in one dimension.
"""

from kernels.compiled import compiled
from kernels.cpu.worker_memory import LANES
from kernels.formulas import (
    FAR,
    clip,
    exponential,
    margin_at,
    rung_above,
    rung_below,
    stationary,
    utility_at,
)


@compiled()
def set_common_price(products, r, endings, rows, state):
    """Fill the wanted prices of the family that product r leads with the best one for R; a cent beyond a bound that
    holds it. On the shelf or not, all of them; where none is on the shelf, each counts as if it were."""
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
    """Return whether some product of the family can be chosen."""
    found, k = False, r
    while k >= 0:
        found |= products[k].on_shelf
        k = products[k].next_mate
    return found


@compiled()
def peaks(products, r, rows, s, category_value):
    """Return the lowest and the highest price that is best for one of the family; all if a weight is not positive."""
    first, last, k = type(category_value)(FAR), -type(category_value)(FAR), r
    while k >= 0:
        first = min(first, peak_of(products[k], rows[k], s, category_value, type(category_value)(0.0)))
        last = max(last, peak_of(products[k], rows[k], s, category_value, type(category_value)(FAR)))
        k = products[k].next_mate
    return first, last


@compiled()
def peak_of(product, row, s, category_value, otherwise):
    """Return where the product's part of G is largest, or `otherwise` where its stationary point is a minimum."""
    return stationary(row.target[s], category_value, product.value_step) if product.weight > 0 else otherwise


@compiled()
def highest_utility(products, r, rows, s, price, is_gone):
    """Return the highest utility of the family at a price, which is taken off all, so that none overflows."""
    highest, k = -type(price)(FAR), r
    while k >= 0:
        if products[k].on_shelf or is_gone:
            highest = max(highest, utility_at(price, rows[k].utility_at_zero[s], rows[k].slope[s]))
        k = products[k].next_mate
    return highest


@compiled()
def part_of(products, r, rows, s, category_value, low, high, scale, is_gone):
    """Return what G e^-scale is at most for prices in [low, high], and G e^-scale itself where they are one price."""
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
    """Return (omega (x - c) - R) e^(u - scale)."""
    gain = margin_at(price, product.weight, product.weighted_cost) - category_value
    return gain * exponential(utility_at(price, row.utility_at_zero[s], row.slope[s]) - scale)


@compiled()
def best_rung(products, r, endings, rows, s, category_value, first, last, scale, is_gone):
    """Return the rung in the bounds with the largest G; the lowest of equal ones."""
    leader = products[r]
    low, high = leader.low, leader.high
    below, above = bracket(leader, endings, clip(first, low, high), clip(last, low, high))
    here, end = number_of(leader, endings, max(below, low)), number_of(leader, endings, min(above, high))
    price = low
    best = part_of(products, r, rows, s, category_value, low, low, scale, is_gone)
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


@compiled()
def bracket(leader, endings, first, last):
    """Return the highest rung that is not above `first` and the lowest that is not below `last`, outside the bounds
    where there is none inside."""
    below, above = -type(first)(FAR), type(first)(FAR)
    for e in range(leader.first_ending, leader.last_ending):
        below = max(below, rung_below(first, leader.period, endings[e]))
        above = min(above, rung_above(last, leader.period, endings[e]))
    return below, above


@compiled()
def number_of(leader, endings, rung):
    """Return the number of a rung, counted from 0."""
    period, rest = divmod(int(rung), int(leader.period))
    e = leader.first_ending
    while e < leader.last_ending and endings[e] < rest:
        e += 1
    return period * (leader.last_ending - leader.first_ending) + e - leader.first_ending


@compiled()
def rung_of(leader, endings, number):
    """Return the rung of that number."""
    count = leader.last_ending - leader.first_ending
    return leader.period * type(leader.period)(number // count) + endings[leader.first_ending + number % count]
