"""Reading tables: Parquet files become frames with a schema's columns and types; errors are one line each."""

from pathlib import Path

import dataframely as dy
import polars as pl
import polars.selectors as cs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.tables.checking import check

HIDDEN = ("_", ".")
"""How names begin of files and folders that Spark and its kin do not count as part of a table."""
OTHER_FORMATS = (".hoodie", "metadata/*.metadata.json")
"""What Hudi and Iceberg keep beside the files of a table, of which not all are current."""


def scan_table(path: Path) -> pl.LazyFrame:
    """Return a lazy frame over a Parquet file, a folder of them or a Delta table.

    Raise InputError if none can be read, or if the folder holds files that do not count: unfinished ones of Spark, and
    old ones of table formats other than Delta.
    """
    if not path.exists():
        raise InputError(f"{path} must be a Parquet file or a folder of them, found nothing: mend the path")
    if (path / "_delta_log").is_dir():
        return _scan_delta(path)
    files = _files_in(path) if path.is_dir() else [path]
    _require_readable(files)
    return pl.scan_parquet(files)


def _require_readable(files: list[Path]) -> None:
    """Raise InputError if one of the files is no Parquet file or cut off."""
    for file in files:
        try:
            pl.read_parquet_schema(file)
        except UNREADABLE as error:
            reason = first_line(error)
            raise InputError(f"{file} must be a whole Parquet file, found: {reason}; write it again") from error


def _scan_delta(path: Path) -> pl.LazyFrame:
    """Return a lazy frame over the current version of a Delta table."""
    try:
        table = DeltaTable(path)
        names = pl.DataFrame(table.get_add_actions())["path"]
        _require_readable([path / name for name in names if (path / name).exists()])  # reading reports the others
        return pl.scan_delta(table)
    except (DeltaError, *UNREADABLE) as error:
        raise InputError(f"{path} must be a whole Delta table, found: {first_line(error)}; write it again") from error


def _files_in(folder: Path) -> list[Path]:
    """Return the Parquet files in a folder and below; raise InputError if there is none, or one that may not count."""
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise InputError(f"{folder} must hold Parquet files, found none: put *.parquet files there")
    hidden = [name for file in files for name in file.relative_to(folder).parts if name.startswith(HIDDEN)]
    others = [*hidden[:1], *(other.name for pattern in OTHER_FORMATS for other in folder.glob(pattern))]
    if others:
        raise InputError(
            f"{folder} must hold finished Parquet files only, or a Delta table, found {others[0]}, beside which lie "
            "files that do not count: wait for its writer, or export the table to plain Parquet"
        )
    return files


def require_readable(folder: Path) -> None:
    """Raise InputError if a Parquet file in the folder cannot be read, such as one that was cut off."""
    for file in sorted(folder.glob("*.parquet")):
        scan_table(file)


def collect(frame: pl.LazyFrame, origin: str, remedy: str = "fill the table or remove it") -> pl.DataFrame:
    """Return the rows of a lazy table; raise InputError if it cannot be read or has no rows.

    remedy: the advice in the message about a table without rows.
    """
    try:
        rows = frame.collect(engine="streaming")
    except UNREADABLE as error:
        raise InputError(f"{origin} must be readable, found: {first_line(error)}; write it again") from error
    if rows.is_empty():
        raise InputError(f"{origin} must hold at least one row, found none: {remedy}")
    return rows


def conform(frame: pl.LazyFrame, schema: type[dy.Schema], origin: str, keep_others: bool) -> pl.LazyFrame:
    """Return the frame with the schema's columns in its types, optional ones null if absent, then the others if kept.

    Types are converted only within their kind: any number to Float64, Date to Datetime, categorical to string, and true
    and false to 1 and 0 where the column holds shares.
    Raise InputError for a missing column or a type of another kind.
    """
    try:
        found = frame.collect_schema()
    except UNREADABLE as error:
        raise InputError(f"{origin} must be readable, found: {first_line(error)}; write it again") from error
    expressions = [_conformed(name, column, found, origin) for name, column in schema.columns().items()]
    others = [name for name in found if name not in schema.column_names()] if keep_others else []
    return frame.select(*expressions, cs.by_name(others))  # pl.col takes a name such as * for a pattern


def without_blanks(column: str) -> pl.Expr:
    """Return a column of text without white space around its cells, null where nothing is left."""
    text = pl.col(column).str.strip_chars()
    return pl.when(text != "").then(text).alias(column)


def read_table(path: Path, schema: type[dy.Schema], where: pl.Expr | None = None) -> pl.DataFrame:
    """Return a table that follows the schema, with its other columns; raise InputError if it breaks a rule.

    where: which rows to read, None for all.
    """
    origin = str(path)
    rows = conform(scan_table(path), schema, origin, keep_others=True)
    frame = collect(rows if where is None else rows.filter(where), origin)
    checked = check(frame, schema)
    if checked.broken:
        raise InputError(f"{origin} {checked.report()}: mend these rows or run `gpu-pricer prepare` again")
    return checked.valid


def _conformed(name: str, column: dy.Column, found: pl.Schema, origin: str) -> pl.Expr:
    metadata = column.metadata or {}
    if name not in found:
        if metadata.get("optional"):
            return pl.lit(None, dtype=column.dtype).alias(name)
        raise InputError(f"{origin} must have the column {name}, found only {', '.join(found)}: add {name}")
    dtype = found[name]
    if metadata.get("id"):
        return _text_or_integer(name, dtype, origin)
    expected = column.dtype
    if isinstance(expected, pl.Enum):
        return _accept(dtype in (expected, pl.String), "text", name, dtype, origin).cast(expected)
    if expected == pl.String:
        return _text_or_integer(name, dtype, origin).cast(pl.String)
    if expected.is_temporal():
        may_be_empty = bool(metadata.get("optional")) and dtype == pl.Null
        is_time = may_be_empty or dtype == pl.Date or isinstance(dtype, pl.Datetime)
        time = _accept(is_time, "Date or Datetime", name, dtype, origin)
        return (time.dt.replace_time_zone(None) if isinstance(dtype, pl.Datetime) else time).cast(expected)
    may_be_flag = bool(metadata.get("flag"))
    is_number = dtype.is_numeric() or dtype == pl.Null or (dtype == pl.Boolean and may_be_flag)
    return _accept(is_number, "a number or Boolean" if may_be_flag else "a number", name, dtype, origin).cast(expected)


def _text_or_integer(name: str, dtype: pl.DataType, origin: str) -> pl.Expr:
    if isinstance(dtype, pl.Categorical | pl.Enum) or dtype == pl.Null:
        return pl.col(name).cast(pl.String)
    return _accept(dtype.is_integer() or dtype == pl.String, "integer or string", name, dtype, origin)


def _accept(holds: bool, expected: str, name: str, dtype: pl.DataType, origin: str) -> pl.Expr:
    if not holds:
        raise InputError(f"{origin}: the column {name} must be {expected}, found {dtype}: convert the column")
    return pl.col(name)
