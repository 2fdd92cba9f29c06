"""The user's own tables in Parquet: a file, a folder of files or a Delta table each."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import polars.selectors as cs

from gpu_pricer.data.sources.cells import HUNDRED, is_percent
from gpu_pricer.data.sources.clock import require_zone, times_in_utc, without_zones
from gpu_pricer.data.sources.line_status import LineStatus, left_out_by, unknown_in
from gpu_pricer.data.sources.series import files_of
from gpu_pricer.data.sources.source import CELLS, FILE, LINE, RawTable
from gpu_pricer.errors import InputError
from gpu_pricer.tables.reading import scan_table

TABLES = ("transactions", "products", "users", "offers", "context", "group_prices")


@dataclass(frozen=True)
class ParquetDirectory:
    """A directory that holds the tables of the input contract.

    time_zone: the clock on which times with a zone are told; None: that of their own zone.
    """

    path: str
    time_zone: str | None

    def __post_init__(self) -> None:
        require_zone(self.time_zone)
        if not isinstance(self.path, str) or not self.path:
            raise InputError(f"data.path must be the directory of your tables, found {self.path!r}: set data.path=DIR")

    def files(self) -> list[Path]:
        """Return <path>/<table>.parquet of every table, whether it exists or not."""
        return [Path(self.path) / f"{name}.parquet" for name in TABLES]

    def tables(self) -> dict[str, RawTable]:
        """Return every table in the directory; raise InputError if there is no directory or a table cannot be read."""
        directory = Path(self.path)
        if not directory.is_dir():
            raise InputError(f"data.path must be a directory, found no directory at {directory}: set data.path=DIR")
        paths = {name: directory / f"{name}.parquet" for name in TABLES}
        scanned = {name: scan_table(path) for name, path in paths.items() if path.exists()}
        found = {
            name: RawTable(
                without_zones(rows, self.time_zone),
                str(paths[name]),
                in_utc=() if self.time_zone else times_in_utc(rows),
            )
            for name, rows in scanned.items()
        }
        if not found and any(directory.glob("*.csv")):
            raise InputError(
                f"data.path must hold <table>.parquet, found CSV files in {directory}: "
                f"run gpu-pricer inspect {directory}"
            )
        return found


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file, a folder of them or a Delta table.

    columns: by name in the input contract, the column of the file; null: the file has none, and the table's column is
    empty. status, in_currency: which lines are sales, and which are in the currency of the prices; None: all of them.
    percent: columns of the contract whose numbers are in percent, such as 19 for 0.19; one that can be none is read as
    NaN, which no rule lets pass.
    """

    path: str
    columns: dict[str, str | None]
    status: LineStatus | None = None
    in_currency: LineStatus | None = None
    percent: tuple[str, ...] = ()

    def rows(self, zone: str | None = None) -> pl.LazyFrame:
        """Return the rows in the contract's names, times as in ParquetDirectory; InputError if a column is missing."""
        return without_zones(self._named(), zone)

    def times_in_utc(self) -> tuple[str, ...]:
        """Return the columns of the contract whose type is a time in UTC."""
        return times_in_utc(self._named())

    def unreadable(self, zone: str | None = None) -> pl.LazyFrame | None:
        """Return the rows that a column neither counts nor leaves out, as CsvFile does; None without such a column."""
        unknown = pl.when(left_out_by(self._statuses()).is_null()).then(unknown_in(self._statuses()))
        return self._as_text(unknown) if self._statuses() else None

    def left_out(self) -> pl.LazyFrame | None:
        """Return the rows that do not count, as CsvFile does; None if no column says which do."""
        return self._as_text(left_out_by(self._statuses())) if self._statuses() else None

    def _as_text(self, told: pl.Expr) -> pl.LazyFrame:
        """Return the rows of which something is told, as text after the file, the row's number and what it is."""
        rows = self._table().with_row_index(LINE, offset=1).with_columns(told.alias(CELLS))
        texts = cs.by_name(*self._given).cast(pl.String)
        return rows.filter(pl.col(CELLS).is_not_null()).select(pl.lit(self.path).alias(FILE), LINE, CELLS, texts)

    def _named(self) -> pl.LazyFrame:
        statuses = self._statuses()
        rows = self._table().filter(left_out_by(statuses).is_null() & unknown_in(statuses).is_null())
        return rows.select(
            pl.lit(None).alias(name) if column is None else self._value(name, column).alias(name)
            for name, column in self.columns.items()
        )

    def _value(self, name: str, column: str) -> pl.Expr:
        cell = cs.by_name(column)
        if name not in self.percent:
            return cell
        number = cell.cast(pl.Float64)
        is_readable = is_percent(number) | number.is_null()
        return pl.when(is_readable).then(number / HUNDRED).otherwise(float("nan"))

    @property
    def _given(self) -> list[str]:
        """The columns of the file that are read, each once."""
        statuses = (status.column for status in (self.status, self.in_currency) if status is not None)
        return list(dict.fromkeys([*(column for column in self.columns.values() if column is not None), *statuses]))

    def _statuses(self) -> list[tuple[LineStatus, pl.Expr]]:
        given = [status for status in (self.status, self.in_currency) if status is not None]
        return [(status, cell_text(self._table(), status.column)) for status in given]

    def _table(self) -> pl.LazyFrame:
        table = scan_series(Path(self.path))
        found = table.collect_schema().names()
        missing = [column for column in self._given if column not in found]
        if missing:
            raise InputError(
                f"{self.path} must have the columns {', '.join(missing)}, found only {', '.join(found)}: "
                "mend the file, or run gpu-pricer inspect again"
            )
        return table


def scan_series(path: Path) -> pl.LazyFrame:
    """Return the rows of what `scan_table` reads, of all files of the series where the path is a pattern."""
    return pl.concat([scan_table(file) for file in files_of(path)], how="vertical_relaxed")


def cell_text(table: pl.LazyFrame, column: str) -> pl.Expr:
    """Return the cells of a typed column as stripped text; a whole float is a whole number, and NaN is null.

    Programs such as pandas make floats of whole numbers where a cell of their column is empty.
    """
    cell = cs.by_name(column)
    if not table.collect_schema()[column].is_float():
        return cell.cast(pl.String).str.strip_chars()
    return cell.fill_nan(None).cast(pl.String).str.replace(r"^(-?\d+)\.0$", "$1")
