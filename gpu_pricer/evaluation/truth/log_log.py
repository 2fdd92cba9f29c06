"""The textbook reference: constant-elasticity demand of each product alone, and the best legal price for it."""

from typing import Literal

import numpy as np
import polars as pl

from gpu_pricer.evaluation.demand.observed_elasticity import LEAST_VARIATION
from gpu_pricer.evaluation.profit import Rungs

Pool = Literal["product", "category"]

STEPS = 50
STEEPEST, FLATTEST = -15.0, 5.0


def fit_elasticities(shelf: pl.DataFrame, choices: pl.DataFrame, pool: Pool) -> pl.DataFrame:
    """Return product_id and elasticity from units ~ exp(level of the product + elasticity · log price), per period.

    shelf, choices: the canonical tables. The log-log regression is fitted by Poisson pseudo-likelihood instead of least
    squares on logs, so that weeks without a sale count as zeros (Santos Silva & Tenreyro 2006). pool: one slope per
    product or per category; every product has its own level. This naive baseline has no promotion, season or
    substitution. The elasticity is null where no slope is identified: no sale, or a price that never moved.
    """
    units = choices.drop_nulls("product_id").group_by("period", "product_id").agg(pl.col("quantity").sum())
    rows = shelf.join(units, on=["period", "product_id"], how="left").with_columns(pl.col("quantity").fill_null(0.0))
    rows = rows.with_columns(
        product=pl.col("product_id").rank("dense") - 1, group=pl.col(f"{pool}_id").rank("dense") - 1
    )
    slope = _fit_slopes(*(rows[name].to_numpy() for name in ("product", "group", "quantity", "price")))
    products = rows.group_by("product", "product_id", "group").first().sort("product_id")
    elasticity = pl.Series("elasticity", slope[products["group"].to_numpy()]).fill_nan(None)
    return products.select("product_id").with_columns(elasticity)


def price_alone(elasticity: np.ndarray, cost: np.ndarray, today: np.ndarray, rungs: Rungs) -> np.ndarray:
    """Return the most profitable legal price [P] of each product in cents, without substitution.

    The price maximises (x − c) · x^elasticity over the rungs; a tie goes to the lower price. Where elasticity is NaN it
    is today's price. elasticity [P]; cost, today [P]: in cents.
    """
    product = np.repeat(np.arange(len(cost)), np.diff(rungs.start))
    gain = rungs.price / today[product]
    profit = (rungs.price - cost[product]) * gain ** np.nan_to_num(elasticity)[product]
    best = np.maximum.reduceat(profit, rungs.start[:-1])
    first = np.minimum.reduceat(np.where(profit >= best[product], rungs.price, np.inf), rungs.start[:-1])
    return np.where(np.isnan(elasticity), today, first)


def _fit_slopes(product: np.ndarray, group: np.ndarray, units: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Return the slope per group by Newton's method, with the products' levels concentrated out; NaN if unidentified.

    Given a product's total units Y, its weeks are multinomial with shares ∝ price^slope, so the gradient is
    Σ y·ln p − Σ Y·E[ln p] and the curvature Σ Y·Var[ln p].
    """
    products, groups = int(product.max()) + 1, int(group.max()) + 1
    log_price = np.log(price)
    log_price = log_price - (np.bincount(product, log_price) / np.bincount(product))[product]
    total = np.bincount(product, units, minlength=products)[product]
    slope = np.full(groups, -1.0)
    for _ in range(STEPS):
        attraction = np.exp(slope[group] * log_price)
        expected = total * attraction / np.bincount(product, attraction)[product]
        mean = (np.bincount(product, attraction * log_price) / np.bincount(product, attraction))[product]
        gradient = np.bincount(group, (units - expected) * log_price, minlength=groups)
        curvature = np.bincount(group, expected * (log_price - mean) ** 2, minlength=groups)
        step = np.clip(gradient / np.maximum(curvature, LEAST_VARIATION), -2.0, 2.0)
        slope = np.clip(slope + step, STEEPEST, FLATTEST)
    return np.where(curvature > LEAST_VARIATION, slope, np.nan)
