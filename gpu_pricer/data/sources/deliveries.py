"""Faults of deliveries in files: one that came twice under two names, and one that the configuration does not name."""

import csv
from collections import Counter
from pathlib import Path

import polars as pl

from gpu_pricer.data.sources.csv import CsvFile, first_names
from gpu_pricer.data.sources.parquet import ParquetFile
from gpu_pricer.data.sources.series import files_of
from gpu_pricer.errors import UNREADABLE, InputError
from gpu_pricer.tables.files.durable import checksum
from gpu_pricer.tables.reading import scan_table

LEAST_ROWS = 5
"""Files with fewer rows, as those of a day on which a shop was closed, may be equal by chance."""
SHOWN = 3


def require_different(files: list[CsvFile | ParquetFile]) -> None:
    """Raise InputError if two of the files hold the same, as where one was delivered twice under two names."""
    size = {file.path: Path(file.path).stat().st_size for file in files if Path(file.path).is_file()}
    count = Counter(size.values())
    seen: dict[str, str] = {}
    for file in (file for file in files if file.path in size and count[size[file.path]] > 1):
        first = seen.setdefault(checksum(Path(file.path), from_disk=False), file.path)
        if first != file.path and file.rows().select(pl.len()).collect().item() >= LEAST_ROWS:
            raise InputError(
                f"files of a table must differ, found the same in {first} and {file.path}: remove one of them"
            )


def unread_beside(table: str, given: list[CsvFile | ParquetFile], read: set[Path]) -> tuple[str, ...]:
    """Return the doubt about files that lie beside those of a table, have their columns, and are not read.

    given: the table's files. read: the files of all tables, resolved.
    """
    found: dict[Path, None] = {}
    others: dict[tuple[Path, str], list[Path]] = {}
    for file in given:
        first = files_of(Path(file.path))[0]
        if (place := (first.parent, first.suffix)) not in others:
            others[place] = [path for path in _beside(first) if path.resolve() not in read]
        columns = _columns(first, file) if others[place] else set()
        found |= {path: None for path in others[place] if columns and _columns(path, file) == columns}
    if not found:
        return ()
    names = ", ".join(str(path) for path in list(found)[:SHOWN])
    is_one = len(found) == 1
    return (
        f"{len(found):,} {'file' if is_one else 'files'} with the columns of {table} {'is' if is_one else 'are'} not "
        f"read, such as {names}: run gpu-pricer inspect again to read them, or put them elsewhere",
    )


def _beside(file: Path) -> list[Path]:
    """Return the files of the same folder and ending, in order of their names, without hidden ones."""
    return sorted(path for path in file.parent.glob(f"*{file.suffix}") if not path.name.startswith((".", "_")))


def _columns(path: Path, like: CsvFile | ParquetFile) -> set[str]:
    """Return the names of a file's columns, read as another is; none where it cannot be read so."""
    try:
        if isinstance(like, CsvFile):
            return set(first_names(path, like.separator))
        return set(scan_table(path).collect_schema())
    except (InputError, OSError, csv.Error, *UNREADABLE):
        return set()
