"""How the prices stand beside a competitor's, over the assortment and by category."""

from typing import Any, NamedTuple

import polars as pl

from gpu_pricer.report.figures.shop import COMPETITOR
from gpu_pricer.report.scored import HALF_CENT


class CompetitorFigures(NamedTuple):
    """What the page says of the competitor: a row over all products that both have, and one per category.

    Rows: products; today, index: what the units sold cost against the competitor's prices, at today's and at the new
    prices; above, below: shares of the products dearer and cheaper than there. Those of categories also have group;
    the categories with the most revenue come first.
    """

    together: dict[str, Any]
    categories: list[dict[str, Any]]


def competitor_figures(rows: pl.DataFrame, most: int) -> CompetitorFigures | None:
    """Return the figures of product_figures with shop figures, of the `most` categories; None without such prices."""
    both = rows.filter(pl.col(COMPETITOR) > 0)
    if both.is_empty():
        return None
    price, competitor, units = pl.col("price"), pl.col(COMPETITOR), pl.col("units")
    there = (competitor * units).sum()
    sums = [
        pl.len().alias("products"),
        pl.when(there > 0).then((pl.col("today") * units).sum() / there).alias("today"),
        pl.when(there > 0).then((price * units).sum() / there).alias("index"),
        (price > competitor + HALF_CENT).mean().alias("above"),
        (price < competitor - HALF_CENT).mean().alias("below"),
        (price * units).sum().alias("revenue"),
    ]
    by_category = both.group_by(group="category_id").agg(sums).sort("revenue", "group", descending=[True, False])
    return CompetitorFigures(both.select(sums).row(0, named=True), by_category.head(most).to_dicts())
