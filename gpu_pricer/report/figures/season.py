"""What the season does to each category in the priced period, with intervals."""

from typing import Any, NamedTuple

import polars as pl

MOST_CATEGORIES = 12


class SeasonFigures(NamedTuple):
    """What the page says of the season: how many categories it surely lifts and lowers, of how many, and the largest.

    rows: of a chart of intervals, see charts.intervals, in % of the odds of a purchase against a mean period.
    """

    lifted: int
    lowered: int
    categories: int
    rows: list[dict[str, Any]]


def season_figures(categories: pl.DataFrame | None, rows: pl.DataFrame) -> SeasonFigures | None:
    """Return the figures of the artefact's categories; None where the artefact does not have them.

    rows: product_figures. The largest seasons are those that move the most units: a category's units × its change.
    """
    if categories is None or categories.is_empty():
        return None
    units = rows.group_by("category_id").agg(pl.col("units").sum())
    effects = ("season", "season_low", "season_high")
    found = categories.join(units, on="category_id", how="inner").with_columns(
        (100 * (pl.col(name).exp() - 1)).alias(name) for name in effects
    )
    if found.is_empty():
        return None
    largest = found.sort((pl.col("units") * pl.col("season")).abs(), "category_id", descending=[True, False])
    shown = largest.head(MOST_CATEGORIES).sort("season", descending=True)
    names = {"name": "category_id", "value": "season", "low": "season_low", "high": "season_high"}
    return SeasonFigures(
        lifted=found.filter(pl.col("season_low") > 0).height,
        lowered=found.filter(pl.col("season_high") < 0).height,
        categories=found.height,
        rows=shown.select(which=pl.lit(""), **names).to_dicts(),
    )
