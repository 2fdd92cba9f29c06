"""Reading canonical tables; the columns that a schema does not name are set apart from ours.

A user's attribute or context column may be called anything, also like a column that a computation adds. A prefix that
no column of ours has keeps the two apart.
"""

from collections.abc import Collection
from pathlib import Path

import polars as pl

from gpu_pricer.tables.schemas import Catalog, Context, Shelf, Users

FURTHER = "further:"
"""The prefix of the columns that no schema names."""
SHELF_OWN = frozenset({*Shelf.column_names(), *Context.column_names()})
"""The columns of a shelf, or of offers, that have a meaning of their own."""
OWN: dict[str, Collection[str]] = {
    "products": Catalog.column_names(),
    "users": Users.column_names(),
    "shelf": SHELF_OWN,
}


def read_canonical(directory: Path, name: str) -> pl.DataFrame:
    """Return the canonical table products, users or shelf of the directory, with its further columns set apart."""
    return set_apart(pl.read_parquet(directory / f"{name}.parquet"), OWN[name])


def set_apart(table: pl.DataFrame, own: Collection[str]) -> pl.DataFrame:
    """Return the table with the prefix FURTHER before the name of every column that is not one of `own`."""
    return table.rename({name: name_apart(name, own) for name in table.columns})


def name_apart(name: str, own: Collection[str]) -> str:
    """Return the name that set_apart gives to a column."""
    return name if name in own else FURTHER + name


def given_name(name: str) -> str:
    """Return the name that the user gave to a column that set_apart may have renamed."""
    return name.removeprefix(FURTHER)
