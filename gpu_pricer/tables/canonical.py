"""Reading canonical tables; the columns that a schema does not name are set apart from ours."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from gpu_pricer.errors import InputError, first_line
from gpu_pricer.tables.further_columns import set_apart
from gpu_pricer.tables.schemas import (
    GROUP_NUMBER,
    PRICE_GROUP,
    USUAL,
    BegunCategories,
    Catalog,
    Categories,
    Choices,
    Context,
    GroupShelf,
    Sales,
    Shelf,
    Shoppers,
    Users,
    Visits,
)

SCHEMAS: dict[str, type[dy.Schema]] = {
    "products": Catalog,
    "users": Users,
    "shelf": Shelf,
    "group_shelf": GroupShelf,
    "choices": Choices,
    "visits": Visits,
    "sales": Sales,
    "shoppers": Shoppers,
    "categories": Categories,
    "begun_shelf": Shelf,
    "begun_choices": Choices,
    "begun_visits": Visits,
    "begun_categories": BegunCategories,
}
"""The tables that `prepare` writes; those of a period that has begun only where one teaches, and the group_shelf only
where users of price groups saw prices of their own."""
SHELF_OWN = frozenset({*Shelf.column_names(), *Context.column_names()})
"""The columns of a shelf, or of offers, that have a meaning of their own."""
OWN: dict[str, Collection[str]] = {
    "products": Catalog.column_names(),
    "users": Users.column_names(),
    "shelf": SHELF_OWN,
    "begun_shelf": SHELF_OWN,
}


def read_canonical(directory: Path, name: str) -> pl.DataFrame:
    """Return a canonical table of the directory, the further columns of products, users and shelves set apart.

    Visits of older tables, which know no price groups, are at the usual prices.
    """
    table = pl.read_parquet(directory / f"{name}.parquet")
    if name.endswith("visits") and PRICE_GROUP not in table.columns:
        return table.with_columns(pl.lit(USUAL, GROUP_NUMBER).alias(PRICE_GROUP))
    return set_apart(table, OWN[name]) if name in OWN else table


def read_group_shelf(directory: Path) -> pl.DataFrame | None:
    """Return the canonical group_shelf of the directory, None where nobody saw prices of a group."""
    path = directory / "group_shelf.parquet"
    return pl.read_parquet(path) if path.is_file() else None


def read_summary(directory: Path) -> dict[str, Any] | None:
    """Return summary.json of the canonical tables in a directory, None where there is none.

    InputError where it is not what `prepare` writes.
    """
    path = directory / "summary.json"
    if not path.is_file():
        return None
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} must be readable, found: {first_line(error)}; run `gpu-pricer prepare` again"
        ) from error
