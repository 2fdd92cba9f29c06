"""Which products have no sale in the prepared log, so that their demand is learned from other products."""

from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.price_table import collect_prices
from gpu_pricer.tables.priced_products import read_catalog
from gpu_pricer.tables.schemas import has_unit_price
from gpu_pricer.tables.version.names import RECORD, UNPRICED

UNSOLD = (
    "The prepared log has no sale of this product: its demand is learned from products of the same category and with "
    "the same attributes."
)
UNKNOWN = (
    "The demand model does not know this product: the demand of its category stands for it, around its own price of "
    "today."
)


class NeverSold(NamedTuple):
    """How many priced products on the shelf have no sale in the prepared log (unsold), of how many (products)."""

    unsold: int
    products: int


def never_sold(data: Path, products: pl.Series, until: date | None = None) -> pl.Series | None:
    """Return the product ids, as text, that have no line in the canonical sales of a folder.

    until: the last day whose sales count, None for all. Ids are compared as text, because a catalog may have them in
    another type. None where the folder has no sales.
    """
    path = data / "sales.parquet"
    if not path.is_file():
        return None
    sales = pl.scan_parquet(path)
    sales = sales if until is None else sales.filter(pl.col("day") <= until)
    sold = sales.select(pl.col("product_id").cast(pl.String).unique()).collect().to_series()
    ids = products.cast(pl.String)
    return ids.filter(~ids.is_in(sold.implode()))


def never_sold_of(data: Path, catalog: Path, version: Path) -> NeverSold | None:
    """Return how many products of a version were never sold, by the canonical sales in `data`; None without these.

    Products on the shelf count: those whose availability is above 0 or left to the demand. catalog: the file of its
    products. version: its folder, whose record lists the products without a price. InputError where that is damaged.
    """
    priced = read_catalog(catalog)
    counts = has_unit_price(priced)
    if "availability" in priced.columns:
        counts &= (pl.col("availability") > 0).fill_null(True)
    products = priced.filter(counts)["product_id"].cast(pl.String)
    unpriced = version / RECORD / UNPRICED
    if unpriced.is_file():
        lost = collect_prices(pl.scan_parquet(unpriced).select(pl.col("product_id").cast(pl.String)), unpriced)
        products = products.filter(~products.is_in(lost["product_id"].implode()))
    found = never_sold(data, products)
    return None if found is None else NeverSold(len(found), len(products))


def unsold_words(data: Path, artefact: DemandArtefact, product_id: object) -> str:
    """Return the sentence on a product whose demand comes from no sale of its own; "" for another, or if unknown.

    Sales after the last day that the demand knows do not count: they came too late to teach it. A product that the
    demand artefact does not have takes the row of its category, whatever was sold of it since.
    """
    product = pl.Series([product_id]).cast(pl.String)
    if not artefact.products["product_id"].cast(pl.String).is_in(product.implode()).any():
        return UNKNOWN
    found = never_sold(data, product, artefact.info.last_sales_day)
    return UNSOLD if found is not None and len(found) else ""
