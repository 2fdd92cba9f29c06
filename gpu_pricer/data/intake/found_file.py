"""What a file holds by itself: its columns, and of each the kinds of cells that it may be read as."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import polars.selectors as cs

from gpu_pricer.data.sources.cells import DECIMAL, EPOCH, FLAG, PERCENT, stripped, values
from gpu_pricer.data.sources.csv import first_names, require_utf8, scan_text
from gpu_pricer.data.sources.currency_marks import currency_of, mark_of
from gpu_pricer.data.sources.parquet import cell_text, scan_series
from gpu_pricer.data.sources.series import files_of
from gpu_pricer.data.sources.source import LINE
from gpu_pricer.errors import UNREADABLE, InputError, first_line

SEPARATORS = (";", ",", "\t", "|")
TEXT_FILES = (".csv", ".tsv", ".txt")
SHEETS = (".xls", ".xlsx", ".xlsm", ".ods")
NULL_WORDS = ("NA", "N/A", "NULL", "null", "None", "NaN", "nan", "-")
"""Words that programs write where nothing is known."""
FORMATS = (
    *("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y"),
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S%.f"),
    *("%Y-%m-%dT%H:%M:%S%.f", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S"),
    *("%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %I:%M %p"),
    *("%d/%m/%Y %I:%M:%S %p", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S%.f%z"),
    *("%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%SZ"),
    *("%Y-%m-%d %H:%M:%S%.fZ", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S%.f UTC", EPOCH),
)
KINDS = (*DECIMAL, FLAG, *FORMATS)
SAMPLE = 10_000
"""Rows from which the plausible kinds are found; the others are counted in all rows."""
LEAST_READ = 0.5
"""Share of a sample's cells that a plausible kind reads: a column with many mistakes still has a kind."""
FIRST_LINES = 20
EXAMPLES = 3


@dataclass(frozen=True)
class FoundColumn:
    """A column of a file.

    filled: cells that hold something. distinct: different ones among them. readable: for each plausible kind, how many
    cells it reads; empty: the column is text. has_decimals: whether a cell has decimals. marks: of currencies, in
    some cells. is_marked: whether all cells have one. examples: the first cells.
    """

    name: str
    filled: int
    distinct: int
    readable: dict[str, int]
    has_decimals: bool
    marks: list[str]
    is_marked: bool
    examples: list[str]


@dataclass(frozen=True)
class FoundFile:
    """A file with its rows and columns.

    path: of the file, or the pattern of a series of files with the same columns. separator: None for Parquet, whose
    cells have types. null_words: words that mean that nothing is known.
    """

    path: Path
    separator: str | None
    rows: int
    columns: dict[str, FoundColumn]
    null_words: list[str]

    @property
    def name(self) -> str:
        """Return the name of the file, of a series that of its first file."""
        return files_of(self.path)[0].name

    def texts(self, column: str) -> pl.Series:
        """Return the different cells of a column as text, sorted."""
        table = scan_series(self.path) if self.separator is None else scan_text(self.path, self.separator)
        cells = cs.by_name(column).cast(pl.String).str.strip_chars().alias(column)
        found = table.select(cells.unique()).collect().to_series()
        return found.drop_nulls().sort()

    def counts(self, column: str, among: tuple[str, pl.Series] | None = None) -> Counter[str]:
        """Return how many rows have each cell of a column as text, by the cell in order; "": nothing is known.

        among: a column of ids, and the ids whose rows are counted; None: all rows are.
        """
        key, ids = among or (column, None)
        is_counted = pl.lit(True) if ids is None else cs.by_name(key).cast(pl.String).str.strip_chars().is_in([*ids])
        if self.separator is None:
            rows = scan_series(self.path).filter(is_counted)
            cells = rows.select(cell_text(rows, column))
        else:
            text = scan_text(self.path, self.separator)
            others = [stripped(name) for name in text.collect_schema() if name != LINE]
            known = text.select(others).filter(~pl.all_horizontal(pl.all().is_null()), is_counted)
            cell = cs.by_name(column)
            cells = known.select(pl.when(~cell.is_in(self.null_words)).then(cell).alias(column))
        counted = cells.group_by(cs.by_name(column).fill_null("").alias("cell")).len().sort("cell")
        return Counter(dict(counted.collect(engine="streaming").iter_rows()))

    def percent_kind(self, column: str) -> str | None:
        """Return the kind by which most cells of a column are numbers in percent; None if one may be a share already.

        The cells must be numbers above 1 and at most 100, or end with %; some may be 0.
        """
        cells = self.texts(column)
        filled = cells.filter(~cells.is_in([*self.null_words, ""])).to_frame()
        cell, kinds = cs.by_name(column), {}
        for kind, decimal in PERCENT.items():
            read = filled.with_columns(share=values(cell, kind))
            lost = read.filter(pl.col("share").is_null(), values(cell, decimal).is_not_null())
            if lost.is_empty() and read["share"].max() not in (None, 0):
                kinds[kind] = read["share"].count()
        return max(kinds, key=kinds.__getitem__, default=None)

    def readable(self, column: str, kind: str) -> int:
        """Return how many of the filled cells of a column a kind reads; all of them where no count says otherwise."""
        found = self.columns[column]
        if kind not in PERCENT:
            return found.readable.get(kind, found.filled)
        return self.readable_among(column, kind, None)

    def readable_among(self, column: str, kind: str, among: tuple[str, pl.Series] | None) -> int:
        """Return how many cells of a column hold something that a kind reads; among: see `counts`."""
        counts = self.counts(column, among)
        counts.pop("", None)
        cells = pl.DataFrame({"cell": [*counts], "rows": [*counts.values()]}, {"cell": pl.String, "rows": pl.Int64})
        return int(cells.filter(values(pl.col("cell"), kind).is_not_null())["rows"].sum())

    def median(self, column: str, kind: str) -> float:
        """Return the median over the rows of the numbers in a column that a kind reads; NaN without any."""
        counts = self.counts(column)
        cells = pl.DataFrame({"cell": [*counts], "rows": [*counts.values()]}, {"cell": pl.String, "rows": pl.Int64})
        numbers = cells.select(number=values(pl.col("cell"), kind), rows="rows").drop_nulls("number").sort("number")
        half = numbers.filter(2 * pl.col("rows").cum_sum() >= pl.col("rows").sum())
        return float("nan") if half.is_empty() else float(half["number"][0])

    def unread(self, column: str, kind: str) -> list[str]:
        """Return the first cells of a column that a kind cannot read, such as `line 3 VAT='x'`; none of a typed one."""
        if self.separator is None:
            return []
        cells = scan_text(self.path, self.separator).select(LINE, stripped(column))
        cell = cs.by_name(column)
        lost = cells.filter(cell.is_not_null() & ~cell.is_in(self.null_words) & values(cell, kind).is_null())
        return [f"line {line} {column}='{text}'" for line, text in lost.head(EXAMPLES).collect().iter_rows()]


def columns_of(path: Path) -> list[str]:
    """Return what files must share to be of one series: how cells are separated, and the columns in their order."""
    if path.suffix.lower() not in TEXT_FILES:
        _require_no_spreadsheet(path)
        return scan_series(path).collect_schema().names()
    require_utf8(path)
    separator = _separator(path)
    return [separator, *first_names(path, separator)]


def look_at(path: Path, null_words: Iterable[str] = ()) -> FoundFile:
    """Return what a CSV file, a Parquet file or a folder of Parquet files holds; raise InputError if it is neither.

    path: may be the pattern of a series, whose files have the same columns. null_words: words of text files beside
    NULL_WORDS that mean that nothing is known.
    """
    if path.suffix.lower() in TEXT_FILES:
        return _csv(path, [*NULL_WORDS, *null_words])
    _require_no_spreadsheet(path)
    table = scan_series(path)
    rows = table.select(pl.len()).collect().item()
    return FoundFile(path, None, rows, {name: _typed(table, name) for name in table.collect_schema()}, [])


def _require_no_spreadsheet(path: Path) -> None:
    if is_spreadsheet(path):
        raise InputError(f"{path} must be CSV or Parquet, found a spreadsheet: save each sheet as `CSV UTF-8`")


def is_spreadsheet(path: Path) -> bool:
    """Return whether a file is a spreadsheet, which is not read, by its name."""
    return path.suffix.lower() in SHEETS


def _csv(path: Path, null_words: list[str]) -> FoundFile:
    files = files_of(path)
    for file in files:
        require_utf8(file)
    separator = _separator(files[0])
    text = scan_text(path, separator)
    names = [name for name in text.collect_schema() if name != LINE]
    _require_header(path, names)
    cells = text.with_columns(stripped(name) for name in names)
    known = cells.with_columns(
        pl.when(~cs.by_name(name).is_in(null_words)).then(cs.by_name(name)).alias(name) for name in names
    ).filter(~pl.all_horizontal(cs.by_name(*names).is_null()))
    try:
        sample, rows = known.head(SAMPLE).collect(), known.select(pl.len()).collect().item()
        plausible = {name: _plausible(sample, name) for name in names}
        counts = _counts(known, plausible)
    except UNREADABLE as error:
        raise InputError(
            f"{path} must have as many cells in each line as its first line names columns, {len(names)}, "
            f"found{_first_long_line(files, separator, len(names)) or f': {first_line(error)}'}: mend that line"
        ) from error
    if not rows:
        raise InputError(f"{path} must have lines below its first one, found none: export it again")
    for name in (name for name, kinds in plausible.items() if {*DECIMAL} & {*kinds}):
        _require_one_currency(path, sample.select(cs.by_name(name)).to_series().drop_nulls())
    columns = {name: _column(sample, name, plausible[name], count) for name, count in zip(names, counts, strict=True)}
    return FoundFile(path, separator, rows, columns, null_words)


def _first_long_line(files: list[Path], separator: str, width: int) -> str:
    """Return how many cells the first line of more than `width` has, and where it is; "" if there is none."""
    for path in files:
        of_file = f" of {path.name}" if len(files) > 1 else ""
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=separator)
            try:
                for row in rows:
                    if len(row) > width:
                        return f" {len(row)} in line {rows.line_num:,}{of_file}"
            except csv.Error:  # a quote that nothing closes
                continue
    return ""


def _require_one_currency(path: Path, amounts: pl.Series) -> None:
    """Raise InputError if the cells of a column of numbers are marked with several currencies."""
    cells = amounts.to_frame("cell").with_columns(mark=mark_of(pl.col("cell"))).drop_nulls("mark")
    first = dict(cells.unique("mark", keep="first", maintain_order=True).select("mark", "cell").iter_rows())
    if first and currency_of(first) is None:
        raise InputError(
            f"{amounts.name} of {path} must be in one currency, found cells such as "
            f"{' and '.join(map(repr, first.values()))}: convert them, or leave the others out"
        )


def _separator(path: Path) -> str:
    """Return the sign that divides the first lines into the same number of cells, the more the better."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = [line for line, _ in zip(file, range(FIRST_LINES), strict=False) if line.strip()]
    if not lines:
        raise InputError(f"{path} must have a first line that names its columns, found an empty file: write it again")

    def fitness(separator: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=separator) if row]
        return (widths.count(widths[0]) if widths[0] > 1 else 0, widths[0])

    return max(SEPARATORS, key=fitness)


def _require_header(path: Path, names: list[str]) -> None:
    header = pl.DataFrame({"name": names})
    unnamed = header.filter(
        values(pl.col("name"), "decimal_point").is_not_null() | (pl.col("name").str.len_bytes() == 0)
    )
    if unnamed.height:
        raise InputError(
            f"the first line of {path} must name the columns, found {unnamed['name'][0]!r} in it: add such a line"
        )


def _plausible(sample: pl.DataFrame, name: str) -> list[str]:
    filled = sample.select(cs.by_name(name)).to_series().drop_nulls().to_frame()
    if filled.is_empty():
        return []
    read = filled.select(values(cs.by_name(name), kind).count().alias(kind) for kind in KINDS).row(0, named=True)
    return [kind for kind, count in read.items() if count >= LEAST_READ * filled.height]


def _counts(cells: pl.LazyFrame, plausible: dict[str, list[str]]) -> list[dict[str, int]]:
    """Return for each column, in all rows: how many cells are filled, differ, have decimals and are read as a kind."""
    counts = []
    for name, kinds in plausible.items():
        column = cs.by_name(name)
        read = [values(column, kind).count().alias(kind) for kind in kinds]
        filled, decimals = column.count().alias("filled"), column.str.contains(r"\d[.,]\d").sum().alias("decimals")
        counts.append(pl.struct(filled, column.drop_nulls().n_unique().alias("distinct"), decimals, *read).alias(name))
    row = cells.select(counts).collect(engine="streaming").row(0, named=True)
    return [row[name] for name in plausible]


def _column(sample: pl.DataFrame, name: str, plausible: list[str], counts: dict[str, int]) -> FoundColumn:
    """Return a column; sample: its first rows. counts: from _counts."""
    cells = sample.select(cs.by_name(name)).to_series().drop_nulls()
    marks = cells.to_frame("cell").select(mark_of(pl.col("cell"))).to_series()
    return FoundColumn(
        name=name,
        filled=counts["filled"],
        distinct=counts["distinct"],
        readable={kind: counts[kind] for kind in plausible},
        has_decimals=counts["decimals"] > 0,
        marks=marks.drop_nulls().unique(maintain_order=True).to_list(),
        is_marked=len(marks) > 0 and not marks.null_count(),
        examples=cells.unique(maintain_order=True).head(EXAMPLES).to_list(),
    )


def _typed(table: pl.LazyFrame, name: str) -> FoundColumn:
    """Return a column whose cells have a type; a type is the one kind that reads all of them."""
    dtype = table.collect_schema()[name]
    column = cs.by_name(name)
    count, distinct = table.select(column.count(), distinct=column.drop_nulls().n_unique()).collect().row(0)
    kinds = {"decimal_point": dtype.is_numeric(), "%Y-%m-%d": dtype.is_temporal(), FLAG: dtype == pl.Boolean}
    first = table.select(column).head(EXAMPLES).collect().to_series().to_list()
    return FoundColumn(
        name=name,
        filled=count,
        distinct=distinct,
        readable={kind: count for kind, is_so in kinds.items() if is_so},
        has_decimals=dtype.is_float() or dtype.is_decimal(),
        marks=[],
        is_marked=False,
        examples=[str(cell) for cell in first],
    )
