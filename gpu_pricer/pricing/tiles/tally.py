"""The sums of a solved tile that a run adds up over tiles."""

import numba
import numpy as np

from gpu_pricer.pricing.problem.pricing_problem import ProductSales
from gpu_pricer.pricing.tiles.solved_tile import SolvedTile
from gpu_pricer.tables.price_table import BINDINGS, CENTS, MOVE_LIMITS
from gpu_pricer.tables.version.stock_record import served_share
from gpu_pricer.tables.version.tally import Tally
from kernels import BindingSide, Totals

OVERRULED_MOVES = [BINDINGS.index(f"{rule}_broken") for rule in MOVE_LIMITS]


def tally_of(tile: SolvedTile) -> Tally:
    """Return the tile's sums: moves of its prices, and units and profit of a period at the new and at today's prices.

    Units that the limits per product leave unserved do not count.

    New and today's prices are evaluated alike, with choice probabilities in the demand's float type and sums in
    float64, so that rounding favours neither.
    """
    problem, products = tile.problem, tile.products
    today, price = problem.products.today[products], tile.cells.price
    moved, raised, move, absolute_move = (np.empty(len(price), np.int64) for _ in range(4))
    add_moves(price, today, moved, raised, move, absolute_move)
    is_on_shelf = problem.products.is_on_shelf[products]
    no_rung = tile.rules.at_low == BINDINGS.index("no_rung")
    before = problem.totals(tile.demand, tile.first, tile.last, today[:, None])
    side, base_price, share = tile.cells.binding_side, today / CENTS, problem.products.net_share[products]
    is_held = np.isin(side, (BindingSide.LOW, BindingSide.HIGH, BindingSide.CHANGE_BUDGET))
    at_today, new = _sales(tile, before), _sales(tile, tile.cells.totals)
    return Tally(
        products=len(price),
        rows=price.size,
        moved=int(moved.sum()),
        raised=int(raised.sum()),
        held=int(is_held.sum()),
        beyond_moves=_count_beyond_moves(tile),
        move=float((move / today).sum()),
        absolute_move=float((absolute_move / today).sum()),
        on_shelf=int(is_on_shelf.sum()),
        moved_on_shelf=int(moved[is_on_shelf].sum()),
        raised_on_shelf=int(raised[is_on_shelf].sum()),
        held_on_shelf=int(is_held[is_on_shelf].sum()),
        no_rung=int((no_rung & is_on_shelf).sum()),
        units_today=float(at_today.units.sum()),
        units_new=float(new.units.sum()),
        revenue_new=float(new.revenue.sum()),
        net_revenue_new=float((new.revenue * share).sum()),
        base_revenue_new=float(base_price @ new.units),
        profit_today=float(at_today.profit(share).sum()),
        profit_new=float(new.profit(share).sum()),
    )


def _count_beyond_moves(tile: SolvedTile) -> int:
    """Return for how many cells on the shelf a later rule overruled a limit on the move from today's price.

    Prices set by hand do not count. An anchor that the largest move overrules does not either: the price is on its way.
    """
    is_on_shelf = tile.problem.products.is_on_shelf[tile.products]
    is_overruled = np.isin(tile.rules.at_low, OVERRULED_MOVES) & is_on_shelf
    return int((tile.cells.binding_side[is_overruled] < BindingSide.OVERRIDE).sum())


def _sales(tile: SolvedTile, totals: Totals | None) -> ProductSales:
    """Return the expected sales of every product [n], of what stock can serve where the policy limits units to it."""
    assert totals is not None
    sales = tile.problem.products.sales(totals, tile.products)
    if tile.lagrangian is None:
        return sales
    return sales.served(served_share(sales.units, tile.lagrangian.unit_limit[tile.products]))


@numba.njit(nogil=True, cache=True)
def add_moves(
    price: np.ndarray,
    today: np.ndarray,
    moved: np.ndarray,
    raised: np.ndarray,
    move: np.ndarray,
    absolute_move: np.ndarray,
) -> None:
    """Fill moved, raised, move and absolute_move, int64 [P] each, from price [P, S] and today [P] in cents.

    moved: how many prices are not today's; raised: how many lie above; move, absolute_move: the sums of the moves and
    of their sizes, in cents.
    """
    for p in range(len(price)):
        row, before, count, above, total, absolute = price[p], today[p], 0, 0, 0, 0
        for s in range(len(row)):
            cents = row[s] - before
            count += cents != 0
            above += cents > 0
            total += cents
            absolute += abs(cents)
        moved[p], raised[p], move[p], absolute_move[p] = count, above, total, absolute
