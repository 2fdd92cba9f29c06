"""The price_response blocks of metrics.json: what a demand says about price, whatever its likelihood."""

import numpy as np
import polars as pl

RAISE = 0.10


def artefact_response(cells: pl.DataFrame, beside: list[pl.DataFrame]) -> dict[str, object]:
    """mean_elasticity, share_rising of the cells, and elasticity_by_category; means count purchases.

    cells: those of CatalogDemand.elasticities; beside: tables by category_id whose columns are told too, such as
    posterior_low and posterior_high, or observed, low and high.
    """
    by_category = cells.group_by("category_id").agg(elasticity=_mean_elasticity()).sort("category_id")
    for table in beside:
        by_category = by_category.join(table, on="category_id", how="left", maintain_order="left")
    return {
        "mean_elasticity": cells.select(_mean_elasticity()).item(),
        "share_rising": cells.select((pl.col("elasticity") > 0).mean()).item(),
        "elasticity_by_category": _by_category(by_category),
    }


def raised(offers: pl.DataFrame) -> pl.DataFrame:
    """The same offers with every price 10 % higher."""
    return offers.with_columns(pl.col("price") * (1 + RAISE))


def arc_response(offers: pl.DataFrame, probability: np.ndarray, after: np.ndarray) -> dict[str, object]:
    """The same block for a model without a formula, from its probabilities [N] before and after prices are raised.

    Elasticities are ln(purchases after / before) / ln(1.1); all prices rise, so substitution hardly shows.
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


def _mean_elasticity() -> pl.Expr:
    return (pl.col("elasticity") * pl.col("purchases")).sum() / pl.col("purchases").sum()


def _by_category(table: pl.DataFrame) -> dict[str, dict]:
    return {row.pop("category_id"): row for row in table.to_dicts()}
