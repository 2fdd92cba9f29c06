"""The catalog as pricing reads it: the columns that it needs, and their fingerprint."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import dataframely as dy
import polars as pl

from gpu_pricer.tables.low_memory import add_rows, is_unique
from gpu_pricer.tables.reading import read_table


class PricedProducts(dy.Schema):
    """What pricing needs of a catalog; further columns are of no concern to it."""

    product_id = dy.Any(description="unique", metadata={"id": True})  # type: ignore[dict-item]
    category_id = dy.String(nullable=True, description="need group; null: alone")
    price = dy.Float64(min_exclusive=0, description="today's price")
    cost = dy.Float64(min=0, description="unit cost")
    availability = dy.Float64(
        nullable=True, min=0, max=1, description="null or absent: the artefact's", metadata={"optional": True}
    )

    @dy.rule()
    def product_is_given(cls) -> pl.Expr:
        return pl.col("product_id").is_not_null()

    @dy.rule()
    def product_is_unique(cls) -> pl.Expr:
        return is_unique("product_id")


def read_catalog(path: Path, columns: Sequence[str] = ()) -> pl.DataFrame:
    """The catalog's columns that pricing needs, and those of these that it has; InputError when it breaks a rule."""
    table = read_table(path, PricedProducts)
    requested = (*PricedProducts.column_names(), *columns)
    return table.select(name for name in dict.fromkeys(requested) if name in table.columns)


def catalog_fingerprint(catalog: pl.DataFrame) -> str:
    """A hash of what pricing reads of a catalog, whatever the order of its rows."""
    digest = hashlib.sha256()
    add_rows(digest, catalog, by="product_id")
    return digest.hexdigest()[:16]
