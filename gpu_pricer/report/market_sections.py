"""The sections on what surrounds the prices: the frontier, the stock, competitors and the season."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from gpu_pricer.report import charts
from gpu_pricer.report.figures.competitor import CompetitorFigures, competitor_figures
from gpu_pricer.report.figures.frontier import FrontierFigures, frontier_figures
from gpu_pricer.report.figures.season import SeasonFigures, season_figures
from gpu_pricer.report.figures.stock import StockFigures, stock_figures
from gpu_pricer.report.scored import Scored


class Market(NamedTuple):
    """What the report reads of the surroundings.

    frontiers: their tables by measure; frontier_obstacle: why there can be none, None where there can. shop: product_id
    and the shop_columns that there are. stock_prices: of the version's record, None without limits per product.
    has_competitors_in_log: whether the log has competitors' past prices.
    """

    frontiers: Mapping[str, pl.DataFrame]
    frontier_obstacle: str | None
    shop: pl.DataFrame
    stock_prices: pl.DataFrame | None
    has_competitors_in_log: bool


class MarketSections(NamedTuple):
    """What the templates read of the surroundings; None where there is nothing to say."""

    frontiers: list[FrontierFigures]
    stock: StockFigures | None
    competitors: CompetitorFigures | None
    season: SeasonFigures | None


def market_sections(
    scored: Scored, market: Market, certificate: dict[str, Any], rows: pl.DataFrame, most: int
) -> MarketSections:
    """Return the sections of a version; rows: product_figures with shop figures; most: rows of each table."""
    objective, version = scored.policy.objective, scored.version
    period = scored.artefact.info.period_days
    return MarketSections(
        frontiers=[
            frontier_figures(name, table, version.tally, objective, version.after_vat)
            for name, table in market.frontiers.items()
        ],
        stock=stock_figures(rows, certificate, market.stock_prices, period, most),
        competitors=competitor_figures(rows, most),
        season=season_figures(scored.artefact.categories, rows),
    )


def market_charts(found: MarketSections, currency: str) -> dict[str, dict[str, Any]]:
    """Return the specifications of the charts of the sections, by the id of their place on the page."""
    drawn = {}
    for one in found.frontiers:
        titles = (f"{one.measure} against today, in {one.unit}", f"{one.objective} against today, in {currency}")
        drawn[one.key] = charts.frontier(one.points, one.marks, titles)
    if found.stock is not None:
        drawn["cover"] = charts.cover_bars(found.stock.cover)
    if found.season is not None:
        drawn["season"] = charts.intervals(
            found.season.rows, "Odds of a purchase against a mean period, in %", ("", "")
        )
    return drawn
