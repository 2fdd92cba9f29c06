"""Probabilities within one occasion, where a log has no occasion without purchase."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from gpu_pricer.evaluation.held_out.offers import OCCASION, Log

SMALLEST = 1e-6  # of a probability


def buys_always(sales: Log) -> bool:
    """Return whether every occasion of the log has a purchase (data.choices.outside_option=false)."""
    return sales.choices["product_id"].null_count() == 0


def share_of_total(rows: pl.DataFrame, probability: np.ndarray, occasion: Sequence[str]) -> np.ndarray:
    """Return each probability [N] over the sum of the probabilities with the same `occasion` columns."""
    return (
        rows.select(occasion)
        .with_columns(p=pl.Series(probability))
        .select(pl.col("p") / pl.col("p").sum().over(occasion))
        .to_series()
        .to_numpy()
    )


def scaled_to_purchases(rows: pl.DataFrame, probability: np.ndarray, training: pl.DataFrame) -> np.ndarray:
    """Return the probabilities [N], scaled so that every occasion buys as many products as its category's mean one.

    The mean is that of the training offers.
    """
    bought = training.filter("bought").group_by(OCCASION).len().group_by("category_id").agg(pl.col("len").mean())
    mean = rows.select("category_id").join(bought, on="category_id", how="left", maintain_order="left")["len"]
    scaled = share_of_total(rows, probability, OCCASION) * mean.fill_null(1.0).to_numpy()
    return scaled.clip(SMALLEST, 1 - SMALLEST)
