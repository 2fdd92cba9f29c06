"""The history of today's prices: since when each product has had which price, as the runs found it in the catalog.

Each version of the price table keeps the history in its record and carries it on from the version that was current
when it was scored. So the history needs no old versions, whose files `publish` removes.

The history tells prices that were published from prices that the shop set itself, such as a markdown. A new price in
the catalog is the shop's own if it lies outside the range of what the catalog and the published versions said of the
product since the shop last set a price, as far back as the history reaches, by more than ROUNDING. The range is over
the segments, since the catalog has one price of a product, whichever segment's that is; and it is over all versions of
that time, since the shop may apply a price late, in part, or not at all.

Two laws follow. Moves of published prices do not add up over nights if the shop changes each by at most ROUNDING, up or
down, when it applies them. A price that lies further than ROUNDING from the whole range is a new anchor, so a markdown
of 15 % below the range always is. The limit of the rule: a change by the shop that ends within ROUNDING of the range is
taken for a published price, and the anchor stays. After a version that lowered a price by 10 %, this holds for a
markdown of up to 19 % from the price before.

The range knows the versions in the chain of records alone, not one that was taken back. After a rollback a price that
only the version taken back had published is the shop's own if it lies further than ROUNDING from the others.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.price_table import collect_prices, scan_prices
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.price_grid import price_names
from gpu_pricer.tables.version.seal import has_file
from gpu_pricer.tables.version.version_record import read_version

HISTORY = "price_history.parquet"

ROUNDING = 0.10
"""A new price so far, as a share, beyond what was published is still a published one: shops round to their endings.

Were it less than the shop's rounding, each night's rounded price would be a new anchor, and moves would add up: with
0.03, moves of 10 % and a shop that makes every price 3.5 % dearer, 100 became 416 in 11 nights. Endings of .09 to .99
lie up to 9 % above a price of 1.00 or more; on cheaper goods, or with wider endings, moves can still add up. ROUNDING
holds on both sides of the range: a shop that makes all prices dearer does so too where a version lowers or keeps one. A
price that is hidden so lies in a window of 10 % around its anchor, as in policy=balanced, unless versions moved it.
"""

OWN, LEAST, MOST = "is_own", "least_published", "most_published"
"""Columns of a history beside product_id, price and since: whether the shop itself set the price, and the lowest and
the highest price that versions set for any segment while it was today's price, null where none did."""


class EarlierPrices(NamedTuple):
    """The prices up to an earlier version.

    history: product_id, price, since, and OWN, LEAST and MOST if known. day: the day on which the version's prices were
    set; no price is known since later.
    """

    history: pl.DataFrame
    day: date


def earlier_prices(folder: Path) -> EarlierPrices:
    """Return the prices up to the version in a folder, its own prices as published ones.

    A version without a history of its own says only what the prices were on its day.
    """
    day, history = date.fromisoformat(read_version(folder).day), recorded_history(folder)
    if history is None:
        price = pl.col("today_price").cast(pl.Float64).alias("price")
        known = collect_prices(scan_prices(folder).select("product_id", price).unique("product_id"), folder)
        history = known.with_columns(since=pl.lit(day))
    return EarlierPrices(with_published(history, _published_range(folder)), day)


def with_published(history: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    """Return the history with the prices that a version set while each product's last price was today's.

    published: product_id, and LEAST and MOST over the segments.
    """
    rows = _complete(history).sort("product_id", "since")
    found = rows.join(
        published.cast({"product_id": rows.schema["product_id"]}, strict=False),
        on="product_id", how="left", maintain_order="left", suffix="_new",
    )  # fmt: skip
    is_last = (pl.col("product_id") != pl.col("product_id").shift(-1)).fill_null(True)
    return found.with_columns(
        pl.when(is_last).then(pl.min_horizontal(LEAST, f"{LEAST}_new")).otherwise(LEAST).alias(LEAST),
        pl.when(is_last).then(pl.max_horizontal(MOST, f"{MOST}_new")).otherwise(MOST).alias(MOST),
    ).select(rows.columns)


def _published_range(folder: Path) -> pl.DataFrame:
    """Return product_id, and LEAST and MOST of the prices of the version in a folder."""
    prices = scan_prices(folder)
    names = [pl.col(name).cast(pl.Float64) for name in price_names(prices.collect_schema().names())]
    cells = prices.select("product_id", pl.min_horizontal(names).alias(LEAST), pl.max_horizontal(names).alias(MOST))
    return collect_prices(cells.group_by("product_id").agg(pl.col(LEAST).min(), pl.col(MOST).max()), folder)


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

    earlier: from earlier_prices; what it says of the day itself, or of later days, is replaced. Prices that were
    replaced more than `days` days before are left out. InputError where ids are of another kind than before, and for a
    day that lies so long before the earlier version's that this one left out what is asked for.
    """
    if earlier is not None and (earlier.day - day).days > days:
        raise InputError(
            f"day must not lie more than {days} days before {earlier.day}, the day of the published prices, found "
            f"{day}: set the right day, or roll back what was published for a wrong one"
        )
    today = catalog.select("product_id", pl.col("price").round(2), since=pl.lit(day))
    before = _complete(today.clear() if earlier is None else _with_ids_of(earlier.history, catalog))
    known, replaced = before.filter(pl.col("since") < day), before.filter(pl.col("since") >= day)
    again = replaced.group_by("product_id").agg(pl.col(OWN).any(), pl.col(LEAST).min(), pl.col(MOST).max())
    today = today.join(again, on="product_id", how="left").join(_own_range(known), on="product_id", how="left")
    least, most = pl.min_horizontal("least", LEAST), pl.max_horizontal("most", MOST)
    is_beyond = (pl.col("price") < least * (1 - ROUNDING)) | (pl.col("price") > most * (1 + ROUNDING))
    today = today.with_columns(pl.col(OWN).fill_null(False) | is_beyond.fill_null(False))
    rows = pl.concat([known, today.select(known.columns)]).sort("product_id", "since")
    product, price = pl.col("product_id"), pl.col("price")
    is_same = ((product == product.shift()) & (price == price.shift())).fill_null(False)
    stays = is_same.shift(-1).fill_null(False)
    rows = rows.with_columns(
        pl.when(stays).then(pl.min_horizontal(LEAST, pl.col(LEAST).shift(-1))).otherwise(LEAST).alias(LEAST),
        pl.when(stays).then(pl.max_horizontal(MOST, pl.col(MOST).shift(-1))).otherwise(MOST).alias(MOST),
        is_same=is_same,
    )
    rows = rows.filter(~pl.col("is_same")).drop("is_same")
    until = pl.when(product == product.shift(-1)).then(pl.col("since").shift(-1))
    rows = rows.with_columns(until=until)
    is_needed = pl.col("until").is_null() | (pl.col("until") > day - timedelta(days))
    return rows.filter(is_needed).drop("until")


def anchor_prices(history: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return product_id and price of each product on a day, or the price that the shop itself set last since then.

    So moves between published prices do not add up over many nights, and a shop's own markdown is not undone.
    """
    return prices_on(_since_own(_complete(history)), day)


def prices_on(history: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return product_id and price of each product on a day; where the history begins later, its first price."""
    known = pl.col("price").filter(pl.col("since") <= day).last()
    ordered = history.sort("product_id", "since")
    return ordered.group_by("product_id", maintain_order=True).agg(pl.coalesce(known, pl.col("price").first()))


def days_since_change(history: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return product_id and days since the product's last change of price, null where the history has none."""
    last = pl.when(pl.len() > 1).then(pl.col("since").max())
    return history.group_by("product_id").agg(days=(pl.lit(day) - last).dt.total_days())


def _complete(history: pl.DataFrame) -> pl.DataFrame:
    """Return the history with all columns; one of an earlier release knows no published prices."""
    unknown = {OWN: pl.lit(False), LEAST: pl.lit(None, pl.Float64), MOST: pl.lit(None, pl.Float64)}
    history = history.with_columns(value.alias(name) for name, value in unknown.items() if name not in history.columns)
    return history.select("product_id", "price", "since", *unknown)


def _since_own(history: pl.DataFrame) -> pl.DataFrame:
    """Return each product's prices from the last one on that the shop itself set, all of them where it set none."""
    last = pl.col("since").filter(OWN).max().over("product_id")
    return history.filter((pl.col("since") >= last).fill_null(True))


def _own_range(history: pl.DataFrame) -> pl.DataFrame:
    """Return product_id, least and most: of today's and of the published prices since the shop itself set one."""
    return (
        _since_own(history)
        .group_by("product_id")
        .agg(
            least=pl.min_horizontal(pl.col("price").min(), pl.col(LEAST).min()),
            most=pl.max_horizontal(pl.col("price").max(), pl.col(MOST).max()),
        )
    )


def _with_ids_of(history: pl.DataFrame, catalog: pl.DataFrame) -> pl.DataFrame:
    dtype = catalog.schema["product_id"]
    try:
        return history.with_columns(pl.col("product_id").cast(dtype))
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"product_id must be of the kind that the published prices have ({history.schema['product_id']}), "
            f"found {dtype}: write the catalog's ids as before, or point paths.prices at another folder"
        ) from error
