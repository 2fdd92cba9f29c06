"""A CSV file as a table of the input contract: every column is read as the configuration says, none is guessed."""

import codecs
import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import polars.selectors as cs

from gpu_pricer.data.sources.cells import TEXT, is_in_utc, require_kind, stripped, values
from gpu_pricer.data.sources.line_status import LineStatus, left_out_by, together, unknown_in
from gpu_pricer.data.sources.series import files_of
from gpu_pricer.data.sources.source import CAN_LACK, CELLS, COLUMN, FILE, LINE, TIME
from gpu_pricer.errors import UNREADABLE, InputError, first_line

CHUNK = 1 << 24
"""Bytes decoded at once by the check of the encoding."""
MARKS = {codecs.BOM_UTF16_LE: "UTF-16LE", codecs.BOM_UTF16_BE: "UTF-16BE"}
"""How files begin that Excel writes as `Unicode text`."""


@dataclass(frozen=True)
class CsvFile:
    """A text file with a header line, in UTF-8.

    separator: the sign between cells. columns: by name in the input contract, the column of the file; null: the file
    has none, and the table's column is empty. kinds: by name in the contract, how cells are written (sources.cells).
    null_words: words that mean that nothing is known. status, in_currency: which lines are sales, and which are in the
    currency of the prices; None: all of them. currency: that of the prices; a number that is marked with another one
    cannot be read. Raises InputError for a kind or a separator that does not exist.
    """

    path: str
    separator: str
    columns: dict[str, str | None]
    kinds: dict[str, str]
    null_words: list[str]
    status: LineStatus | None = None
    in_currency: LineStatus | None = None
    currency: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.separator, str) or len(self.separator.encode()) != 1:
            raise InputError(f"the separator of {self.path} must be one sign, found {self.separator!r}: mend it")
        if set(self.kinds) != {name for name, column in self.columns.items() if column is not None}:
            raise InputError(
                f"each column of {self.path} must have a kind, found columns {', '.join(self.columns)} and kinds of "
                f"{', '.join(self.kinds)}: mend one of them"
            )
        for name, kind in self.kinds.items():
            require_kind(kind, f"{name} in {self.path}")

    def rows(self, zone: str | None = None) -> pl.LazyFrame:
        """Return the rows whose cells can all be read, in the contract's names and types; zone: see `values`."""
        named = (self._value(name, zone).alias(name) for name in self.columns)
        return self._lines().filter(self._broken_cells(self._needed).is_null()).select(*named)

    def unreadable(self, zone: str | None = None) -> pl.LazyFrame:
        """Return the other rows as written: FILE, LINE, CELLS, TIME (see RawTable) and all cells; zone: as `rows`."""
        return self._as_written(self._rows_with(self._broken_cells(self._needed)), zone)

    def left_out(self) -> pl.LazyFrame | None:
        """Return the lines that do not count, as `unreadable` does; None if no column says which do."""
        if not self._statuses:
            return None
        lines = self._cells().with_columns(left_out_by(self._statuses).alias(CELLS), pl.lit(self.path).alias(FILE))
        return self._as_written(lines.filter(pl.col(CELLS).is_not_null()))

    def unread(self) -> pl.LazyFrame:
        """Return FILE, LINE, CELLS and COLUMN of the cells of CAN_LACK that cannot be read, in the rows that stay."""
        stay = self._broken_cells(self._needed).is_null()
        found = [
            self._rows_with(pl.when(stay).then(self._broken_cells([name]))).select(
                FILE, LINE, CELLS, pl.lit(name).alias(COLUMN)
            )
            for name in CAN_LACK
            if name in self.columns
        ]
        nothing = pl.LazyFrame(schema={FILE: pl.String, LINE: pl.UInt32, CELLS: pl.String, COLUMN: pl.String})
        return pl.concat(found, how="vertical_relaxed") if found else nothing

    def times_in_utc(self) -> tuple[str, ...]:
        """Return the columns of the contract whose cells are all times in UTC."""
        told = [
            is_in_utc(cs.by_name(column), self.kinds[name]).alias(name)
            for name, column in self.columns.items()
            if column is not None and "%" in self.kinds[name]
        ]
        row = self._lines().select(told).collect(engine="streaming").row(0, named=True) if told else {}
        return tuple(name for name, is_utc in row.items() if is_utc)

    def _rows_with(self, broken: pl.Expr) -> pl.LazyFrame:
        """Return the rows in which cells are broken, with what these are and the file."""
        cells = self._lines().with_columns(broken.alias(CELLS), pl.lit(self.path).alias(FILE))
        return cells.filter(pl.col(CELLS).is_not_null())

    def _as_written(self, lines: pl.LazyFrame, zone: str | None = None) -> pl.LazyFrame:
        time = self._value("time", zone) if "time" in self.columns else pl.lit(None)
        return lines.select(FILE, LINE, CELLS, time.cast(pl.Datetime("us")).alias(TIME), cs.by_name(*self._given))

    @property
    def _needed(self) -> list[str]:
        """The columns without which a row is set aside if it cannot be read there."""
        return [name for name in self.columns if name not in CAN_LACK]

    @property
    def _given(self) -> list[str]:
        """The columns of the file that are read, each once."""
        statuses = [status.column for status, _ in self._statuses]
        return list(dict.fromkeys([*(column for column in self.columns.values() if column is not None), *statuses]))

    @property
    def _statuses(self) -> list[tuple[LineStatus, pl.Expr]]:
        return [(status, cs.by_name(status.column)) for status in (self.status, self.in_currency) if status is not None]

    def _lines(self) -> pl.LazyFrame:
        """Return the lines as `_cells` does, without those that do not count."""
        return self._cells().filter(left_out_by(self._statuses).is_null())

    def _cells(self) -> pl.LazyFrame:
        """Return the lines that hold anything, as stripped text, with their numbers in the file; InputError if lost."""
        text = scan_text(Path(self.path), self.separator)
        given = self._given
        found = [name for name in text.collect_schema() if name != LINE]
        missing = [name for name in given if name not in found]
        if missing:
            raise InputError(
                f"{self.path} must have the columns {', '.join(given)}, found only {', '.join(found)}: "
                "mend its first line, or run gpu-pricer inspect again"
            )
        cells = text.with_columns(stripped(column) for column in given)
        words = (cs.by_name(column).is_in(self.null_words) for column in given)
        known = (
            pl.when(~is_word).then(cs.by_name(column)).alias(column)
            for column, is_word in zip(given, words, strict=True)
        )
        return cells.with_columns(*known).filter(~pl.all_horizontal(cs.by_name(*found).is_null()))

    def _value(self, name: str, zone: str | None = None) -> pl.Expr:
        column = self.columns[name]
        return pl.lit(None) if column is None else values(cs.by_name(column), self.kinds[name], zone, self.currency)

    def _broken_cells(self, names: list[str]) -> pl.Expr:
        """Return what cannot be read of these columns in a row, such as `Preis='n/a'`; null where everything can."""
        told = [
            pl.when(cs.by_name(column).is_not_null() & self._value(name).is_null()).then(
                pl.format("{}='{}'", pl.lit(column), cs.by_name(column))
            )
            for name, column in ((name, self.columns[name]) for name in names)
            if column is not None and self.kinds[name] != TEXT
        ]
        return together([*told, unknown_in(self._statuses)])


def scan_text(path: Path, separator: str) -> pl.LazyFrame:
    """Return all columns of a CSV file as text and LINE, the row's line if no cell spans several.

    path: may be the pattern of a series, whose files name the same columns in the same order; LINE counts on from file
    to file. Raise InputError if a file is missing, empty or not in UTF-8, or if two columns have the same name.
    """
    files = files_of(path)
    for file in files:
        require_utf8(file)
    twice = [name for name, count in Counter(first_names(files[0], separator)).items() if count > 1]
    if twice:
        raise InputError(f"the columns of {path} must have different names, found {twice[0]!r} twice: rename one")
    try:
        text = pl.scan_csv(files, separator=separator, infer_schema=False, row_index_name=LINE, row_index_offset=2)
        text.collect_schema()
    except UNREADABLE as error:
        raise InputError(f"{path} must be a CSV file, found: {first_line(error)}; write it again") from error
    return text


def first_names(path: Path, separator: str) -> list[str]:
    """Return the names of the columns in the first line of a CSV file in UTF-8, none of an empty one."""
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        return next(csv.reader(file, delimiter=separator), [])


def require_utf8(path: Path) -> None:
    """Raise InputError if the file is missing or not in UTF-8, with the first line that is not and the remedy."""
    if not path.is_file():
        raise InputError(f"{path} must be a CSV file, found nothing: mend the path")
    decoder, lines = codecs.getincrementaldecoder("utf-8")(), 1
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            for mark, name in MARKS.items():
                if lines == 1 and block.startswith(mark):
                    raise InputError(_not_utf8(path, f"{name}, as its first two bytes say", name))
            try:
                decoder.decode(block, final=len(block) < CHUNK)
            except UnicodeDecodeError as error:
                line = lines + error.object[: error.start].count(b"\n")
                byte = error.object[error.start]
                raise InputError(_not_utf8(path, f"byte 0x{byte:02X} in line {line}", "WINDOWS-1252")) from error
            lines += block.count(b"\n")


def _not_utf8(path: Path, found: str, encoding: str) -> str:
    return (
        f"{path} must be in UTF-8, found {found}: save it as `CSV UTF-8`, or convert it, as by "
        f"iconv -f {encoding} -t UTF-8"
    )
