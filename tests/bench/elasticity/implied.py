"""What a regression would find if units answered prices as the artefact says."""

import numpy as np
import polars as pl

from gpu_pricer.network.model.price_bend import bent, steepness
from gpu_pricer.tables.artefact import DemandArtefact
from tests.bench.elasticity.cells import Cells
from tests.bench.elasticity.poisson import projected


def responses(artefact: DemandArtefact, today: pl.DataFrame, bend: float) -> pl.DataFrame:
    """Return the response that the artefact touches at today's prices, at a product's reference price.

    Columns: product_id, reference_price, sensitivity b of choices, quantity_sensitivity κ of units per choice, and the
    bend of the choices (see gpu_pricer/network/model/price_bend.py). With x = price / reference price, the log of the
    units falls by b bent(x − 1) + κ ln x, beside the log of how many visits buy nothing or less of the category. That
    is the same for all products of a category in a week, so that the effects of a regression take it up. Of several
    segments b is the mean, weighted with their choices. today: product_id and price.
    """
    known = artefact.products.with_row_index("row").filter(
        pl.col("product_id").is_not_null(), pl.col("availability") > 0
    )
    row = known["row"].to_numpy()
    appeal, sensitivity = (artefact.factors[name][:, row].astype(np.float64) for name in ("appeal", "sensitivity"))
    category = (known["category_id"].rank("dense") - 1).to_numpy().astype(np.int64)
    weight = np.exp(appeal) * known["availability"].to_numpy()
    total = np.stack([1 + np.bincount(category, of_segment) for of_segment in weight])
    chosen = artefact.segments["visits"].to_numpy()[:, None] * weight / total[:, category]
    slope = pl.Series((chosen * sensitivity).sum(0) / chosen.sum(0)) - known["quantity_sensitivity"]
    found = known.with_columns(slope=slope).join(today, on="product_id", how="left", maintain_order="left")
    ratio = found["price"] / found["reference_price"]
    steep = steepness(ratio.to_torch() - 1, bend).numpy()
    return found.select(
        "product_id",
        "reference_price",
        sensitivity=pl.col("slope") / steep,
        quantity_sensitivity=pl.col("quantity_sensitivity") * ratio,
        bend=bend,
    )


def implied_elasticity(cells: Cells, found: pl.DataFrame, mean: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Return the coefficients [K] of covariates [n, K] in a regression of the response's log units on them.

    found: from responses. mean [n]: the expected units by which the regression weighs the cells. Products that the
    artefact does not have are left out.
    """
    table = cells.table.with_columns(mean=pl.Series(mean)).join(
        found, on="product_id", how="left", maintain_order="left"
    )
    is_kept = (table["mean"] > 0) & table["sensitivity"].is_not_null()
    rows, kept = table.filter(is_kept), Cells(table.filter(is_kept))
    weight = rows["mean"].to_numpy()
    ratio = (rows["price"] / rows["reference_price"]).to_torch()
    fall = rows["sensitivity"].to_torch() * bent(ratio - 1, rows["bend"].to_torch())
    log_units = -(fall + rows["quantity_sensitivity"].to_torch() * ratio.log()).numpy()
    within = projected(np.column_stack([log_units, covariates[is_kept.to_numpy()]]), weight, kept.effects)
    root = np.sqrt(weight)[:, None]
    return np.asarray(np.linalg.lstsq(root * within[:, 1:], root[:, 0] * within[:, 0], rcond=None)[0])
