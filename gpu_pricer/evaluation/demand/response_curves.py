"""How a category's purchases answer when all its prices move together."""

import numpy as np
import polars as pl

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand

PRICE_LEVELS = np.linspace(0.6, 1.4, 41)  # of today's prices


def response_curves(demand: CatalogDemand) -> pl.DataFrame:
    """category_id, price_level, purchases per 1,000 visits, support_low and support_high, sorted.

    The support of a category is that of its products, relative to today's prices, averaged over purchases.
    """
    per_visits = 1000 / demand.problem.segments.visits.sum()
    now = per_visits * demand.purchases(1.0).sum(axis=1)
    low, high = (
        (pl.col(end) / pl.col("price") * pl.col("now")).sum() / pl.col("now").sum()
        for end in ("min_price", "max_price")
    )
    support = demand.products.with_columns(now=now).group_by("category_id").agg(support_low=low, support_high=high)
    curves = [
        demand.products.select("category_id")
        .with_columns(purchases=per_visits * demand.purchases(level).sum(axis=1), price_level=level)
        .group_by("category_id", "price_level")
        .agg(pl.col("purchases").sum())
        for level in PRICE_LEVELS
    ]
    return pl.concat(curves).join(support, on="category_id").sort("category_id", "price_level")
