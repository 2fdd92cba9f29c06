"""How far the artefact's posterior leaves the elasticities of its segments open, category by category."""

import numpy as np
import polars as pl

from gpu_pricer.evaluation.catalog_demand import CatalogDemand
from gpu_pricer.policy.uncertainty import posterior_draws
from kernels import expected_outcomes


def elasticity_intervals(demand: CatalogDemand) -> pl.DataFrame | None:
    """segment_id, category_id, elasticity, low, high: mean over the posterior's draws, and ends of a 90 % interval.

    The elasticity of a category is that of its products on the shelf, by their purchases, at today's prices. None
    without a posterior; categories without draws are left out.
    """
    if demand.artefact.posterior is None:
        return None
    problem = demand.problem
    category_id = demand.products["category_id"].rle().struct.field("value")
    draws = posterior_draws(demand.artefact, category_id)
    last = len(category_id)
    found = expected_outcomes(
        problem.demand.tile(0, len(problem.today)), problem.offer(0, last), draws, problem.today[:, None], "average"
    ).average
    category, segment = (index.ravel() for index in np.indices(found.shape[1:]))
    table = pl.DataFrame(
        {
            "segment_id": problem.segment_id.gather(segment),
            "category_id": category_id.gather(category),
            **{name: found[i].ravel() for i, name in enumerate(("elasticity", "low", "high"))},
            "is_drawn": np.repeat(draws.row >= 0, found.shape[2]),
        }
    )
    return table.filter(pl.col("is_drawn") & pl.col("elasticity").is_not_nan()).drop("is_drawn")


def interval_block(intervals: pl.DataFrame) -> dict[str, object]:
    """cells, the segments × categories there are, and the mean of their elasticities and of their intervals' ends."""
    means = intervals.select(pl.col("elasticity", "low", "high").mean())
    return {"cells": intervals.height, **means.row(0, named=True)}
