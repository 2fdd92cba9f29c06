"""Plain rivals: what a careful analyst would set from the same canonical tables, on the same rungs."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from sklearn.cluster import KMeans

from gpu_pricer.evaluation.profit import Rungs
from gpu_pricer.evaluation.truth.fixed_effects import count_by_group, fit_logit
from gpu_pricer.evaluation.truth.log_log import fit_elasticities, price_alone
from gpu_pricer.evaluation.truth.true_types import LEAST_SENSITIVITY
from gpu_pricer.pricing.tiles.solving import reference_cells
from tests.bench.markets.rungs import catalog_of, problem_of
from tests.bench.markets.truth import Truth

RIVALS = ("pooled_logit", "logit_per_kmeans", "log_log_pooled")
KMEANS, STARTS = 12, 5


@dataclass(frozen=True)
class Canonical:
    """The tables of `prepare` that rivals read, and the raw products."""

    shelf: pl.DataFrame
    choices: pl.DataFrame
    categories: pl.DataFrame
    products: pl.DataFrame


def rival_prices(truth: Truth, tables: Canonical, rungs: Rungs) -> dict[str, np.ndarray]:
    """Return the prices in cents [P, U] of every rival by name; of the truth they read only what everybody knows."""
    one, shares = np.zeros(len(truth.user_id), np.int64), by_purchase_shares(truth, tables)
    prices = (
        logit_prices(truth, tables, one),
        logit_prices(truth, tables, shares),
        log_log_prices(truth, tables, rungs),
    )
    return dict(zip(RIVALS, prices, strict=True))


def logit_prices(truth: Truth, tables: Canonical, group: np.ndarray) -> np.ndarray:
    """Return the prices [P, U] of a fixed-effects logit by group [U], which every value up to the largest must have."""
    user_group = pl.DataFrame({"user_id": truth.user_id, "group": group})
    known = _products(tables)
    fitted = fit_logit(count_by_group(tables.shelf, tables.choices, user_group, known.drop("units_per_choice")))
    sensitivity = np.maximum(fitted.sensitivity, LEAST_SENSITIVITY).astype(np.float32)
    catalog = catalog_of(truth, tables.products)
    problem = problem_of(fitted.appeal.astype(np.float32), sensitivity, known, catalog)
    return reference_cells(problem).price.astype(np.float64)[:, group]


def log_log_prices(truth: Truth, tables: Canonical, rungs: Rungs) -> np.ndarray:
    """Return the prices [P, U] that constant elasticities, pooled by category, make best for each product alone.

    A product that never sold has the elasticity of its category.
    """
    fitted = fit_elasticities(tables.shelf, tables.choices, "category")
    by_product = tables.products.join(fitted, on="product_id", how="left", maintain_order="left")
    pooled = by_product.select(pl.coalesce("elasticity", pl.col("elasticity").max().over("category_id")))
    elasticity = pooled["elasticity"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    price = price_alone(elasticity, truth.unit_cost, truth.today, rungs)
    return np.repeat(price[:, None], len(truth.user_id), axis=1)


def by_purchase_shares(truth: Truth, tables: Canonical) -> np.ndarray:
    """Return a k-means cluster [U] of each user by the shares of the products among his choices."""
    users = pl.DataFrame({"user_id": truth.user_id}).with_row_index("user")
    ids = pl.DataFrame({"product_id": truth.product_id}).with_row_index("product")
    bought = tables.choices.drop_nulls("product_id").join(users, on="user_id").join(ids, on="product_id")
    count = np.zeros((len(users), len(ids)))
    np.add.at(count, (bought["user"].to_numpy(), bought["product"].to_numpy()), 1.0)
    total = count.sum(axis=1, keepdims=True)
    share = np.where(total > 0, count / np.maximum(total, 1), count.sum(axis=0) / count.sum())
    return KMeans(KMEANS, n_init=STARTS, random_state=0).fit_predict(share).astype(np.int64)


def _products(tables: Canonical) -> pl.DataFrame:
    """Return product_id, category_id, reference_price (median over the shelf, else today's) and units_per_choice."""
    median = tables.shelf.group_by("product_id").agg(median=pl.col("price").median())
    return (
        tables.products.join(median, on="product_id", how="left", maintain_order="left")
        .join(tables.categories, on="category_id", how="left", maintain_order="left")
        .select(
            "product_id", "category_id", pl.coalesce("median", "price").alias("reference_price"), "units_per_choice"
        )
        .sort("category_id", "product_id")
    )
