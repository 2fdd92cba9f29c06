"""Scores of predicted choices that training never saw, and the price moves by which subsets are chosen."""

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.metrics import evaluate_choices, poisson_deviance

PAST_PERIODS = 8
MOVES = {"all": None, "moved_5pct": 0.05, "moved_15pct": 0.15}
CELL = ("period", "product_id")
SEGMENT_CELL = ("segment_id", *CELL)


def evaluate_held_out(offers: pl.DataFrame, moves: pl.DataFrame) -> dict[str, object]:
    """Return the scores per offer and, under poisson_deviance, those of buyers per product and period.

    offers: a row per offer with period, product_id, probability, bought and weight (how many offers the row stands
    for). moves: from price_moves. Where offers have a segment_id, poisson_deviance_by_segment compares the buyers per
    segment, product and period, the only score in which differences between segments show. Where they have units and
    expected_units, units_poisson_deviance compares the units per product and period.
    """
    scores = evaluate_choices(
        offers["bought"].to_numpy(),
        offers["probability"].to_numpy(),
        offers["weight"].cast(pl.Float64).to_numpy(),
    )
    block: dict[str, object] = {**scores, "poisson_deviance": _deviances(offers, moves, CELL)}
    if "expected_units" in offers.columns:
        block["units_poisson_deviance"] = _deviances(offers, moves, CELL, "units", "expected_units")
    if "segment_id" in offers.columns:
        block["poisson_deviance_by_segment"] = _deviances(offers, moves, SEGMENT_CELL)
    return block


def price_moves(shelf: pl.DataFrame) -> pl.DataFrame:
    """Return period, product_id and move = |ln(price / mean price of the 8 periods before)|.

    shelf: the canonical shelf. The move is null in a product's first period on the shelf.
    """
    past = pl.col("price").shift(1).rolling_mean(PAST_PERIODS, min_samples=1).over("product_id", order_by="period")
    return shelf.select("period", "product_id", move=(pl.col("price") / past).log().abs())


def moved_cells(move: pl.Series) -> dict[str, np.ndarray]:
    """Return by the name of a subset which cells belong to it, bool [cells]: all, or those whose price moved enough."""
    return {
        name: np.ones(len(move), bool) if least is None else (move > least).fill_null(False).to_numpy()
        for name, least in MOVES.items()
    }


def select_moved_most(shelf: pl.DataFrame, reference: pl.DataFrame, share: float) -> pl.DataFrame:
    """Return product_id of a share of the products, at least one: those with the largest mean |ln(price / reference)|.

    shelf: the held-out periods. reference: product_id and reference_price, the median price of the periods before. On
    these products a wrong price response shows first. Raises InputError where no product has a reference price.
    """
    distance = (pl.col("price") / pl.col("reference_price")).log().abs().mean()
    products = (
        shelf.join(reference, on="product_id")
        .group_by("product_id")
        .agg(distance=distance)
        .sort("distance", "product_id", descending=[True, False])
    )
    if products.is_empty():
        raise InputError(
            "some held-out products must have been on the shelf before, found none: "
            "give a longer log, or hold fewer periods out"
        )
    return products.head(max(1, round(share * products.height))).select("product_id")


def _deviances(
    offers: pl.DataFrame,
    moves: pl.DataFrame,
    cell: tuple[str, ...],
    actual: str = "bought",
    predicted: str = "probability",
) -> dict[str, float]:
    """Return by the name of a subset of cells the Poisson deviance of buyers, or of another column's sum, per cell."""
    weight = pl.col("weight")
    cells = (
        offers.group_by(cell, maintain_order=True)
        .agg(actual=(weight * pl.col(actual)).sum(), predicted=(weight * pl.col(predicted)).sum())
        .join(moves, on=CELL, how="left", maintain_order="left")
    )
    counts, means = cells["actual"].to_numpy(), cells["predicted"].to_numpy()
    return {name: poisson_deviance(counts[rows], means[rows]) for name, rows in moved_cells(cells["move"]).items()}
