"""The sums of a market at given prices, written out in NumPy from the artefact and the catalog alone."""

import numpy as np
import polars as pl

from gpu_pricer.tables.artefact import DemandArtefact


def sums_at(
    artefact: DemandArtefact, catalog: pl.DataFrame, price: np.ndarray, covers: np.ndarray | None = None
) -> tuple[float, float, float]:
    """Return units, revenue and profit of a period; price and covers [P, S], both sorted by category and product.

    Revenue and profit are after VAT, if the catalog has the column vat_rate.
    """
    products = artefact.products.with_row_index("row").join(
        catalog.select("product_id", "price", "cost", *(n for n in ("vat_rate",) if n in catalog.columns)),
        on="product_id",
    )
    products = products.sort("category_id", "product_id")
    segments = artefact.segments.with_row_index("row").sort("segment_id")
    factors = {name: factor.astype(np.float64) for name, factor in artefact.factors.items()}
    rows, people = products["row"].to_numpy(), segments["row"].to_numpy()
    appeal = factors["product_appeal"][rows] @ factors["segment_appeal"][people].T
    sensitivity = np.logaddexp(0, factors["product_sensitivity"][rows] @ factors["segment_sensitivity"][people].T)
    appeal += np.log(products["availability"].to_numpy().clip(1e-300))[:, None]
    utility = np.exp(appeal - sensitivity * (price / products["reference_price"].to_numpy()[:, None] - 1))
    _, category = np.unique(products["category_id"].to_numpy(), return_inverse=True)
    total = np.zeros((category.max() + 1, len(people)))
    np.add.at(total, category, utility)
    units = utility / (1 + total[category]) * segments["visits"].to_numpy()
    units = units * products["units_per_choice"].to_numpy()[:, None] * (1 if covers is None else covers)
    rate = products["vat_rate"].to_numpy() if "vat_rate" in products.columns else np.zeros(products.height)
    revenue = units * price / (1 + rate)[:, None]
    return (
        float(units.sum()),
        float(revenue.sum()),
        float((revenue - units * products["cost"].to_numpy()[:, None]).sum()),
    )


def units_at(artefact: DemandArtefact, catalog: pl.DataFrame, segment: int, price: np.ndarray) -> np.ndarray:
    """Return units [n, P] of a segment's visits at prices [n, P] of a market of one category, sorted by product."""
    products = artefact.products.with_row_index("row").sort("product_id")
    people = artefact.segments.with_row_index("row").sort("segment_id").row(segment, named=True)
    factors = {name: factor.astype(np.float64) for name, factor in artefact.factors.items()}
    row = products["row"].to_numpy()
    appeal = factors["product_appeal"][row] @ factors["segment_appeal"][people["row"]]
    score = factors["product_sensitivity"][row] @ factors["segment_sensitivity"][people["row"]]
    utility = np.exp(appeal - np.logaddexp(0, score) * (price / products["reference_price"].to_numpy() - 1))
    chance = utility / (1 + utility.sum(axis=1, keepdims=True))
    return chance * people["visits"] * products["units_per_choice"].to_numpy()
