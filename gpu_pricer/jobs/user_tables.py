"""Tables that users bring to `predict` and `assign`: found, checked, and in the types of what was learned."""

from pathlib import Path

import dataframely as dy
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import check
from gpu_pricer.tables.reading import collect, conform, scan_table
from gpu_pricer.tables.replacing import replacing_file


def asked_path(key: str, value: object) -> Path:
    """The path that a key must name; InputError when it names none."""
    if not isinstance(value, str) or not value:
        raise InputError(f"{key} must be a Parquet file, found {value!r}: set {key}=FILE")
    return Path(value)


def new_file(key: str, value: object) -> Path:
    """The file to write that a key must name; InputError when it cannot be one."""
    path = asked_path(key, value)
    if path.is_dir():
        raise InputError(f"{key} must be a file, found the folder {path}: name a file in it")
    return path


def write_new(table: pl.DataFrame, path: Path) -> None:
    """Write the table in one swap, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as fresh:
        table.write_parquet(fresh)


def checked_table(path: Path, schema: type[dy.Schema]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table as it is, and in the schema's types; InputError when it breaks a rule: no row is left out."""
    origin = str(path)
    given = collect(scan_table(path), origin)
    rows = conform(given.lazy(), schema, origin, keep_others=True).collect()
    broken = check(rows, schema)
    if broken.broken:
        raise InputError(f"{origin} {broken.report()}: mend these rows")
    return given, rows


def with_ids_of(known: dict[str, pl.DataFrame], rows: pl.DataFrame, origin: str) -> pl.DataFrame:
    """The rows with their ids in the types of the known tables; InputError when one is text and the other a number."""
    for column, table in known.items():
        wanted, found = table.schema[column], rows.schema[column]
        if found != wanted and pl.String in (found, wanted):
            raise InputError(
                f"{origin}: {column} must be {wanted} as in the tables trained on, found {found}: convert the column"
            )
        rows = rows.with_columns(pl.col(column).cast(wanted))
    return rows


def told_at(path: Path, schema: type[dy.Schema], known: pl.DataFrame) -> pl.DataFrame:
    """The table that tells of new products or users, its ids as in the known one; InputError when it breaks a rule."""
    (column,) = {"product_id", "user_id"} & {*schema.column_names()}
    return with_ids_of({column: known}, checked_table(path, schema)[1], str(path))
