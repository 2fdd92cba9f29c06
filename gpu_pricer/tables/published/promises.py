"""What published versions promise: units, revenue and profit of each product at their prices.

Promises lie in paths.prices/_promises, a file for each run, and stay when the files of old versions go, because the
sales that they are compared with come later. Delta's vacuum passes the folder by because of its underscore.
"""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.tables.artefact import read_info, read_segments
from gpu_pricer.tables.delta_log import open_table, publishing_entries
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.price_table import CENTS, DIGITS, PER_VISITS, signed
from gpu_pricer.tables.published.kept_artefacts import kept_artefact
from gpu_pricer.tables.schemas import category_key
from gpu_pricer.tables.vat import net_share
from gpu_pricer.tables.version.catalog_copy import read_catalog_copy
from gpu_pricer.tables.version.names import CATALOG_COPY, PROMISES, RECORD
from gpu_pricer.tables.version.price_grid import PriceGrid, read_grid
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.stock_record import read_unit_limits, with_served_share

DAY = "day"
"""In Delta's log, of a publication: the day from which its prices are in force."""
EXPECTED = ("expected_units", "expected_profit")
PROMISED = ("units", "revenue", "profit")
"""What a version promises of every product."""


class Promise(NamedTuple):
    """The promise of a version.

    products: product_id (text), category_id, cost, net_share (of the price, after VAT), prices (list of the different
    prices over segments, in cents), and units, revenue and profit of a period for the expected visits, the latter two
    after VAT, of what the stock can serve if the policy limits units to it. period_days, visits: length of a period,
    and the visits expected in it. spread: by category_id, and "" for all together, the relative standard deviation of
    each of PROMISED over the posterior draws; empty where that is not known.
    """

    products: pl.DataFrame
    period_days: int
    visits: float
    spread: dict[str, dict[str, float]]


class InForce(NamedTuple):
    """One publication: its number in Delta's log, run and currency, its first day, and the next one's, None if last."""

    number: int
    run: str
    since: date
    until: date | None
    currency: str


def keep_promise(prices: Path, folder: Path, version: PriceVersion) -> bool:
    """Write what a version in the long layout promises; return False where that is nothing or not known.

    folder: of the version, whose demand must be kept among the versions. What was written of a version of that name
    before, which was not published, is replaced.
    """
    demand, path = kept_artefact(prices, version.artefact), _products_file(prices, version.run)
    for old in (path, _spread_file(prices, version.run)):
        old.unlink(missing_ok=True)
    if version.layout != "long" or not demand.is_dir() or not (folder / RECORD / CATALOG_COPY).is_file():
        return False
    info, (segments, _) = read_info(demand / "demand.json"), read_segments(demand)
    segments = segments.with_columns(signed(segments["segment_id"]))
    products = _promised_products(folder, segments)
    if products.is_empty():
        return False
    products = products.with_columns(
        period_days=pl.lit(info.period_days), visits=pl.lit(float(segments["visits"].sum()))
    )
    path.parent.mkdir(exist_ok=True)
    with replacing_file(path) as fresh:
        write_table(products, fresh)
    return True


def keep_spread(prices: Path, run: str, spread: dict[str, dict[str, float]]) -> None:
    """Write how uncertain the promise of a run is; spread: see Promise."""
    with replacing_file(_spread_file(prices, run)) as fresh:
        fresh.write_text(json.dumps(spread, indent=2) + "\n")


def has_promise(prices: Path, run: str) -> bool:
    """Return whether it was written what a run promises."""
    return _products_file(prices, run).is_file()


def has_spread(prices: Path, run: str) -> bool:
    """Return whether it was written how uncertain the promise of a run is."""
    return _spread_file(prices, run).is_file()


def promise_files(prices: Path, run: str) -> dict[str, Path]:
    """Return by name the files that were written of the promise of a run."""
    files = (_products_file(prices, run), _spread_file(prices, run))
    return {path.name: path for path in files if path.is_file()}


def read_promise(prices: Path, run: str) -> Promise | None:
    """Return the promise of a run, None where none was kept; InputError for a broken file."""
    path, spread = _products_file(prices, run), _spread_file(prices, run)
    if not path.is_file():
        return None
    try:
        table = pl.read_parquet(path)
        if "net_share" not in table.columns:  # written before prices could include VAT
            table = table.with_columns(net_share=pl.lit(1.0))
        known = json.loads(spread.read_text()) if spread.is_file() else {}
        period_days, visits = table.select("period_days", "visits").row(0)
    except (*UNREADABLE, ValueError) as error:
        raise InputError(
            f"{path.parent} must hold whole promises, found: {first_line(error)}: remove the files of {run}"
        ) from error
    return Promise(table.drop("period_days", "visits"), period_days, visits, known)


def publications(prices: Path) -> list[InForce]:
    """Return the publications of the price table, oldest first, from Delta's log.

    A publication is in force from its day to the day before that of the next one; one that is replaced on its own day
    has no day.
    """
    commits = publishing_entries(open_table(prices), prices)
    days = [_day(commit) for commit in commits]
    ends = [*days[1:], None][: len(days)]
    return [
        InForce(commit["version"], commit["run"], since, until, commit.get("currency", ""))
        for commit, since, until in zip(commits, days, ends, strict=True)
    ]


def _day(commit: dict) -> date:
    if DAY in commit:
        return date.fromisoformat(commit[DAY])
    return datetime.fromtimestamp(commit["timestamp"] / 1000, UTC).date()


def _promised_products(folder: Path, segments: pl.DataFrame) -> pl.DataFrame:
    """Return the products of Promise, those with expected units alone."""
    sums = pl.concat(
        _sums(grid, segments, folder)
        for path in sorted(folder.glob("*.parquet"))
        for _, grid in read_grid(path, EXPECTED).parts()
    )
    catalog = read_catalog_copy(folder)
    catalog = catalog.select("product_id", category_key(), "cost", net_share(catalog))
    sums = with_served_share(sums.filter(pl.col("units") > 0), read_unit_limits(folder / RECORD))
    sums = sums.with_columns(pl.col(PROMISED) * pl.col("served")).drop("served")
    found = catalog.join(sums, on="product_id").cast({"product_id": pl.String})
    found = found.with_columns(pl.col("revenue") * pl.col("net_share"))
    return found.with_columns(pl.col(PROMISED).round_sig_figs(DIGITS)).sort("product_id")


def _sums(grid: PriceGrid, segments: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """Return product_id, prices and PROMISED of Promise for the products of a grid, before what stock can serve."""
    if grid.segment_id.dtype != segments.schema["segment_id"]:
        raise InputError(
            f"{folder} must have segments of the type {segments.schema['segment_id']} as in its demand artefact, found "
            f"{grid.segment_id.dtype}: score again"
        )
    visits = grid.segment_id.to_frame().join(segments, on="segment_id", how="left", maintain_order="left")["visits"]
    of_period = visits.fill_null(0.0).to_numpy() / PER_VISITS
    price, (units, profit) = grid.price, (grid.values(name) for name in EXPECTED)
    sold = units * of_period
    return pl.DataFrame(
        {
            "product_id": grid.product_id,
            "prices": _different(price),
            "units": sold.sum(axis=1),
            "revenue": (sold * price).sum(axis=1) / CENTS,
            "profit": (profit * of_period).sum(axis=1),
        }
    )


def _different(price: np.ndarray) -> pl.Series:
    """Return the different ones of each product's prices [P, S], ascending, as a list for each product [P]."""
    ascending = np.sort(price, axis=1)
    is_first = np.diff(ascending, axis=1, prepend=-1) != 0
    ends = np.cumsum(np.count_nonzero(is_first, axis=1))
    offsets = np.concatenate([[0], ends])
    return pl.Series(pa.LargeListArray.from_arrays(offsets, ascending[is_first]))


def _products_file(prices: Path, run: str) -> Path:
    return prices / PROMISES / f"{run}.parquet"


def _spread_file(prices: Path, run: str) -> Path:
    return prices / PROMISES / f"{run}.json"
