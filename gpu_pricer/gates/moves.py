"""The gates on how far prices lie from today's and from the published ones."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from gpu_pricer.gates.outcome import Outcome, limited, unknown
from gpu_pricer.gates.settings import Gates
from gpu_pricer.tables.price_table import CENTS

LEAST_PRODUCTS = 10
"""Categories of fewer compared products count together as one: one product's promotion would fill a small one."""
SMALL = "the small categories together"
MEND = "mend the product's cost and price, or raise the limit"
LOOK = "look at the prices, then tighten the policy's bounds or raise the limit"


class Change(NamedTuple):
    """What a gate measures of the prices' moves: what it is called, and the column of price_moves that is summed."""

    gate: str
    what: str
    column: str


AGAINST_TODAY = (
    Change("max_share_moved", "share of prices moved", "moved"),
    Change("max_mean_move", "mean size of the moves", "move"),
)
AGAINST_PUBLISHED = (
    Change("max_share_changed", "share of prices that differ from the published ones", "changed"),
    Change("max_share_far", "share of prices that differ from the published ones by more than {far:g}", "far"),
)
BY_CATEGORY = (
    Change("max_category_share_changed", "share of a category's prices that differ from the published ones", "changed"),
    Change("max_category_change", "mean size of a category's changes from the published prices", "change"),
)


def today_outcomes(moves: pl.DataFrame, gates: Gates, has_policy: bool) -> Iterator[Outcome]:
    """Yield the outcomes of the gates on moves from today's prices.

    moves: of price_moves. has_policy: whether the moves were compared with the policy's limits.
    """
    for change in AGAINST_TODAY:
        limit = getattr(gates, change.gate)
        if limit is not None:
            yield limited(change.gate, change.what, _mean(moves, change.column, "cells"), limit, LOOK)
    limit, what = gates.max_share_beyond_moves, "share of prices beyond a limit of the policy on moves"
    if limit is None:
        return
    if not has_policy:
        yield unknown("max_share_beyond_moves", what, limit, "copy of its policy")
        return
    found, detail = _mean(moves, "beyond", "cells"), f", {moves['beyond'].sum():,} of {moves['cells'].sum():,} prices"
    remedy = "see the column binding for the rules that outrank the limits, mend the costs or overrides"
    yield limited("max_share_beyond_moves", what, found, limit, remedy, detail)


def single_move_outcomes(moves: pl.DataFrame, limit: float | None) -> Iterator[Outcome]:
    """Yield the outcome of the gate on the largest move of a single price, which names the price; none without a limit.

    A mistyped cost or price of one product is lost in shares and means of all of them.
    """
    if limit is None or moves.is_empty():
        return
    largest = moves.sort("largest", "product_id", descending=[True, False]).row(0, named=True)
    old, new = (largest[name] / CENTS for name in ("largest_from", "largest_to"))
    above = moves.filter(pl.col("largest") > limit).height
    cell = f"product {largest['product_id']} in segment {largest['largest_in']} from {old:,.2f} to {new:,.2f}"
    detail = f", {cell} (above the limit: {above:,} of {moves.height:,} products)"
    found = limited("max_single_move", "largest move of a single price", largest["largest"], limit, MEND, detail)
    yield replace(found, cell=f"{cell} ({new / old - 1:+.1%})")


def published_outcomes(moves: pl.DataFrame, gates: Gates, categories: pl.DataFrame | None) -> Iterator[Outcome]:
    """Yield the outcomes of the gates on changes of the published prices; none where no cell is published.

    categories: product_id as text and category_id, None if the version does not tell.
    """
    moves = moves.filter(pl.col("compared") > 0)
    if not moves.height:
        return
    for change in AGAINST_PUBLISHED:
        limit = getattr(gates, change.gate)
        if limit is not None:
            found = _mean(moves, change.column, "compared")
            yield limited(change.gate, change.what.format(far=gates.far), found, limit, LOOK)
    for change in BY_CATEGORY:
        limit = getattr(gates, change.gate)
        if limit is not None and categories is None:
            yield unknown(change.gate, change.what, limit, "copy of its catalog")
        elif limit is not None and categories is not None:
            yield _worst_category(change, moves, limit, categories)


def _mean(moves: pl.DataFrame, column: str, cells: str) -> float:
    """Return the sum of a column of price_moves over the number of cells."""
    return float(moves.select(pl.col(column).sum() / pl.col(cells).sum()).item())


def _worst_category(change: Change, moves: pl.DataFrame, limit: float, categories: pl.DataFrame) -> Outcome:
    """Return the outcome for the category in which the mean over its compared cells is largest."""
    known = moves.join(categories, on="product_id", how="left")
    is_small = pl.len().over("category_id") < LEAST_PRODUCTS
    named = known.with_columns(
        category_id=pl.when(is_small | pl.col("category_id").is_null()).then(None).otherwise("category_id")
    )
    means = named.group_by("category_id").agg(pl.col(change.column, "compared").sum())
    means = means.with_columns(mean=pl.col(change.column) / pl.col("compared"))
    worst = means.sort("mean", "category_id", descending=[True, False]).row(0, named=True)
    above = means.filter(pl.col("mean") > limit).height
    detail = f" in {worst['category_id'] or SMALL} (above the limit: {above} of {means.height})"
    return limited(change.gate, change.what, worst["mean"], limit, LOOK, detail)
