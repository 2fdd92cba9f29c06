"""Scores of predicted choices that training never saw, and the price moves by which subsets are chosen."""

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.evaluation.metrics import evaluate_choices, poisson_deviance

REMEMBERED = 8  # past prices whose mean is the recent price
MOVES = {"all": None, "moved_5pct": 0.05, "moved_15pct": 0.15}
CELL = ("period", "product_id")
SEGMENT_CELL = ("segment_id", *CELL)
PREDICTED = ("probability", "expected_units")


def evaluate_held_out(offers: pl.DataFrame, moves: pl.DataFrame, sums: pl.DataFrame | None = None) -> dict[str, object]:
    """Return the scores per offer and, under poisson_deviance, those of buyers per product and period.

    offers: a row per offer with period, product_id, probability, bought and weight (how many offers the row stands
    for). moves: from price_moves. Where offers have a segment_id, poisson_deviance_by_segment compares the buyers per
    segment, product and period, the only score in which differences between segments show. Where they have units and
    expected_units, units_poisson_deviance compares the units per product and period.
    sums: period, product_id and, by segment or not, segment_id, probability and expected_units summed over all
    occasions, also those that the offers are no sample of. Deviances and predicted_over_actual then come from these
    sums, and there is no poisson_deviance_by_segment without segments. None: the sums are those of the offers.
    """
    sums = sums_of(offers, sums)
    scores = evaluate_choices(
        offers["bought"].to_numpy(),
        offers["probability"].to_numpy(),
        offers["weight"].cast(pl.Float64).to_numpy(),
    )
    block: dict[str, object] = {**scores, "predicted_over_actual": over_actual(offers, sums)}
    block["poisson_deviance"] = _deviances(offers, sums, moves, CELL)
    if "expected_units" in offers.columns:
        block["units_poisson_deviance"] = _deviances(offers, sums, moves, CELL, "units", "expected_units")
    if "segment_id" in offers.columns and "segment_id" in sums.columns:
        block["poisson_deviance_by_segment"] = _deviances(offers, sums, moves, SEGMENT_CELL)
    return block


def price_moves(shelf: pl.DataFrame) -> pl.DataFrame:
    """Return period, product_id and move = |ln(price / mean price of the 8 periods before)|.

    shelf: the canonical shelf. The move is null in a product's first period on the shelf.
    """
    return shelf.select("period", "product_id", move=(pl.col("price") / recent_price()).log().abs())


def recent_price() -> pl.Expr:
    """Return, over the shelf, the mean of a product's last REMEMBERED prices before the period; null in its first."""
    return pl.col("price").shift(1).rolling_mean(REMEMBERED, min_samples=1).over("product_id", order_by="period")


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


def sums_of(offers: pl.DataFrame, sums: pl.DataFrame | None) -> pl.DataFrame:
    """Return the sums of evaluate_held_out of the products and periods that are in the offers, or else the offers'."""
    if sums is not None:
        return sums.join(offers.select(CELL).unique(), on=CELL, how="semi", maintain_order="left")
    cell = SEGMENT_CELL if "segment_id" in offers.columns else CELL
    names = [name for name in PREDICTED if name in offers.columns]
    summed = [(pl.col("weight") * pl.col(name)).sum().alias(name) for name in names]
    return offers.group_by(cell, maintain_order=True).agg(summed)


def over_actual(offers: pl.DataFrame, sums: pl.DataFrame) -> float:
    """Return what the sums of evaluate_held_out expect to be bought over what was bought, NaN where nothing was."""
    bought = offers.select((pl.col("weight").cast(pl.Float64) * pl.col("bought")).sum()).item()
    return float(sums["probability"].sum() / bought) if bought else float("nan")


def _deviances(
    offers: pl.DataFrame,
    sums: pl.DataFrame,
    moves: pl.DataFrame,
    cell: tuple[str, ...],
    actual: str = "bought",
    predicted: str = "probability",
) -> dict[str, float]:
    """Return by the name of a subset of cells the Poisson deviance of buyers, or of another column's sum, per cell."""
    found = offers.group_by(cell, maintain_order=True).agg(actual=(pl.col("weight") * pl.col(actual)).sum())
    cells = (
        sums.group_by(cell, maintain_order=True)
        .agg(predicted=pl.col(predicted).sum())
        .join(found, on=cell, how="left", maintain_order="left")
        .join(moves, on=CELL, how="left", maintain_order="left")
    )
    counts, means = cells["actual"].fill_null(0).to_numpy(), cells["predicted"].to_numpy()
    return {name: poisson_deviance(counts[rows], means[rows]) for name, rows in moved_cells(cells["move"]).items()}
