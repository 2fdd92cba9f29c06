"""The demand model against choices that its training never saw."""

import numpy as np
import polars as pl

from gpu_pricer.evaluation.metrics import evaluate_choices, poisson_deviance

PAST_PERIODS = 8
MOVES = {"all": None, "moved_5pct": 0.05, "moved_15pct": 0.15}
CELL = ("period", "product_id")
SEGMENT_CELL = ("segment_id", *CELL)


def evaluate_held_out(offers: pl.DataFrame, moves: pl.DataFrame) -> dict[str, object]:
    """Scores per offer and, under poisson_deviance, of buyers per product and period.

    offers: one row per offer with period, product_id, probability, bought and weight (how many offers it stands
    for); moves: the price moves of these products and periods. Where offers tell the segment_id,
    poisson_deviance_by_segment compares buyers per segment, product and period too: only there can segments show
    that they differ.
    """
    scores = evaluate_choices(
        offers["bought"].to_numpy(),
        offers["probability"].to_numpy(),
        offers["weight"].cast(pl.Float64).to_numpy(),
    )
    block: dict[str, object] = {**scores, "poisson_deviance": _deviances(offers, moves, CELL)}
    if "segment_id" in offers.columns:
        block["poisson_deviance_by_segment"] = _deviances(offers, moves, SEGMENT_CELL)
    return block


def price_moves(shelf: pl.DataFrame) -> pl.DataFrame:
    """period, product_id and move = |ln(price / its mean over the 8 periods before)|; null at first."""
    past = pl.col("price").shift(1).rolling_mean(PAST_PERIODS, min_samples=1).over("product_id", order_by="period")
    return shelf.select("period", "product_id", move=(pl.col("price") / past).log().abs())


def moved_cells(move: pl.Series) -> dict[str, np.ndarray]:
    """Which cells count by the name of a subset, bool [cells]: all of them, or those whose price moved enough."""
    return {
        name: np.ones(len(move), bool) if least is None else (move > least).fill_null(False).to_numpy()
        for name, least in MOVES.items()
    }


def _deviances(offers: pl.DataFrame, moves: pl.DataFrame, cell: tuple[str, ...]) -> dict[str, float]:
    weight = pl.col("weight")
    cells = (
        offers.group_by(cell, maintain_order=True)
        .agg(buyers=(weight * pl.col("bought")).sum(), predicted=(weight * pl.col("probability")).sum())
        .join(moves, on=CELL, how="left", maintain_order="left")
    )
    buyers, predicted = cells["buyers"].to_numpy(), cells["predicted"].to_numpy()
    return {name: poisson_deviance(buyers[rows], predicted[rows]) for name, rows in moved_cells(cells["move"]).items()}
