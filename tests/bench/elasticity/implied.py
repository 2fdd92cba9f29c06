"""What a regression would find if units answered prices as the artefact says."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from torch import Tensor

from gpu_pricer.network.model.price_bend import bent, steepness
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.artefact.demand_of_units import at_prices, without_nests
from tests.bench.elasticity.cells import Cells
from tests.bench.elasticity.poisson import projected


@dataclass(frozen=True)
class Response:
    """How the units of P products answer their prices: the response that an artefact touches at today's prices.

    products [P]: product_id, reference_price, ratio: today's price over it, and quantity_share: the part of units per
    choice in the slope. units, slope [S, P]: of the segments at today's prices; −d ln units / d(price / reference).
    bend: of choices, see gpu_pricer/network/model/price_bend.py; units per choice fall with the log of the price.
    """

    products: pl.DataFrame
    units: np.ndarray
    slope: np.ndarray
    bend: float

    @classmethod
    def of(cls, artefact: DemandArtefact, today: pl.DataFrame, bend: float) -> "Response":
        """Return the response that the artefact touches; today: product_id and price."""
        joined = artefact.products.join(today, on="product_id", how="left", maintain_order="left")
        ratio = (joined["price"] / joined["reference_price"]).fill_null(1.0)
        products = joined.with_columns(ratio=ratio).with_row_index("row")
        known = products.filter(pl.col("product_id").is_not_null(), pl.col("availability") > 0)
        row, now = known["row"].to_numpy(), without_nests(at_prices(artefact, ratio.to_numpy()))
        appeal, slope = (now.factors[name][:, row].astype(np.float64) for name in ("appeal", "sensitivity"))
        category = (known["category_id"].rank("dense") - 1).to_numpy().astype(np.int64)
        weight = np.exp(appeal) * known["availability"].to_numpy()
        total = np.stack([1 + np.bincount(category, of_segment) for of_segment in weight])
        units = artefact.segments["visits"].to_numpy()[:, None] * weight / total[:, category]
        mean = pl.Series((units * slope).sum(0) / units.sum(0))
        share = pl.col("quantity_sensitivity") / pl.max_horizontal(mean, "quantity_sensitivity")
        found = known.with_columns(quantity_share=share.fill_nan(0.0))
        return cls(found.select("product_id", "reference_price", "ratio", "quantity_share"), units, slope, bend)

    def log_units(self, rows: pl.DataFrame) -> np.ndarray:
        """Return the log of the units of rows with product_id and price, [n], NaN where a product is not known.

        It leaves out how many visits buy nothing, or less, of the category. That is about the same for all its products
        in a period, so that the effects of a regression take it up.
        """
        places = self.products.with_row_index("place")
        joined = rows.select("product_id", "price").join(places, on="product_id", how="left", maintain_order="left")
        is_known = joined["place"].is_not_null().to_numpy()
        known = joined.filter(is_known)
        ratio, share = known["ratio"].to_torch(), known["quantity_share"].to_torch()
        at = known["price"].to_torch() / known["reference_price"].to_torch()
        choices = (bent(at - 1, self.bend) - bent(ratio - 1, self.bend)) / steepness(ratio - 1, self.bend)
        fall: Tensor = (1 - share) * choices + share * ratio * (at / ratio).log()
        place, found = known["place"].to_numpy(), np.full(rows.height, np.nan)
        of_segments = np.log(self.units[:, place]) - self.slope[:, place] * fall.numpy()
        found[is_known] = np.logaddexp.reduce(of_segments, axis=0)
        return found


def implied_elasticity(cells: Cells, response: Response, mean: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Return the coefficients [K] of covariates [n, K] in a regression of the response's log units on them.

    mean [n]: the expected units by which the regression weighs the cells. Products that the artefact does not have are
    left out.
    """
    log_units = response.log_units(cells.table)
    is_kept = (mean > 0) & np.isfinite(log_units)
    weight, kept = mean[is_kept], Cells(cells.table.filter(is_kept))
    within = projected(np.column_stack([log_units, covariates])[is_kept], weight, kept.effects)
    root = np.sqrt(weight)[:, None]
    return np.asarray(np.linalg.lstsq(root * within[:, 1:], root[:, 0] * within[:, 0], rcond=None)[0])
