"""The segments: how large they are, what they buy, how they answer prices, and what prices they get."""

import polars as pl

from gpu_pricer.report.figures.demand import DemandFigures
from gpu_pricer.report.scored import Scored
from gpu_pricer.tables.price_table import collect_prices

FAVOURITES = 3
"""Categories named of each segment: those with the largest share of its units over that in all units."""

LEAST_SHARE = 0.002
"""Share of a segment's units from which a category can be a favourite."""


def segment_figures(scored: Scored, demand: DemandFigures) -> pl.DataFrame:
    """Return a row per segment, the one with the most visits first.

    Columns: segment_id, visits (of a period), users (null without user_segments), price_index (revenue over that of the
    same units at today's prices), raised, lowered (shares of its prices on the shelf, null without any), units, profit
    (of a period), elasticity (mean over its units, null without units), favourites (category names, joined).
    """
    price, today, units = pl.col("price"), pl.col("today_price"), pl.col("units")
    is_on_shelf = pl.col("product_id").is_in(scored.on_shelf["product_id"].implode())
    sums = scored.cells().group_by("segment_id").agg(
        raised=(price > today).filter(is_on_shelf).mean(),
        lowered=(price < today).filter(is_on_shelf).mean(),
        units=units.sum(),
        profit=pl.col("profit").sum(),
        price_index=(units * price).sum() / (units * today).sum(),
    ).pipe(collect_prices, scored.folder)  # fmt: skip
    response = pl.DataFrame({"segment_id": scored.problem.segments.segment_id, "elasticity": demand.by_segment})
    visits = scored.artefact.segments.select("segment_id", "visits")
    rows = visits.join(sums, on="segment_id", how="left").join(_users(scored), on="segment_id", how="left")
    rows = rows.join(_favourites(scored), on="segment_id", how="left").join(response, on="segment_id", how="left")
    finite = pl.col("elasticity", "price_index").fill_nan(None)
    return rows.with_columns(finite, pl.col("favourites").fill_null("")).sort(
        "visits", "segment_id", descending=[True, False]
    )


def _users(scored: Scored) -> pl.DataFrame:
    members = scored.artefact.user_segments
    if members is None:
        return scored.artefact.segments.select("segment_id", users=pl.lit(None, pl.UInt32))
    return members.group_by("segment_id").agg(users=pl.len())


def _favourites(scored: Scored) -> pl.DataFrame:
    """Return segment_id and the names of its favourite categories."""
    categories = scored.products.select("product_id", "category_id").lazy()
    bought = scored.cells().join(categories, on="product_id").group_by("segment_id", "category_id").agg(
        pl.col("units").sum()
    ).pipe(collect_prices, scored.folder)  # fmt: skip
    own = pl.col("units") / pl.col("units").sum().over("segment_id")
    everyone = pl.col("units").sum().over("category_id") / pl.col("units").sum()
    ranked = bought.with_columns(own=own, lift=own / everyone).filter(pl.col("own") >= LEAST_SHARE, pl.col("lift") > 1)
    ranked = ranked.sort("lift", "category_id", descending=[True, False])
    return ranked.group_by("segment_id").agg(favourites=pl.col("category_id").head(FAVOURITES).str.join(", "))
