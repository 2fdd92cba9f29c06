"""The catalog as pricing reads it: the columns that pricing needs, and their fingerprint."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import dataframely as dy
import polars as pl

from gpu_pricer.tables.files.low_memory import add_rows, is_unique
from gpu_pricer.tables.reading import read_table
from gpu_pricer.tables.schemas import ASSUMED, COST_SOURCES
from gpu_pricer.tables.vat import VAT_RATE, require_vat_rates

log = logging.getLogger(__name__)


class PricedProducts(dy.Schema):
    """The columns of a catalog that pricing needs; a catalog may have others."""

    product_id = dy.Any(description="unique", metadata={"id": True})  # type: ignore[dict-item]
    category_id = dy.String(nullable=True, description="need group; null: alone")
    price = dy.Float64(min_exclusive=0, description="today's price")
    cost = dy.Float64(min=0, description="unit cost")
    availability = dy.Float64(
        nullable=True, min=0, max=1, description="null or absent: the artefact's", metadata={"optional": True}
    )
    has_unit_price = dy.Float64(
        nullable=True, description="0: not priced; null or absent: 1", metadata={"optional": True, "flag": True}
    )
    cost_source = dy.String(
        nullable=True, description="given or assumed; null or absent: given", metadata={"optional": True}
    )
    vat_rate = dy.Float64(
        nullable=True,
        allow_inf=True,
        allow_nan=True,
        description="from 0 to below 1, of all products: their prices include VAT; absent: they do not",
        metadata={"optional": True},
    )

    @dy.rule()
    def product_is_given(cls) -> pl.Expr:
        return pl.col("product_id").is_not_null()

    @dy.rule()
    def product_is_unique(cls) -> pl.Expr:
        return is_unique("product_id")

    @dy.rule()
    def cost_source_is_given_or_assumed(cls) -> pl.Expr:
        return pl.col("cost_source").is_in(COST_SOURCES)


def is_cost_assumed(catalog: pl.DataFrame) -> pl.Expr:
    """Return whether `prepare` assumed the cost of each product as a share of its list price, over the catalog."""
    if "cost_source" not in catalog.columns:
        return pl.lit(False)
    return (pl.col("cost_source").cast(pl.String) == ASSUMED).fill_null(False)


def read_catalog(path: Path, columns: Sequence[str] = (), where: pl.Expr | None = None) -> pl.DataFrame:
    """Return the catalog's columns that pricing needs, and those of `columns` that it has.

    where: which products to read, None for all. Without any VAT rate there is no column of them. Raise InputError if
    the catalog breaks a rule.
    """
    table = read_table(path, PricedProducts, where)
    table = table.drop(VAT_RATE) if table[VAT_RATE].is_null().all() else table
    require_vat_rates(table, str(path), "fill the column vat_rate")
    if VAT_RATE in table.columns:
        log.info("%s has VAT rates: its prices include VAT, its costs do not", path)
    requested = (*PricedProducts.column_names(), *columns)
    return table.select(name for name in dict.fromkeys(requested) if name in table.columns)


def catalog_fingerprint(catalog: pl.DataFrame) -> str:
    """Return a hash of what pricing reads of a catalog; it does not depend on the order of the rows."""
    digest = hashlib.sha256()
    add_rows(digest, catalog, by="product_id")
    return digest.hexdigest()[:16]
