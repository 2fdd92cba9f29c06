"""Reading canonical tables; the columns that a schema does not name are set apart from ours."""

from collections.abc import Collection
from pathlib import Path

import polars as pl

from gpu_pricer.tables.further_columns import set_apart
from gpu_pricer.tables.schemas import Catalog, Context, Shelf, Users

SHELF_OWN = frozenset({*Shelf.column_names(), *Context.column_names()})
"""The columns of a shelf, or of offers, that have a meaning of their own."""
OWN: dict[str, Collection[str]] = {
    "products": Catalog.column_names(),
    "users": Users.column_names(),
    "shelf": SHELF_OWN,
    "begun_shelf": SHELF_OWN,
}


def read_canonical(directory: Path, name: str) -> pl.DataFrame:
    """Return a canonical table of the directory, the further columns of products, users and shelves set apart."""
    table = pl.read_parquet(directory / f"{name}.parquet")
    return set_apart(table, OWN[name]) if name in OWN else table
