"""Intervals of the elasticities of segments, categories and the catalog, from the posterior of a demand artefact."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.pricing.drawn_outcomes import DrawnResponse, drawn_responses
from gpu_pricer.pricing.problem.posterior_draws import posterior_draws
from kernels import INTERVAL_ENDS


@dataclass(frozen=True)
class ElasticityIntervals:
    """Own-price elasticities of units at today's prices, with 90 % intervals: quantiles over the posterior's draws.

    Each is a mean over products on the shelf, weighted with their purchases in the draw.
    cells: segment_id, category_id, elasticity (the mean over the draws), low and high, without the categories that have
    no draws. categories: category_id, posterior_low and posterior_high of all segments, of the same categories.
    catalog: elasticity, low and high of all products and segments.
    """

    cells: pl.DataFrame
    categories: pl.DataFrame
    catalog: dict[str, float]

    def block(self) -> dict[str, float]:
        """Return the block interval_90 of metrics.json: the catalog's, and cells, the number of segment × category."""
        return {"cells": self.cells.height, **self.catalog}


def elasticity_intervals(demand: CatalogDemand) -> ElasticityIntervals | None:
    """Return the intervals of a demand on its catalog, None without a posterior."""
    if demand.artefact.posterior is None:
        return None
    problem = demand.problem
    category_id = demand.products["category_id"].rle().struct.field("value")
    draws = posterior_draws(demand.artefact, category_id)
    cells, categories, sums = [], [], np.zeros((2, draws.factor.shape[2]))
    for tile in drawn_responses(problem, draws, problem.products.today[:, None]):
        cells.append(_quantiles(tile))
        together = DrawnResponse(*(values @ problem.segments.visits for values in tile))
        categories.append(_quantiles(together)[1:])
        sums += [values.sum(axis=1) for values in together]
    category, segment = (i.ravel() for i in np.indices((len(category_id), len(problem.segments.visits))))
    is_drawn = pl.col("category_id").is_in(category_id.filter(draws.row >= 0).implode())
    by_cell = _table(
        {"segment_id": problem.segments.segment_id.gather(segment), "category_id": category_id.gather(category)},
        dict(zip(("elasticity", "low", "high"), np.concatenate(cells, axis=1), strict=True)),
    )
    by_category = _table(
        {"category_id": category_id},
        dict(zip(("posterior_low", "posterior_high"), np.concatenate(categories, axis=1), strict=True)),
    )
    catalog = _quantiles(DrawnResponse(*sums)).tolist()
    return ElasticityIntervals(
        cells=by_cell.filter(is_drawn),
        categories=by_category.filter(is_drawn),
        catalog=dict(zip(("elasticity", "low", "high"), catalog, strict=True)),
    )


def _table(keys: dict[str, pl.Series], values: dict[str, np.ndarray]) -> pl.DataFrame:
    """Return the rows of the keys [n] whose values [n], in the order of the keys, are not NaN."""
    table = pl.DataFrame(keys | {name: value.ravel() for name, value in values.items()})
    return table.filter(pl.all_horizontal(pl.col(*values).is_not_nan()))


def _quantiles(drawn: DrawnResponse) -> np.ndarray:
    """Return response over choices [3, ...], its mean over the draws and its interval; NaN without choices."""
    is_bought = drawn.choices > 0
    elasticity = np.divide(drawn.response, drawn.choices, out=np.full(drawn.choices.shape, np.nan), where=is_bought)
    return np.concatenate([elasticity.mean(axis=0, keepdims=True), np.quantile(elasticity, INTERVAL_ENDS, axis=0)])
