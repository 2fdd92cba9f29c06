"""What a whole run says at its end: where the prices are, what they promise, and how to read them."""

from pathlib import Path

import polars as pl

from gpu_pricer.tables.price_version import PriceVersion, read_version
from gpu_pricer.tables.publishing import CURRENT, current_run, published_runs


def closing_lines(prices: Path, catalog: Path) -> list[str]:
    """The lines about the version that is published in prices, scored from the catalog."""
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
        *_promise(version, catalog),
        "",
        "Read it with Polars, pandas or DuckDB:",
        *(f"  {snippet}" for snippet in reading_snippets(prices.resolve())),
    ]


def reading_snippets(prices: Path) -> list[str]:
    """One line of Python per reader, each of the whole current version."""
    current = prices / CURRENT
    query = "select * from read_parquet('{}')".format(str(current / "*.parquet").replace("'", "''"))
    return [
        f"import polars as pl; prices = pl.scan_delta({str(prices)!r}).collect()",
        f"import pandas as pd; prices = pd.read_parquet({str(current)!r})",
        f"import duckdb; prices = duckdb.sql({query!r})",
    ]


def _promise(version: PriceVersion, catalog: Path) -> list[str]:
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
