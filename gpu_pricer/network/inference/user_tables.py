"""Tables that users bring to `predict` and `assign`: read, checked, and with ids in the types of the trained tables."""

from collections.abc import Collection
from pathlib import Path

import dataframely as dy
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.attributes import Vocabulary
from gpu_pricer.tables.attributes import like_attributes
from gpu_pricer.tables.checking import check
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.further_columns import set_apart
from gpu_pricer.tables.reading import collect, conform, scan_table


def required_path(key: str, value: object) -> Path:
    """Return the path that the configuration key names; InputError when it names none."""
    if not isinstance(value, str) or not value:
        raise InputError(f"{key} must be a Parquet file, found {value!r}: set {key}=FILE")
    return Path(value)


def new_file(key: str, value: object) -> Path:
    """Return the file to write that the key names; InputError when it is a folder or names none."""
    path = required_path(key, value)
    if path.is_dir():
        raise InputError(f"{key} must be a file, found the folder {path}: name a file in it")
    return path


def write_new(table: pl.DataFrame, path: Path) -> None:
    """Write the table, replacing the file at once; the folder is made if it is absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as fresh:
        write_table(table, fresh)


def checked_table(
    path: Path, schema: type[dy.Schema], context: Collection[str] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the table twice, as given and in the schema's types; raise InputError when a row breaks a rule.

    In the second one the columns that neither the schema nor `context` names are set apart.
    """
    origin = str(path)
    given = collect(scan_table(path), origin)
    rows = conform(given.lazy(), schema, origin, keep_others=True).collect()
    broken = check(rows, schema)
    if broken.broken:
        raise InputError(f"{origin} {broken.report()}: mend these rows")
    return given, set_apart(rows, {*schema.column_names(), *context})


def with_ids_of(known: dict[str, pl.DataFrame], rows: pl.DataFrame, origin: str) -> pl.DataFrame:
    """Return the rows with ids in the types of the known tables; InputError when one is text and the other a number."""
    for column, table in known.items():
        expected, found = table.schema[column], rows.schema[column]
        if found != expected and pl.String in (found, expected):
            raise InputError(
                f"{origin}: {column} must be {expected} as in the tables trained on, found {found}: convert the column"
            )
        rows = rows.with_columns(pl.col(column).cast(expected))
    return rows


def read_known_table(path: Path, schema: type[dy.Schema], known: pl.DataFrame, vocabulary: Vocabulary) -> pl.DataFrame:
    """Return the products or users in a file, with ids and attributes in the types of `known`.

    vocabulary: names the attributes. InputError when a row breaks a rule, or a column is of another kind.
    """
    (column,) = {"product_id", "user_id"} & {*schema.column_names()}
    rows = with_ids_of({column: known}, checked_table(path, schema)[1], str(path))
    names = [name for name in vocabulary.columns if name not in schema.column_names()]
    return like_attributes(known, rows, names, str(path))
