"""Columns that no schema names, set apart from ours.

A user's attribute or context column may be called anything, also like a column that a computation adds. A prefix that
no column of ours has keeps the two apart.
"""

from collections.abc import Collection

import polars as pl

FURTHER = "further:"
"""The prefix of the columns that no schema names."""


def set_apart(table: pl.DataFrame, own: Collection[str]) -> pl.DataFrame:
    """Return the table with the prefix FURTHER before the name of every column that is not one of `own`."""
    return table.rename({name: name_apart(name, own) for name in table.columns})


def name_apart(name: str, own: Collection[str]) -> str:
    """Return the name that set_apart gives to a column."""
    return name if name in own else FURTHER + name


def given_name(name: str) -> str:
    """Return the name that the user gave to a column that set_apart may have renamed."""
    return name.removeprefix(FURTHER)
