"""Prices set by hand, which no rule overrules: a table of product, optional segment, price and optional note."""

import logging
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.tables.spreadsheet import read_spreadsheet, with_decimal_point, zeros_hint
from kernels import PRICE_LIMIT

NO_SEGMENT = -1
"""The position of the segment of an override that holds for all segments."""

MOST_ROUNDING = 1e-6
"""The most, in cents, by which binary fractions may move a price away from whole cents."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Overrides:
    """n prices set by hand, sorted by product, then segment.

    product, segment int64 [n]: positions in the pricing problem; NO_SEGMENT: all segments.
    price int32 [n]: in cents.
    note [n]: text, "" where there is none.
    """

    product: np.ndarray
    segment: np.ndarray
    price: np.ndarray
    note: pl.Series

    def of_products(self) -> "Overrides":
        """Return the overrides that hold for all segments."""
        return self._where(self.segment == NO_SEGMENT)

    def of_cells(self, first: int = 0, last: int | None = None) -> "Overrides":
        """Return the overrides of single segments for the products first to last − 1."""
        ends = np.searchsorted(self.product, [first, np.iinfo(np.int64).max if last is None else last])
        is_selected = self.segment != NO_SEGMENT
        is_selected[: ends[0]] = is_selected[ends[1] :] = False
        return self._where(is_selected)

    def of_segment(self, segment: int) -> "Overrides":
        """Return the overrides of this segment alone."""
        return self._where(self.segment == segment)

    def among(self, is_selected: np.ndarray) -> "Overrides":
        """Return the overrides of the selected products alone, is_selected bool [P]."""
        return self._where(is_selected[self.product])

    def of_problem(self, is_selected: np.ndarray) -> "Overrides":
        """Return the overrides in a problem of the selected products alone, is_selected bool [P]."""
        chosen = self.among(is_selected)
        return replace(chosen, product=(np.cumsum(is_selected) - 1)[chosen.product])

    def kinds_of_segments(self, segments: int) -> np.ndarray:
        """Return the kind of every segment, int64 [S]; segments with the same overrides of their own have one kind."""
        own = [self.of_segment(segment) for segment in range(segments)]
        keys = [(part.product.tobytes(), part.price.tobytes()) for part in own]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        return np.array([numbers[key] for key in keys], np.int64)

    def _where(self, is_selected: np.ndarray) -> "Overrides":
        return Overrides(
            self.product[is_selected],
            self.segment[is_selected],
            self.price[is_selected],
            self.note.filter(pl.Series(is_selected)),
        )

    def __len__(self) -> int:
        return len(self.price)


def overrides_on(path: Path, day: date) -> Path | None:
    """Return the file of prices set by hand that holds on a day.

    path: a file, which holds on every day, or a folder of files that are named by the first day on which they hold,
    such as 2026-12-07.csv; the next one replaces a file. None before the first. InputError for other names and
    for two files of one day.
    """
    if not path.is_dir():
        return path
    files: dict[date, Path] = {}
    for file in sorted(path.iterdir()):
        if file.name.startswith("."):
            continue
        first = _first_day(file)
        if first in files:
            both = f"{files[first].name} and {file.name}"
            raise InputError(f"{path} must hold one file for each first day, found {both}: move one of them away")
        files[first] = file
    begun = [first for first in files if first <= day]
    if not begun:
        log.info("no file of %s holds on %s: no price is set by hand", path, day)
        return None
    return files[max(begun)]


def _first_day(file: Path) -> date:
    """Return the day in a file's name; InputError where it is none."""
    try:
        return date.fromisoformat(file.stem)
    except ValueError as error:
        raise InputError(
            f"{file.parent} must hold files named by their first day, such as 2026-12-07.csv, found {file.name}: "
            "rename it or move it away"
        ) from error


def read_overrides(path: Path | None, product_id: pl.Series, segment_id: pl.Series) -> Overrides:
    """Return the overrides of a Parquet or CSV file for products and segments in these orders; none without a file.

    The log counts overrides of products or segments that are not priced, and shows one. InputError for a table that
    lacks a column, repeats a cell, holds a price that is not in whole cents, or an id that lost its leading zeros.
    """
    if path is None:
        none = np.zeros(0, np.int64)
        return Overrides(none, none, none.astype(np.int32), pl.Series("note", [], pl.String))
    table = read_override_table(path, product_id.dtype, segment_id.dtype)
    products = pl.DataFrame({"product_id": product_id}).with_row_index("product")
    segments = pl.DataFrame({"segment_id": segment_id}).with_row_index("segment")
    found = table.join(products, on="product_id", how="left", maintain_order="left")
    found = found.join(segments, on="segment_id", how="left", maintain_order="left")
    is_known = pl.col("product").is_not_null() & (pl.col("segment").is_not_null() | pl.col("segment_id").is_null())
    known, unknown = found.filter(is_known), found.filter(~is_known)
    _require_zeros(unknown["product_id"], product_id, path)
    if unknown.height:
        log.warning(
            "%d overrides of %s are for products or segments that are not priced, the first %s",
            unknown.height, path, unknown.select("product_id", "segment_id", "price").row(0),
        )  # fmt: skip
    known = known.with_columns(pl.col("segment").cast(pl.Int64).fill_null(NO_SEGMENT)).sort("product", "segment")
    return Overrides(
        known["product"].to_numpy().astype(np.int64),
        known["segment"].to_numpy(),
        (known["price"] * CENTS).round().cast(pl.Int32).to_numpy(),
        known["note"],
    )


def _require_zeros(unknown: pl.Series, product_id: pl.Series, path: Path) -> None:
    """Raise InputError where an unknown id is that of a product without its leading zeros."""
    if unknown.dtype != pl.String or unknown.is_empty():
        return
    bare = product_id.filter(product_id.str.starts_with("0"))
    for found in unknown.filter(unknown.is_in(bare.str.strip_chars_start("0").implode())):
        hint = zeros_hint(found, bare.to_list())
        raise InputError(f"{path} must have the catalog's product_ids, found {found}{hint}")


def read_override_table(path: Path, product_id: pl.DataType, segment_id: pl.DataType) -> pl.DataFrame:
    """Return product_id, segment_id, price and note of a file of overrides, ids of these types; errors as above."""
    dtypes = {"product_id": product_id, "segment_id": segment_id, "price": pl.Float64(), "note": pl.String()}
    return _checked(read_spreadsheet(path, "policy.overrides"), path, dtypes)


def _checked(table: pl.DataFrame, path: Path, dtypes: dict[str, pl.DataType]) -> pl.DataFrame:
    """Return the table with all four columns in the given types; InputError where the table breaks a rule."""
    absent = [name for name in dtypes if name not in table.columns]
    if {"product_id", "price"} & {*absent}:
        raise InputError(
            f"{path} must have the columns product_id and price, and may have segment_id and note, "
            f"found {', '.join(table.columns)}: mend it"
        )
    if table.schema["price"] == pl.Boolean:
        raise InputError(f"{path} must hold prices in numbers, found true and false: mend it")
    table = table.with_columns(pl.lit(None, dtype=dtypes[name]).alias(name) for name in absent)
    if table.schema["price"] == pl.String:
        table = table.with_columns(with_decimal_point(pl.col("price")))
    try:
        table = table.select(pl.col(name).cast(dtype) for name, dtype in dtypes.items())
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path} must hold ids like the catalog's and prices, found: {first_line(error)}") from error
    cents = pl.col("price") * CENTS
    is_price = cents.is_between(1, PRICE_LIMIT - 1) & ((cents - cents.round()).abs() < MOST_ROUNDING)
    _require(table, is_price.fill_null(False), path, "prices in whole cents, at least one")
    _require(table, pl.col("product_id").is_not_null(), path, "a product_id in every row")
    _require(table, pl.struct("product_id", "segment_id").is_unique(), path, "one row per product and segment")
    return table.with_columns(pl.col("note").fill_null(""))


def _require(table: pl.DataFrame, rule: pl.Expr, path: Path, must: str) -> None:
    """Raise InputError, with the count and an example, unless the rule holds for every row."""
    broken = table.filter(~rule)
    if broken.height:
        raise InputError(
            f"{path} must have {must}, found {broken.height} rows without, the first {broken.row(0)}: mend it"
        )
