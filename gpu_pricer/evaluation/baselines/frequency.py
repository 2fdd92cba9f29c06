"""A baseline of habits alone: how often this user has bought this product so far."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.checks import require_number
from gpu_pricer.evaluation.baselines.baseline import Predict
from gpu_pricer.evaluation.held_out.offers import Log


@dataclass(frozen=True)
class Frequency:
    """Purchases per visit of a user and product, shrunk to the product's mean rate, which counts as prior_visits."""

    prior_visits: float

    def __post_init__(self) -> None:
        require_number("frequency.prior_visits", self.prior_visits, above=0)

    def fit(self, offers: pl.DataFrame, sales: Log) -> Predict:
        """Return the predictor with the mean rate of every product in the offers.

        The users' own counts are columns of the offers and cover the periods before each offer.
        """
        weight, bought = pl.col("weight"), (pl.col("weight") * pl.col("bought")).sum()
        overall = offers.select(bought / weight.sum()).item()
        rates = offers.group_by("product_id").agg(rate=bought / weight.sum())

        def predict(rows: pl.DataFrame) -> np.ndarray:
            """Return the probability [N] that each row's user buys its product: shares shrunken to the mean rate."""
            known = rows.select("product_id", "product_purchases", "visits").join(
                rates, on="product_id", how="left", maintain_order="left"
            )
            prior = self.prior_visits * pl.col("rate").fill_null(overall)
            share = (pl.col("product_purchases") + prior) / (pl.col("visits") + self.prior_visits)
            return known.select(share.cast(pl.Float64)).to_series().to_numpy()

        return predict
