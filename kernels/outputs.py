"""What the loops write: cells, and what they add up to."""

from typing import NamedTuple

import numpy as np

from kernels.compiled import compiled
from kernels.cpu.worker_memory import LANES
from kernels.formulas import binding_side_of, category_value_bound


class Cells(NamedTuple):
    """What is written per cell (see pricing.PricedCells); those not wanted have no columns.

    category_worth [G, S'], which holds the R to start from, is always there.
    """

    price: np.ndarray
    probability: np.ndarray
    binding_side: np.ndarray
    category_value: np.ndarray


class Sums(NamedTuple):
    """Sums over the segments of block b, for C classes of segments; without classes nothing is added up.

    visits float64 [C, S']; chosen, revenue float64 [B, P, C]: expected choices and their price, in cents; bound
    float64 [B, G, C]: what no prices can exceed, visits * max(R, F(R)).
    """

    visits: np.ndarray
    chosen: np.ndarray
    revenue: np.ndarray
    bound: np.ndarray


@compiled()
def read_prices(given, first, block, rows):
    """Fill the rows' prices from given ones [P, S], or [P, 1] for all segments; 0 for the padding."""
    begin, segments = block * LANES, given.shape[1]
    for r in range(len(rows)):
        row = rows[r]
        for s in range(LANES):
            if segments == 1:
                row.price[s] = given[first + r, 0]
            else:
                row.price[s] = given[first + r, begin + s] if begin + s < segments else 0


@compiled()
def write_prices(rows, price, first, block):
    """Copy the rows' prices, without the padding, to their place in price [P, S]."""
    begin = block * LANES
    for r in range(len(rows) if price.shape[1] > 0 else 0):
        row, out = rows[r], price[first + r, begin : begin + LANES]
        for s in range(min(len(out), LANES)):
            out[s] = row.price[s]


@compiled()
def write_shares(rows, probability, first, block):
    """Copy the rows' shares, without the padding, to their place in probability [P, S]."""
    begin = block * LANES
    for r in range(len(rows) if probability.shape[1] > 0 else 0):
        row, out = rows[r], probability[first + r, begin : begin + LANES]
        for s in range(min(len(out), LANES)):
            out[s] = row.share[s]


@compiled()
def write_lines(rows, utility_at_zero, slope, first, block):
    """Copy the rows' utilities at a price of 0 and their slopes, without the padding, to their places [P, S]."""
    begin = block * LANES
    for r in range(len(rows)):
        row = rows[r]
        for s in range(min(utility_at_zero.shape[1] - begin, LANES)):
            utility_at_zero[first + r, begin + s], slope[first + r, begin + s] = row.utility_at_zero[s], row.slope[s]


@compiled()
def write_binding_sides(products, rows, binding_side, first, block):
    """Write which bound held the prices, for all but the padding, to its place in held [P, S]."""
    begin = block * LANES
    for r in range(len(rows) if binding_side.shape[1] > 0 else 0):
        row, out = rows[r], binding_side[first + r, begin : begin + LANES]
        low, high = products[r].low, products[r].high
        for s in range(min(len(out), LANES)):
            out[s] = binding_side_of(row.unconstrained_price[s], low, high)


@compiled()
def add_up(rows, state, sums, category, first, block):
    """Fill the category's place in sums."""
    for c in range(sums.visits.shape[0]):
        visits = sums.visits[c, block * LANES : (block + 1) * LANES]
        for r in range(len(rows)):
            sums.chosen[block, first + r, c] = chosen_of(visits, rows[r])
            sums.revenue[block, first + r, c] = revenue_of(visits, rows[r])
        if sums.bound.shape[1] > 0:
            sums.bound[block, category, c] = bound_of(visits, state)


@compiled(reassociate=True)
def chosen_of(visits, row):
    """Return sum visits * share, in float64."""
    total = 0.0
    for s in range(LANES):
        total += visits[s] * np.float64(row.share[s])
    return total


@compiled(reassociate=True)
def revenue_of(visits, row):
    """Return sum visits * share * price, in float64."""
    total = 0.0
    for s in range(LANES):
        total += visits[s] * np.float64(row.share[s]) * np.float64(row.price[s])
    return total


@compiled(reassociate=True)
def bound_of(visits, state):
    """Return sum visits * max(R, F(R)), in float64: R* is never above, whatever R the iteration stopped at."""
    total = 0.0
    for s in range(LANES):
        category_value, earned = np.float64(state.category_value[s]), np.float64(state.earned[s])
        total += visits[s] * category_value_bound(
            category_value, earned, np.float64(state.total[s]), np.float64(state.outside[s])
        )
    return total
