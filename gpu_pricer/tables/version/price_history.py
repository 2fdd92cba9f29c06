"""The history of today's prices: since when each product has had which price, as the runs found it in the catalog.

Each version of the price table keeps the history in its record and carries it on from the version that was current
when it was scored. So the history needs no old versions, whose files `publish` removes.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.price_table import collect_prices, scan_prices
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.seal import has_file
from gpu_pricer.tables.version.version_record import read_version

HISTORY = "price_history.parquet"


class EarlierPrices(NamedTuple):
    """The prices up to an earlier version.

    history: product_id, price, since. day: the day on which the version's prices were set; no price is known since
    later.
    """

    history: pl.DataFrame
    day: date


def published_history(prices: Path) -> EarlierPrices | None:
    """Return the prices up to the published version, None if nothing is published.

    A version without a history of its own says only what the prices were on its day.
    """
    run = current_run(prices)
    if run is None:
        return None
    folder = prices / run
    day, recorded = date.fromisoformat(read_version(folder).day), recorded_history(folder)
    if recorded is not None:
        return EarlierPrices(recorded, day)
    price = pl.col("today_price").cast(pl.Float64).alias("price")
    known = collect_prices(scan_prices(folder).select("product_id", price).unique("product_id"), folder)
    return EarlierPrices(known.with_columns(since=pl.lit(day)), day)


def recorded_history(folder: Path) -> pl.DataFrame | None:
    """Return the history that the version in a folder was scored with, None if it was scored without one.

    Raise InputError if the file cannot be read, or if it is lost.
    """
    path = folder / RECORD / HISTORY
    if not has_file(folder, f"{RECORD}/{HISTORY}"):
        return None
    try:
        return pl.read_parquet(path)
    except UNREADABLE as error:
        raise InputError(
            f"{path} must be readable, found: {first_line(error)}; restore it, or roll back to a version before"
        ) from error


def write_history(history: pl.DataFrame, folder: Path) -> None:
    """Write the history into the record of the version in a folder."""
    with replacing_file(folder / RECORD / HISTORY) as fresh:
        write_table(history, fresh)


def continued_history(earlier: EarlierPrices | None, catalog: pl.DataFrame, day: date, days: int) -> pl.DataFrame:
    """Return the history with the catalog's prices of a day, a row per product and price, sorted by product and day.

    earlier: from published_history; what it says of the day itself, or of later days, is replaced. Prices that were
    replaced more than `days` days before are left out. InputError where ids are of another kind than before, and for a
    day that lies so long before the earlier version's that this one left out what is asked for.
    """
    if earlier is not None and (earlier.day - day).days > days:
        raise InputError(
            f"day must not lie more than {days} days before {earlier.day}, the day of the published prices, found "
            f"{day}: set the right day, or roll back what was published for a wrong one"
        )
    today = catalog.select("product_id", pl.col("price").round(2), since=pl.lit(day))
    known = today.clear() if earlier is None else _with_ids_of(earlier.history, catalog).filter(pl.col("since") < day)
    rows = pl.concat([known, today]).sort("product_id", "since")
    product, price = pl.col("product_id"), pl.col("price")
    is_same = (product == product.shift()) & (price == price.shift())
    rows = rows.filter(~is_same.fill_null(False))
    until = pl.when(product == product.shift(-1)).then(pl.col("since").shift(-1))
    rows = rows.with_columns(until=until)
    is_needed = pl.col("until").is_null() | (pl.col("until") > day - timedelta(days))
    return rows.filter(is_needed).drop("until")


def prices_on(history: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return product_id and price of each product on a day; where the history begins later, its first price."""
    known = pl.col("price").filter(pl.col("since") <= day).last()
    ordered = history.sort("product_id", "since")
    return ordered.group_by("product_id", maintain_order=True).agg(pl.coalesce(known, pl.col("price").first()))


def days_since_change(history: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return product_id and days since the product's last change of price, null where the history has none."""
    last = pl.when(pl.len() > 1).then(pl.col("since").max())
    return history.group_by("product_id").agg(days=(pl.lit(day) - last).dt.total_days())


def _with_ids_of(history: pl.DataFrame, catalog: pl.DataFrame) -> pl.DataFrame:
    dtype = catalog.schema["product_id"]
    try:
        return history.select(pl.col("product_id").cast(dtype), "price", "since")
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"product_id must be of the kind that the published prices have ({history.schema['product_id']}), "
            f"found {dtype}: write the catalog's ids as before, or point paths.prices at another folder"
        ) from error
