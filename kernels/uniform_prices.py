"""A pattern search for the best prices that are the same in all segments, in float64 on the CPU.

One product at a time, or one price family, moves by some rungs up or down: by the move with which its category earns
most. Segment s earns Q M / V in a category, with V = sum e^u, M = sum omega (x - c) e^u and Q the probability of a
purchase (see nesting). A move changes only the terms of the products that move, so that it takes one exponential for
each of these and each segment. The profit of a mixture of logits is not concave in the prices: the search ends where no
move earns more, which may be a local optimum.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from kernels.compiled import compiled
from kernels.demand import Demand
from kernels.formulas import exponential, margin_at, utility_at
from kernels.inputs import Shelf
from kernels.nesting import bought_share
from kernels.pricing import ONE_AT_A_TIME, utility_lines
from kernels.tile import dissimilarity_of

MOVES = (0, -16, -4, -1, 1, 4, 16)
"""By how many rungs a price moves at once. The first of equally good moves is made."""

MOST_SWEEPS = 30
"""The most sweeps through the products of a category."""


class UniformTile(NamedTuple):
    """P products in G categories, and the S segments that pay the same prices; float64, money in cents.

    category_start int64 [G + 1]; dissimilarity [G]; has_outside_option; on_shelf bool [P]: as in Shelf
    unit_cost, weight [P]: c and omega; visits [S]: of the segments
    utility_at_zero, slope [P, S]: the utility at a price of 0 and what each cent takes off it
    by_hand [P, S]: the prices that cells keep, NaN where there is none; [0, S] if no cell keeps one
    rung [R], rung_start int64 [P + 1]: product p may take the prices rung[rung_start[p]] to rung[rung_start[p + 1] - 1]
    leader int64 [P]: the first product of the same price family, or the product itself without one
    next_mate int64 [P]: the next product of the family, -1 for the last one
    """

    category_start: np.ndarray
    dissimilarity: np.ndarray
    has_outside_option: bool
    on_shelf: np.ndarray
    unit_cost: np.ndarray
    weight: np.ndarray
    visits: np.ndarray
    utility_at_zero: np.ndarray
    slope: np.ndarray
    by_hand: np.ndarray
    rung: np.ndarray
    rung_start: np.ndarray
    leader: np.ndarray
    next_mate: np.ndarray

    def climb(self, position: np.ndarray) -> np.ndarray:
        """Return the positions [P], among each product's prices, that the search reaches from `position` [P]."""
        reached = position.astype(np.int64)
        with ONE_AT_A_TIME:
            climb_categories(self, reached)
        return reached


def uniform_tile(
    demand: Demand,
    shelf: Shelf,
    earnings: tuple[np.ndarray, np.ndarray],
    visits: np.ndarray,
    by_hand: np.ndarray | None,
    rungs: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> UniformTile:
    """Return the tile of a search.

    earnings: unit_cost and weight [P]. by_hand [P, S]: None where no cell keeps a price of its own. rungs: rung,
    rung_start and leader of UniformTile.
    """
    utility_at_zero, slope = utility_lines(demand, shelf)
    rung, rung_start, leader = rungs
    order = np.argsort(leader, kind="stable")
    earlier, later = order[:-1], order[1:]
    next_mate = np.full(len(leader), -1)
    next_mate[earlier] = np.where(leader[later] == leader[earlier], later, -1)
    return UniformTile(
        category_start=shelf.category_start.astype(np.int64),
        dissimilarity=dissimilarity_of(shelf, np.float64),
        has_outside_option=shelf.has_outside_option,
        on_shelf=np.array(shelf.on_shelf),
        unit_cost=earnings[0].astype(np.float64),
        weight=earnings[1].astype(np.float64),
        visits=visits.astype(np.float64),
        utility_at_zero=utility_at_zero.astype(np.float64),
        slope=slope.astype(np.float64),
        by_hand=np.array(np.empty((0, len(visits))) if by_hand is None else by_hand, np.float64, order="C"),
        rung=rung.astype(np.float64),
        rung_start=rung_start.astype(np.int64),
        leader=leader.astype(np.int64),
        next_mate=next_mate,
    )


@compiled(parallel=True)
def climb_categories(tile, position):
    """Move `position` [P] until no move of a product or family earns more, for at most MOST_SWEEPS sweeps."""
    for g in prange(len(tile.category_start) - 1):
        climb_category(tile, np.int64(g), position)  # a prange counts with unsigned integers


@compiled()
def climb_category(tile, g, position):
    """Do the same as climb_categories for the products of category g alone."""
    first, last = tile.category_start[g], tile.category_start[g + 1]
    terms = np.zeros((last - first, len(tile.visits), 2))  # e^u and omega (x - c) e^u of each product and segment
    others = np.empty((len(tile.visits), 2))
    for p in range(first, last):
        fill_terms(tile, p, position[p], terms[p - first])
    for _ in range(MOST_SWEEPS):
        has_moved = False
        for p in range(first, last):
            if tile.leader[p] == p:
                has_moved |= move_family(tile, g, p, position, terms, others)
        if not has_moved:
            break


@compiled()
def move_family(tile, g, leader, position, terms, others):
    """Make the best move of a product and its family; return whether prices changed. others [S, 2]: working memory."""
    first = tile.category_start[g]
    add_up_others(tile, leader, first, terms, others)
    best, best_profit = 0, -np.inf
    for move in MOVES:
        profit = profit_of_move(tile, g, leader, position, move, others)
        if profit > best_profit:
            best, best_profit = move, profit
    if best == 0:
        return False
    k = leader
    while k >= 0:
        position[k] = rung_number(tile, k, position[k] + best)
        fill_terms(tile, k, position[k], terms[k - first])
        k = tile.next_mate[k]
    return True


@compiled()
def add_up_others(tile, leader, first, terms, others):
    """Fill others [S, 2] with the sums of the terms of a category's products outside the leader's family."""
    others[:] = 0.0
    for row in range(len(terms)):
        if tile.leader[first + row] != leader:
            others += terms[row]


@compiled()
def profit_of_move(tile, g, leader, position, move, others):
    """Return what category g earns in all segments, in cents times visits, after a family has moved by some rungs."""
    profit = 0.0
    for s in range(len(tile.visits)):
        total, earned, k = others[s, 0], others[s, 1], leader
        while k >= 0:
            odds, margin = terms_of(tile, k, s, rung_number(tile, k, position[k] + move))
            total, earned, k = total + odds, earned + margin, tile.next_mate[k]
        if total > 0.0:
            bought = bought_share(math.log(total), tile.dissimilarity[g]) if tile.has_outside_option else 1.0
            profit += tile.visits[s] * bought * earned / total
    return profit


@compiled()
def fill_terms(tile, p, position, terms):
    """Fill terms [S, 2] of product p at one of its prices."""
    for s in range(len(tile.visits)):
        terms[s] = terms_of(tile, p, s, position)


@compiled()
def terms_of(tile, p, s, position):
    """Return e^u and omega (x - c) e^u of product p in segment s; 0 off the shelf."""
    if not tile.on_shelf[p]:
        return 0.0, 0.0
    price = tile.rung[tile.rung_start[p] + position]
    if len(tile.by_hand) and not np.isnan(tile.by_hand[p, s]):
        price = tile.by_hand[p, s]
    odds = exponential(utility_at(price, tile.utility_at_zero[p, s], tile.slope[p, s]))
    return odds, margin_at(price, tile.weight[p], tile.weight[p] * tile.unit_cost[p]) * odds


@compiled()
def rung_number(tile, p, position):
    """Return the position moved into the range of product p's prices."""
    return min(max(position, 0), tile.rung_start[p + 1] - tile.rung_start[p] - 1)
