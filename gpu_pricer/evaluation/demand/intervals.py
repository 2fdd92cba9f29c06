"""Intervals of the elasticities by category, from the posterior of a demand artefact."""

import numpy as np
import polars as pl

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.pricing.problem.posterior_draws import posterior_draws
from kernels import expected_outcomes

TAIL = 0.05  # share of the draws beyond either end of a 90 % interval


def elasticity_intervals(demand: CatalogDemand) -> pl.DataFrame | None:
    """Return segment_id, category_id, elasticity (the mean over the posterior's draws), low and high (90 % interval).

    The elasticity of a category is the mean over its products on the shelf, weighted with their purchases, at today's
    prices. Returns None without a posterior; categories without draws are left out.
    """
    if demand.artefact.posterior is None:
        return None
    problem = demand.problem
    category_id = demand.products["category_id"].rle().struct.field("value")
    draws = posterior_draws(demand.artefact, category_id)
    last = len(category_id)
    found = expected_outcomes(
        problem.demand.tile(0, len(problem.products.today)),
        problem.pricing_inputs(0, last),
        draws,
        problem.products.today[:, None],
        "category_elasticity",
    ).category_elasticity
    category, segment = (index.ravel() for index in np.indices(found.shape[1:]))
    table = pl.DataFrame(
        {
            "segment_id": problem.segments.segment_id.gather(segment),
            "category_id": category_id.gather(category),
            **{name: found[i].ravel() for i, name in enumerate(("elasticity", "low", "high"))},
            "is_drawn": np.repeat(draws.row >= 0, found.shape[2]),
        }
    )
    return table.filter(pl.col("is_drawn") & pl.col("elasticity").is_not_nan()).drop("is_drawn")


def category_intervals(cells: pl.DataFrame, posterior: pl.DataFrame) -> pl.DataFrame:
    """Return category_id, posterior_low, posterior_high: 90 % interval of each category's mean elasticity.

    cells: from CatalogDemand.elasticities, the mean is weighted with their purchases. posterior: the artefact's. Each
    draw is taken to scale a segment's elasticities by the same factor as its sensitivity, which nearly holds where most
    occasions buy nothing.
    """
    purchases = pl.col("purchases")
    total = (pl.col("elasticity") * purchases).sum()
    segments = cells.group_by("category_id", "segment_id").agg(purchases.sum(), total=total)
    scaled = (pl.col("total") * pl.col("log_deviation").exp()).sum() / purchases.sum()
    drawn = posterior.join(segments, on=["category_id", "segment_id"]).group_by("category_id", "draw").agg(drawn=scaled)
    low, high = (pl.col("drawn").quantile(tail, "linear") for tail in (TAIL, 1 - TAIL))
    return drawn.group_by("category_id").agg(posterior_low=low, posterior_high=high)


def interval_block(intervals: pl.DataFrame) -> dict[str, object]:
    """Return cells, the number of rows (segment × category), and the means of elasticity, low and high over them."""
    means = intervals.select(pl.col("elasticity", "low", "high").mean())
    return {"cells": intervals.height, **means.row(0, named=True)}
