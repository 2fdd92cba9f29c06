"""The response of a demand to prices: the blocks price_response of metrics.json, and the response curves."""

import numpy as np
import polars as pl

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.tables.price_table import PER_VISITS

RAISE = 0.10
PRICE_LEVELS = np.linspace(0.6, 1.4, 41)  # of today's prices


def artefact_response(cells: pl.DataFrame, beside: list[pl.DataFrame]) -> dict[str, object]:
    """Return mean_elasticity, share_rising (of the cells) and elasticity_by_category; purchases weight the means.

    cells: from CatalogDemand.elasticities. elasticity_by_category also has the purchases, expected in a period. beside:
    tables by category_id whose columns are added to it, such as posterior_low and posterior_high, or those of
    ObservedElasticities.
    """
    by_category = cells.group_by("category_id").agg(elasticity=_mean_elasticity(), purchases=pl.col("purchases").sum())
    by_category = by_category.sort("category_id")
    for table in beside:
        by_category = by_category.join(table, on="category_id", how="left", maintain_order="left")
    return {
        "mean_elasticity": cells.select(_mean_elasticity()).item(),
        "share_rising": cells.select((pl.col("elasticity") > 0).mean()).item(),
        "elasticity_by_category": _by_category(by_category),
    }


def raise_prices(offers: pl.DataFrame) -> pl.DataFrame:
    """Return the offers with every price 10 % higher."""
    return offers.with_columns(pl.col("price") * (1 + RAISE))


def arc_response(offers: pl.DataFrame, probability: np.ndarray, after: np.ndarray) -> dict[str, object]:
    """Return the block price_response of any model, from its probabilities [N] of the offers before and after a raise.

    probability: at the offers' own prices; after: at those of raise_prices.
    Elasticities are ln(purchases after / purchases before) / ln(1.1). All prices rise together, so substitution
    between products hardly changes them.
    """
    weight = offers["weight"].to_numpy()
    rows = pl.DataFrame({"category_id": offers["category_id"], "before": weight * probability, "after": weight * after})
    arc = (pl.col("after").sum() / pl.col("before").sum()).log() / np.log(1 + RAISE)
    by_category = rows.group_by("category_id").agg(elasticity=arc).sort("category_id")
    return {
        "mean_elasticity": rows.select(arc).item(),
        "share_rising": rows.select((pl.col("after") > pl.col("before")).mean()).item(),
        "elasticity_by_category": _by_category(by_category),
    }


def response_curves(demand: CatalogDemand) -> pl.DataFrame:
    """Return category_id, price_level, units per 1,000 visits, support_low and support_high, sorted.

    All prices of a category are price_level times today's. The support of a category is the mean of its products'
    supports relative to today's prices, weighted with units.
    """
    per_visits = PER_VISITS / demand.problem.segments.visits.sum()
    now = per_visits * demand.units(1.0).sum(axis=1)
    low, high = (
        (pl.col(end) / pl.col("price") * pl.col("now")).sum() / pl.col("now").sum()
        for end in ("min_price", "max_price")
    )
    support = demand.products.with_columns(now=now).group_by("category_id").agg(support_low=low, support_high=high)
    curves = [
        demand.products.select("category_id")
        .with_columns(units=per_visits * demand.units(level).sum(axis=1), price_level=level)
        .group_by("category_id", "price_level")
        .agg(pl.col("units").sum())
        for level in PRICE_LEVELS
    ]
    return pl.concat(curves).join(support, on="category_id").sort("category_id", "price_level")


def _mean_elasticity() -> pl.Expr:
    return (pl.col("elasticity") * pl.col("purchases")).sum() / pl.col("purchases").sum()


def _by_category(table: pl.DataFrame) -> dict[str, dict]:
    return {row.pop("category_id"): row for row in table.to_dicts()}
