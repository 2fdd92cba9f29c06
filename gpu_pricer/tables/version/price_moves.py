"""How far the prices of a version lie from today's prices and from the published ones, counted by product."""

from collections.abc import Callable

import numpy as np
import polars as pl

from gpu_pricer.tables.version.price_grid import PriceGrid

MoveRange = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Returns the lowest and the highest price [n] that limits on moves leave around today's prices [n], in cents."""


def price_moves(
    grid: PriceGrid,
    move_range: MoveRange | None,
    published: np.ndarray | None,
    far: float,
    known: np.ndarray | None = None,
) -> pl.DataFrame:
    """Return a row per product of one file of the price table, with its product_id as text.

    move_range: None where nothing limits moves. published [P, S]: the published price of every cell in cents, 0 for a
    cell that is not published; None without a published version.
    far: the relative change from which a price has changed far. known [2, P]: the lowest and the highest price in cents
    that the demand was learned from, 0 and infinity where that is unknown; None: it is unknown of all.

    cells, moved, move, beyond: numbers of prices, of those that differ from today's price, the sum of |price / today's
    price − 1|, and the number of prices outside move_range. compared, changed, far, change: the number of cells that
    the published version has too, of those whose price differs from the published one, of those that differ by more
    than `far`, and the sum of |price / published price − 1|.

    largest: the largest move of a cell from `largest_from` to `largest_to`, in cents, in the segment `largest_in`
    (text): new / old − 1, of a fall old / new − 1. `largest_from` is its published price, or else the one nearest to
    today's that the demand knows: a price of today that is wrong is no measure of itself.
    """
    known = np.array([[0.0], [np.inf]]).repeat(len(grid.product_id), axis=1) if known is None else known
    return pl.concat(
        _moves(part, known[:, products], move_range, None if published is None else published[products], far)
        for products, part in grid.parts()
    )


def _moves(
    grid: PriceGrid, known: np.ndarray, move_range: MoveRange | None, published: np.ndarray | None, far: float
) -> pl.DataFrame:
    """Return what price_moves returns, for a grid of few cells."""
    price, today = grid.price, grid.today
    is_compared = np.zeros_like(price, np.bool_) if published is None else published > 0
    before = price if published is None else np.where(is_compared, published, price)
    change = np.abs(price / before - 1)
    low, high = known[:, :, None]
    replaced = np.where(is_compared, before, np.clip(today, low, high))
    single = np.maximum(price / replaced, replaced / price) - 1
    most = single.argmax(axis=1) if price.size else np.zeros(len(price), np.int64)
    product = np.arange(len(price))
    counts = {
        "moved": price != today,
        "beyond": _beyond(price, today, move_range),
        "compared": is_compared,
        "changed": price != before,
        "far": change > far,
    }
    return pl.DataFrame(
        {
            "product_id": grid.product_id.cast(pl.String),
            "move": np.abs(price / today - 1).sum(1),
            "change": change.sum(1),
            "largest": single[product, most],
            "largest_in": grid.segment_id.cast(pl.String).gather(most),
            "largest_from": replaced[product, most],
            "largest_to": price[product, most],
        }
        | {name: np.count_nonzero(is_counted, axis=1) for name, is_counted in counts.items()}
    ).with_columns(cells=pl.lit(price.shape[1], pl.Int64))


def _beyond(price: np.ndarray, today: np.ndarray, move_range: MoveRange | None) -> np.ndarray:
    """Return whether each price [P, S] lies outside the range that limits on moves leave around today's price."""
    if move_range is None:
        return np.zeros_like(price, np.bool_)
    flat = today.ravel()
    start = np.flatnonzero(np.diff(flat, prepend=flat[:1] - 1))  # a product's cells have one today's price
    low, high = (
        np.repeat(bound, np.diff(start, append=len(flat))).reshape(today.shape) for bound in move_range(flat[start])
    )
    return (price < low) | (price > high)
