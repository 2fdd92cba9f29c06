"""The catalog as a version was priced from it: its copy in the version's record, and the one reader of that."""

from pathlib import Path

import polars as pl

from gpu_pricer.errors import readable
from gpu_pricer.tables.price_table import RESTORE
from gpu_pricer.tables.version.names import CATALOG_COPY, RECORD


def read_catalog_copy(folder: Path, *columns: str | pl.Expr) -> pl.DataFrame:
    """Return columns of the catalog that the version in a folder was priced from, all unless some are asked for.

    Raise InputError if the copy is damaged or lost, or lacks one of the columns.
    """
    path = folder / RECORD / CATALOG_COPY
    with readable(path, RESTORE):
        return pl.scan_parquet(path).select(columns or pl.all()).collect()


def find_catalog_copy(folder: Path, *columns: str | pl.Expr) -> pl.DataFrame | None:
    """Return columns of the catalog of the version in a folder as read_catalog_copy, None if it keeps no copy."""
    return read_catalog_copy(folder, *columns) if (folder / RECORD / CATALOG_COPY).is_file() else None
