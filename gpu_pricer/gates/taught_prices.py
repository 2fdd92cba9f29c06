"""The prices that a version's demand was learned from, beside which a price that was never published is judged."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.tables.artefact import read_support
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.tables.published.kept_artefacts import kept_artefact
from gpu_pricer.tables.version.price_version import PriceVersion


@dataclass(frozen=True)
class TaughtPrices:
    """product_id as text, low and high: the support of each product with a demand of its own, in cents."""

    support: pl.DataFrame

    def of(self, product_id: pl.Series) -> np.ndarray:
        """Return the lowest and the highest price of P products, [2, P]; 0 and infinity where the demand knows none."""
        products = pl.DataFrame({"product_id": product_id.cast(pl.String)})
        found = products.join(self.support, on="product_id", how="left", maintain_order="left")
        return found.select(pl.col("low").fill_null(0.0), pl.col("high").fill_null(float("inf"))).to_numpy().T


def taught_prices(folder: Path, version: PriceVersion) -> TaughtPrices | None:
    """Return the prices that taught the demand of a version in `folder`, None where its artefact was not kept."""
    place = kept_artefact(folder.parent, version.artefact)
    if not place.is_dir():
        return None
    low, high = (pl.col(name) * CENTS for name in ("min_price", "max_price"))
    return TaughtPrices(read_support(place).select(pl.col("product_id").cast(pl.String), low=low, high=high))
