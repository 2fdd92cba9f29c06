"""The last lines of a run: where the prices are, the profit they are expected to earn, and how to read them."""

from pathlib import Path

import polars as pl

from gpu_pricer.tables.price_version import PriceVersion, read_version
from gpu_pricer.tables.published_table import current_run, published_runs
from gpu_pricer.tables.publishing import CURRENT


def closing_lines(prices: Path, catalog: Path) -> list[str]:
    """Return the lines on the version published in `prices`, scored from the catalog; empty without a version."""
    run = current_run(prices)
    if run is None:
        return []
    version, number = read_version(prices / run), published_runs(prices)[run]
    products, rows = version.tally.products, version.tally.rows
    return [
        "",
        f"The price table is version {number} of {prices.resolve()}",
        f"  {products:,} products x {version.segments:,} segments = {rows:,} prices in {version.currency}, "
        f"{version.tally.moved / (rows or 1):.0%} of them other than today's",
        *_beyond_moves(version),
        *_promised_profit(version, catalog),
        "",
        "Read it with Polars, pandas or DuckDB:",
        *(f"  {snippet}" for snippet in reading_snippets(prices.resolve())),
    ]


def reading_snippets(prices: Path) -> list[str]:
    """Return a line of Python for Polars, pandas and DuckDB each; it reads the whole current version."""
    current = prices / CURRENT
    query = "select * from read_parquet('{}')".format(str(current / "*.parquet").replace("'", "''"))
    return [
        f"import polars as pl; prices = pl.scan_delta({str(prices)!r}).collect()",
        f"import pandas as pd; prices = pd.read_parquet({str(current)!r})",
        f"import duckdb; prices = duckdb.sql({query!r})",
    ]


def _beyond_moves(version: PriceVersion) -> list[str]:
    """Return the line on the prices beyond a limit on the move from today's price, none if there are none."""
    count = version.tally.beyond_moves
    if not count:
        return []
    return [
        f"  {count:,} of them beyond a move limit, because a given cost (or a list price, ceiling or floor) demands "
        "it: see the bindings max_…_broken"
    ]


def _promised_profit(version: PriceVersion, catalog: Path) -> list[str]:
    """Return the lines on the expected profit, and on how many costs are assumed."""
    tally = version.tally
    today, new = (f"{profit:,.2f} {version.currency}" for profit in (tally.profit_today, tally.profit_new))
    gain = f" ({tally.profit_new / tally.profit_today - 1:+.1%})" if tally.profit_today > 0 else ""
    lines = [
        f"  expected profit per period {new}, at today's prices {today}{gain}:",
        "  the demand model's own estimate of its own prices, not a measured gain; try some of them first",
    ]
    assumed = _assumed_costs(catalog)
    if assumed:
        lines.append(
            f"  the cost of {assumed:,} products is assumed, a configured share of their price "
            "(data.catalog.cost_ratio): profit and prices stand or fall with it"
        )
    return lines


def _assumed_costs(catalog: Path) -> int:
    table = pl.read_parquet(catalog)
    if "cost_source" not in table.columns:
        return 0
    return table.filter(pl.col("cost_source").cast(pl.String) == "assumed").height
