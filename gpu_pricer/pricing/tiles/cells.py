"""What happens to every cell between the kernel and the file, each in one pass over the arrays.

Rows are written in another order than they were priced in: `order` [n] lists the rows of price, held and probability
[P, S] as they are wanted. Arrays to fill come last.
"""

import numba
import numpy as np

from gpu_pricer.tables.price_table import CENTS
from kernels import PRICE_LIMIT

Array = np.ndarray
TINY = 1e-9


@numba.njit(nogil=True, cache=True)
def mark_prices(price: Array, order: Array, is_there: Array) -> None:
    """Set is_there [largest price + 1] at every price of the rows."""
    for i in range(len(order)):
        row = price[order[i]]
        for s in range(len(row)):
            is_there[row[s]] = True


@numba.njit(nogil=True, cache=True)
def code_prices(price: Array, order: Array, code_of_price: Array, code: Array) -> None:
    """Fill code [n, S] with the codes of the rows' prices."""
    for i in range(len(order)):
        row, out = price[order[i]], code[i]
        for s in range(len(row)):
            out[s] = code_of_price[row[s]]


@numba.njit(nogil=True, cache=True)
def pack_prices(price: Array, order: Array, code_of_price: Array, bits: int, together: int, packed: Array) -> None:
    """Fill packed uint8 [S, ...], zeros, with the codes of the rows' prices, segment by segment and without gaps.

    So many rows go together into one word of 64 bits, of which they fill whole bytes.
    """
    step, segments = bits * together // 8, price.shape[1]
    words = np.empty(segments, np.uint64)
    for first in range(0, len(order), together):
        words[:] = 0
        for i in range(first, min(first + together, len(order))):
            row, shift = price[order[i]], np.uint64((i - first) * bits)
            for s in range(segments):
                words[s] |= np.uint64(code_of_price[row[s]]) << shift
        begin = first // together * step
        for s in range(segments):
            word = words[s]
            for byte in range(begin, begin + step):
                packed[s, byte] = word & np.uint64(255)
                word >>= np.uint64(8)


@numba.njit(nogil=True, cache=True)
def code_bindings(binding_side: Array, order: Array, binding: Array, code: Array) -> None:
    """Fill code [n, S] with the rules that hold the rows' prices; binding: see PricingProblem."""
    for i in range(len(order)):
        row, rules, out = binding_side[order[i]], binding[order[i]], code[i]
        for s in range(len(row)):
            out[s] = rules[row[s] + 1]


@numba.njit(nogil=True, cache=True)
def expect(
    price: Array, probability: Array, order: Array, units_per_choice: Array, cost: Array, units: Array, profit: Array
) -> None:
    """Fill units and profit float32 [n, S] per so many visits as units_per_choice float32 [P] is meant for."""
    for i in range(len(order)):
        p = order[i]
        row, share, per_choice, unit_cost = price[p], probability[p], units_per_choice[p], cost[p]
        for s in range(len(row)):
            units[i, s] = share[s] * per_choice
            profit[i, s] = units[i, s] * np.float32(row[s] / CENTS - unit_cost)


@numba.njit(nogil=True, cache=True)
def explain(
    price: Array, probability: Array, slope: Array, category_value: Array, category: Array, order: Array, cost: Array,
    effective_cost: Array, weight: Array, class_of: Array, parts: Array
) -> None:  # fmt: skip
    """Fill parts int64 cents [5, n, S], which add up to the prices, as tables.price_table.PARTS names them.

    slope [P, S] per cent; worth [G, S] and category [P]: R of each product's category; cost float64 cents [P];
    effective_cost, weight float64 [P, C] of the classes class_of [S]. With P = 1 or a slope of 0 a part is infinite:
    none goes beyond PRICE_LIMIT.
    """
    for i in range(len(order)):
        p = order[i]
        for s in range(price.shape[1]):
            c = class_of[s]
            others = max(1.0 - np.float64(probability[p, s]), TINY)
            earned = weight[p, c] * (price[p, s] - effective_cost[p, c])
            opportunity = (
                (np.float64(category_value[category[p], s]) - earned * probability[p, s]) / others / weight[p, c]
            )
            markup = 1 / (np.float64(slope[p, s]) * others)
            _fill_parts(price[p, s], cost[p], effective_cost[p, c], markup, opportunity, parts[:, i, s])


@numba.njit(nogil=True, cache=True)
def explain_expected(
    price: Array, markup: Array, opportunity: Array, order: Array, cost: Array, effective_cost: Array, parts: Array
) -> None:
    """Fill parts int64 cents [5, n, S], as `explain` does, from markup and opportunity float64 cents [P, S]."""
    for i in range(len(order)):
        p = order[i]
        for s in range(price.shape[1]):
            _fill_parts(price[p, s], cost[p], effective_cost[p], markup[p, s], opportunity[p, s], parts[:, i, s])


@numba.njit(nogil=True, cache=True)
def _fill_parts(
    price: int, cost: float, effective_cost: float, markup: float, opportunity: float, parts: Array
) -> None:
    parts[0] = _cents(cost)
    parts[1] = _cents(effective_cost) - parts[0]
    parts[2] = _cents(markup)
    parts[3] = _cents(opportunity)
    parts[4] = price - parts[:4].sum()


@numba.njit(nogil=True, cache=True)
def _cents(amount: float) -> int:
    return int(np.round(min(max(amount, -PRICE_LIMIT), PRICE_LIMIT)))


@numba.njit(nogil=True, cache=True)
def differ(price: Array, order: Array, flags: Array) -> None:
    """Fill flags bool [n, S]: whether the segments' prices of the row's product are not all the same."""
    for i in range(len(order)):
        row = price[order[i]]
        flags[i] = row.min() < row.max()


@numba.njit(nogil=True, cache=True)
def add_moves(price: Array, today: Array, moved: Array, move: Array, absolute_move: Array) -> None:
    """Fill moved, move and absolute_move int64 [P]: how many prices are not today's, and the cents between them."""
    for p in range(len(price)):
        row, before, count, total, absolute = price[p], today[p], 0, 0, 0
        for s in range(len(row)):
            cents = row[s] - before
            count += cents != 0
            total += cents
            absolute += abs(cents)
        moved[p], move[p], absolute_move[p] = count, total, absolute
