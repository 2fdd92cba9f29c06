"""The cells of a tile as the columns of a file, each in one pass over the arrays.

A file has its rows in another order than the tile: `order` [n] lists, row by row of the file, the rows of the tile's
arrays [P, S]. Arrays to fill come last.
"""

import numba
import numpy as np

from gpu_pricer.tables.price_table import BINDINGS, CENTS
from kernels import BindingSide

Array = np.ndarray
LOW = int(BindingSide.LOW)
RULE_OF_SIDE = {
    BindingSide.OVERRIDE: "override",
    BindingSide.CHANGE_BUDGET: "max_changes",
    BindingSide.SMALL_MOVE: "min_change",
}
PRICING_RULES = np.array([BINDINGS.index(RULE_OF_SIDE[side]) for side in sorted(RULE_OF_SIDE)], np.int8)
"""The positions in BINDINGS that the sides above BindingSide.HIGH name, in their order. They are an argument of
code_bindings, because numba's cache keeps the value of a global after another module has changed it."""


@numba.njit(nogil=True, cache=True)
def mark_prices(price: Array, order: Array, is_there: Array) -> None:
    """Set is_there bool [largest price + 1] to True at every price in cents of the rows; price int [P, S]."""
    for i in range(len(order)):
        row = price[order[i]]
        for s in range(len(row)):
            is_there[row[s]] = True


@numba.njit(nogil=True, cache=True)
def code_prices(price: Array, order: Array, code_of_price: Array, code: Array) -> None:
    """Fill code [n, S] with the codes of the rows' prices; code_of_price [largest price + 1] is indexed by cents."""
    for i in range(len(order)):
        row, out = price[order[i]], code[i]
        for s in range(len(row)):
            out[s] = code_of_price[row[s]]


@numba.njit(nogil=True, cache=True)
def pack_prices(price: Array, order: Array, code_of_price: Array, bits: int, together: int, packed: Array) -> None:
    """Fill packed uint8 [S, bytes], which holds zeros, with the codes of the rows' prices, one row for each segment.

    `together` rows of `bits` bits each share a word of 64 bits and fill whole bytes of it.
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
def code_bindings(
    binding_side: Array, order: Array, at_low: Array, inside: Array, at_high: Array, pricing_rules: Array, code: Array
) -> None:
    """Fill code [n, S] with the positions in BINDINGS of the rules that set the rows' prices.

    binding_side int8 [P, S]: a BindingSide each; at_low, inside, at_high int8 [P]: see BindingRules;
    pricing_rules int8: PRICING_RULES.
    """
    rules = np.empty(3 + len(pricing_rules), np.int8)
    for side in range(len(pricing_rules)):
        rules[3 + side] = pricing_rules[side]
    for i in range(len(order)):
        p = order[i]
        row, out = binding_side[p], code[i]
        rules[0], rules[1], rules[2] = at_low[p], inside[p], at_high[p]
        for s in range(len(row)):
            out[s] = rules[row[s] - LOW]


@numba.njit(nogil=True, cache=True)
def expect(
    price: Array,
    probability: Array,
    order: Array,
    units_per_choice: Array,
    cost: Array,
    net_share: Array,
    units: Array,
    profit: Array,
) -> None:
    """Fill units and profit float32 [n, S]: expected units, and profit in currency, of a number of visits.

    price int [P, S]: in cents; probability [P, S]: that a visit chooses the product; units_per_choice float32 [P]:
    units times the number of visits; cost [P]: of a unit, in currency; net_share [P]: of the price, after VAT.
    """
    for i in range(len(order)):
        p = order[i]
        row, share, per_choice, unit_cost = price[p], probability[p], units_per_choice[p], cost[p]
        kept = net_share[p]
        for s in range(len(row)):
            units[i, s] = share[s] * per_choice
            profit[i, s] = units[i, s] * np.float32(kept * (row[s] / CENTS) - unit_cost)


@numba.njit(nogil=True, cache=True)
def differ(price: Array, order: Array, flags: Array) -> None:
    """Fill flags bool [n, S]: whether the segments pay different prices for the row's product."""
    for i in range(len(order)):
        row = price[order[i]]
        flags[i] = row.min() < row.max()
