"""What the products on the shelf sold lately, which tells how far the units that a demand expects can be trusted."""

from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.tables.canonical import read_summary
from gpu_pricer.tables.priced_products import read_catalog
from gpu_pricer.tables.schemas import has_unit_price

PERIODS = 4
"""Last whole periods whose mean counts: so many also give a priced period its visitors and promotions by default."""


class RecentSales(NamedTuple):
    """Units sold per period, and the mean of the prices paid over today's prices, weighted by these units."""

    units: float
    price_ratio: float


def recent_sales(data: Path, catalog: Path) -> RecentSales | None:
    """Return what the priced products on the shelf sold in the last PERIODS whole periods.

    data: the folder of canonical tables. catalog: the file of the products, their prices of today and availability.
    None where the folder has no sales of so many periods, or the catalog leaves availabilities to the demand.
    """
    summary, sales = read_summary(data), data / "sales.parquet"
    if summary is None or not sales.is_file() or summary["periods"] < PERIODS:
        return None
    end = date.fromisoformat(summary["last_period"]) + timedelta(days=summary["period_days"])
    first = end - PERIODS * timedelta(days=summary["period_days"])
    priced = read_catalog(catalog)
    if "availability" not in priced.columns or priced["availability"].null_count():
        return None
    product = pl.col("product_id").cast(pl.String)
    is_compared = (pl.col("availability") > 0) & has_unit_price(priced)
    on_shelf = priced.filter(is_compared).select(product, today=pl.col("price").cast(pl.Float64))
    days = pl.scan_parquet(sales).filter(pl.col("day") >= first, pl.col("day") < end)
    sold = days.with_columns(product).join(on_shelf.lazy(), on="product_id")
    units = pl.col("units")
    total, paid, today = (
        sold.select(units.sum(), paid=(units * pl.col("price")).sum(), today=(units * pl.col("today")).sum())
        .collect()
        .row(0)
    )
    return RecentSales(float(total) / PERIODS, float(paid) / float(today) if today > 0 else 1.0)
