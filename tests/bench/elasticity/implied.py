"""What a regression would find if units answered prices as the artefact says."""

import numpy as np
import polars as pl

from gpu_pricer.network.model.price_bend import bent
from gpu_pricer.tables.artefact import DemandArtefact
from tests.bench.elasticity.cells import Cells
from tests.bench.elasticity.poisson import projected


def responses(artefact: DemandArtefact) -> pl.DataFrame:
    """Return product_id, reference_price, response: −d ln units / d(price / reference), and bend 0 of the products.

    The response is b(1 − P) of every segment at the reference price, weighted with the choices of the segment.
    """
    known = artefact.products.with_row_index("row").filter(
        pl.col("product_id").is_not_null(), pl.col("availability") > 0
    )
    row = known["row"].to_numpy()
    appeal, sensitivity = (artefact.factors[name][:, row].astype(np.float64) for name in ("appeal", "sensitivity"))
    category = (known["category_id"].rank("dense") - 1).to_numpy().astype(np.int64)
    weight = np.exp(appeal) * known["availability"].to_numpy()
    total = np.stack([1 + np.bincount(category, of_segment) for of_segment in weight])
    share = weight / total[:, category]
    chosen = artefact.segments["visits"].to_numpy()[:, None] * share
    response = (chosen * sensitivity * (1 - share)).sum(0) / chosen.sum(0)
    return known.select("product_id", "reference_price", response=pl.Series(response), bend=0.0)


def of_bent_response(found: pl.DataFrame, today: pl.DataFrame, bend: float) -> pl.DataFrame:
    """Return what the bent response has that the artefact touches at today's prices, in place of the artefact's own.

    found: from responses. today: product_id and price. bend: see gpu_pricer/network/model/price_bend.py; units per
    choice are taken to be bent alike.
    """
    ratio = pl.col("price") / pl.col("reference_price")
    at_reference = pl.col("response") / (1 - bend + bend / ratio)
    joined = found.join(today, on="product_id", how="left", maintain_order="left")
    return joined.with_columns(response=at_reference, bend=bend).select(found.columns)


def implied_elasticity(cells: Cells, found: pl.DataFrame, mean: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Return the coefficients [K] of covariates [n, K] in a regression of the response's log units on them.

    found: from responses. mean [n]: the expected units by which the regression weighs the cells. Products that the
    artefact does not have are left out.
    """
    table = cells.table.with_columns(mean=pl.Series(mean)).join(
        found, on="product_id", how="left", maintain_order="left"
    )
    is_kept = (table["mean"] > 0) & table["response"].is_not_null()
    rows, kept = table.filter(is_kept), Cells(table.filter(is_kept))
    weight = rows["mean"].to_numpy()
    move = (rows["price"] / rows["reference_price"] - 1).to_torch()
    log_units = -rows["response"].to_numpy() * bent(move, rows["bend"].to_torch()).numpy()
    within = projected(np.column_stack([log_units, covariates[is_kept.to_numpy()]]), weight, kept.effects)
    root = np.sqrt(weight)[:, None]
    return np.asarray(np.linalg.lstsq(root * within[:, 1:], root[:, 0] * within[:, 0], rcond=None)[0])
