"""The user's own files, CSV or Parquet, whose columns the configuration names: what `gpu-pricer inspect` writes."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from gpu_pricer.data.sources.added_file import AddedFile
from gpu_pricer.data.sources.clock import require_zone
from gpu_pricer.data.sources.csv import CsvFile
from gpu_pricer.data.sources.deliveries import require_different, unread_beside
from gpu_pricer.data.sources.parquet import TABLES, ParquetFile
from gpu_pricer.data.sources.series import files_of
from gpu_pricer.data.sources.source import RawTable
from gpu_pricer.errors import InputError


@dataclass(frozen=True)
class TableFiles:
    """The tables of the input contract: by name, the files that hold a table, each with some of its rows.

    contents: the path of a file may be the pattern of a series, whose files of today are all read.
    time_zone: the clock on which times with a zone are told; None: that of their own zone. added: by table, files with
    further columns of its rows. currency: of the prices; a number in a text file that is marked with another one cannot
    be read; None: marks are passed over.
    """

    contents: dict[str, list[CsvFile | ParquetFile]]
    time_zone: str | None
    added: dict[str, list[AddedFile]] = field(default_factory=dict)
    currency: str | None = None

    def __post_init__(self) -> None:
        require_zone(self.time_zone)
        for name, files in self.contents.items():
            if name not in TABLES or not files or not all(isinstance(file, CsvFile | ParquetFile) for file in files):
                raise InputError(
                    f"data.source.contents must map some of {', '.join(TABLES)} to lists of files, found {name!r}: "
                    f"{files!r}; mend it, or let gpu-pricer inspect write it"
                )

    def files(self) -> list[Path]:
        """Return the files of all tables."""
        added = [each.file for files in self.added.values() for each in files]
        given = [file for files in self.contents.values() for file in files]
        return [path for file in (*given, *added) for path in files_of(Path(file.path))]

    def tables(self) -> dict[str, RawTable]:
        """Return every table; raise InputError if there is none, or if a file is missing or lacks a column."""
        if not self.contents:
            raise InputError("data.source.contents must name your files, found none: run gpu-pricer inspect FOLDER")
        read = {file.resolve() for file in self.files()}
        tables = {
            name: _table(
                [self._in_currency(file) for file in files],
                self.time_zone,
                [replace(each, file=self._in_currency(each.file)) for each in self.added.get(name, [])],
            )
            for name, files in self.contents.items()
        }
        return {
            name: replace(table, doubts=unread_beside(name, self.contents[name], read))
            for name, table in tables.items()
        }

    def _in_currency(self, file: CsvFile | ParquetFile) -> CsvFile | ParquetFile:
        """Return a file that reads no number which is marked with another currency; those of Parquet have no marks."""
        return replace(file, currency=self.currency) if isinstance(file, CsvFile) else file


def _table(given: list[CsvFile | ParquetFile], zone: str | None, added: list[AddedFile]) -> RawTable:
    """Return the rows of the files below each other, with those that cannot be read and those that do not count.

    given: files and series of files. added: the files whose columns they get.
    """
    origin = ", ".join(file.path for file in given)
    told = ", ".join([origin, *(each.file.path for each in added)])
    files = [replace(file, path=str(path)) for file in given for path in files_of(Path(file.path))]
    require_different(files)
    rows = pl.concat([file.rows(zone) for file in files], how="diagonal_relaxed")
    for each in added:
        rows = each.joined(rows, origin, zone)
    files = [*files, *(each.file for each in added)]
    in_utc = () if zone else tuple(dict.fromkeys(name for file in files for name in file.times_in_utc()))
    unread = [file.unread() for file in files if isinstance(file, CsvFile)]
    return RawTable(
        rows,
        told,
        _below([file.unreadable(zone) for file in files]),
        pl.concat(unread) if unread else None,
        in_utc,
        _below([file.left_out() for file in files]),
    )


def _below(parts: list[pl.LazyFrame | None]) -> pl.LazyFrame | None:
    """Return the parts below each other; None if there is none."""
    given = [part for part in parts if part is not None]
    return pl.concat(given, how="diagonal") if given else None
