"""A file of the price table as a grid of products × segments, so that sums over cells are sums over arrays.

Every product of a version has each segment's price once. So two versions are compared by finding P products and S
segments, not P × S cells: 60,000 × 64 prices are read and compared with the published ones in 0.3 core-seconds, which
as rows took 1.1 (2 CPU cores of an Intel Xeon, November 2026).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.tables.files.low_memory import repeated_ids, rows_of
from gpu_pricer.tables.price_table import MONEY, PRICE_OF

CELL = ["product_id", "segment_id"]

CELLS_AT_ONCE = 2**18
"""Cells of the arrays that are computed at once: 3.8 million at once took 1.5 times as long, most of it for memory."""


@dataclass(frozen=True)
class PriceGrid:
    """The prices of P products for S segments.

    product_id [P], segment_id [S]: each id once; those of the wide layout's segments are text. numbers: the columns of
    numbers, in the long layout a row per cell, by product, then segment; in the wide one a row per product. The ids of
    every cell, most of a table's memory, are not kept.
    """

    product_id: pl.Series
    segment_id: pl.Series
    numbers: pl.DataFrame

    @property
    def price(self) -> np.ndarray:
        """The prices to set in int64 cents, [P, S]."""
        prices = [self._cents(name) for name in price_names(self.numbers.columns)]
        return prices[0] if len(prices) == 1 else np.hstack(prices)

    @property
    def today(self) -> np.ndarray:
        """Today's prices in int64 cents, [P, S] or, in the wide layout, [P, 1]."""
        return self._cents("today_price")

    def values(self, name: str) -> np.ndarray:
        """Return a column of the table as an array, [P, S] or, in the wide layout, [P, 1]."""
        return self._array(self.numbers[name])

    def parts(self) -> Iterator[tuple[slice, "PriceGrid"]]:
        """Yield runs of products, each with the grid of them alone, whose arrays stay in a core's cache."""
        products, rows = len(self.product_id), self._rows_of_product
        step = max(CELLS_AT_ONCE // max(len(self.segment_id), 1), 1)
        for first in range(0, max(products, 1), step):
            run = slice(first, min(first + step, products))
            yield run, PriceGrid(self.product_id[run], self.segment_id, self.numbers[rows * first : rows * run.stop])

    def prices_for(self, product_id: pl.Series, segment_id: pl.Series) -> np.ndarray:
        """Return the prices of n products for m segments in int64 cents [n, m], 0 where the grid has no such cell.

        product_id [n], segment_id [m]: as text, each once.
        """
        price = self.price
        rows = rows_of(product_id, self.product_id.cast(pl.String))
        columns = rows_of(segment_id, self.segment_id.cast(pl.String))
        if _is_range(rows, price.shape[0]) and _is_range(columns, price.shape[1]):
            return price
        found = np.zeros((len(rows), len(columns)), np.int64)
        is_row, is_column = rows >= 0, columns >= 0
        found[np.ix_(is_row, is_column)] = price[np.ix_(rows[is_row], columns[is_column])]
        return found

    @property
    def _rows_of_product(self) -> int:
        return self.numbers.height // max(len(self.product_id), 1)

    def _cents(self, name: str) -> np.ndarray:
        return self._array(self.numbers[name].cast(MONEY).to_physical().cast(pl.Int64))

    def _array(self, column: pl.Series) -> np.ndarray:
        return column.to_numpy().reshape(len(self.product_id), self._rows_of_product)


def price_names(columns: Iterable[str]) -> list[str]:
    """Return the names of the columns that hold prices to set: `price`, or one for each segment."""
    return [column for column in columns if column == "price" or column.startswith(PRICE_OF)]


def read_grid(path: Path, further: Sequence[str] = ()) -> PriceGrid:
    """Return the prices of one file as a grid, with the columns of `further`; InputError unless it is one.

    The columns are read one after the other, since those of ids are not kept: the most memory that is taken is that of
    one of them and the numbers.
    """
    try:
        names = [*price_names(pl.read_parquet_schema(path)), *further]
        grid = _grid(names, lambda name: pl.read_parquet(path, columns=[name])[name])
        grid = grid or grid_of(pl.read_parquet(path))
    except UNREADABLE as error:
        raise InputError(f"{path} must be a whole Parquet file, found: {first_line(error)}: score again") from error
    if grid is None:
        raise InputError(f"{path} must hold each product x segment once, found others: score again")
    return grid


def grid_of(table: pl.DataFrame) -> PriceGrid | None:
    """Return the rows of a price table as a grid, None unless they hold each product × segment once.

    Rows in another order than that of `score` are sorted.
    """
    numbers = [name for name, dtype in table.schema.items() if dtype.is_numeric() and name not in CELL]
    grid = _grid(numbers, table.get_column)
    is_long = "segment_id" in table.columns
    return _grid(numbers, table.sort(CELL).get_column) if grid is None and is_long else grid


def _grid(numbers: Sequence[str], column: Callable[[str], pl.Series]) -> PriceGrid | None:
    """Return the grid of a table in its order, None if it is none; numbers: the columns to keep; column: yields one."""
    prices = price_names(numbers)
    if prices == ["price"]:
        ids = repeated_ids(column("product_id").rle(), column("segment_id"))
    else:
        product_id = column("product_id")
        segments = [name.removeprefix(PRICE_OF) for name in prices]
        ids = (product_id, pl.Series("segment_id", segments, pl.String)) if product_id.is_unique().all() else None
    return (
        None
        if ids is None
        else PriceGrid(ids[0].alias("product_id"), ids[1], pl.DataFrame([column(name) for name in numbers]))
    )


def _is_range(places: np.ndarray, size: int) -> bool:
    """Return whether the places are 0 to size − 1 in their order."""
    return len(places) == size and bool((places == np.arange(size)).all())
