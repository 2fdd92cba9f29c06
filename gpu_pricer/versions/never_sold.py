"""Which products were never sold, so that their demand is what other products taught."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.priced_products import read_catalog
from gpu_pricer.tables.schemas import has_unit_price
from gpu_pricer.tables.version.names import RECORD, UNPRICED

UNSOLD = "No sale of this product was seen: its demand is that of products of its category and with its attributes."
UNKNOWN = "No sale of this product was seen: its demand is that of its category, around its own price of today."


class NeverSold(NamedTuple):
    """How many of the priced products were never sold, and how many products are priced."""

    unsold: int
    products: int


def never_sold(data: Path, products: pl.Series) -> pl.Series | None:
    """Return those of the product ids of which the canonical sales in a folder have no line, as text.

    Ids are compared as text, because a catalog may have them in another type. None where the folder has no sales.
    """
    sales = data / "sales.parquet"
    if not sales.is_file():
        return None
    sold = pl.scan_parquet(sales).select(pl.col("product_id").cast(pl.String).unique()).collect().to_series()
    ids = products.cast(pl.String)
    return ids.filter(~ids.is_in(sold.implode()))


def never_sold_of(data: Path, catalog: Path, version: Path) -> NeverSold | None:
    """Return how many products of a version were never sold, by the canonical sales in `data`; None without these.

    catalog: the file of its products. version: its folder, whose record lists the products without a price.
    """
    priced = read_catalog(catalog)
    products = priced.filter(has_unit_price(priced))["product_id"].cast(pl.String)
    unpriced = version / RECORD / UNPRICED
    if unpriced.is_file():
        lost = pl.read_parquet(unpriced, columns=["product_id"])["product_id"].cast(pl.String)
        products = products.filter(~products.is_in(lost.implode()))
    found = never_sold(data, products)
    return None if found is None else NeverSold(len(found), len(products))


def unsold_words(data: Path, artefact: DemandArtefact, product_id: object) -> str:
    """Return the sentence on a product that was never sold, "" for one that was, or where nothing tells.

    A product that the demand artefact does not have takes the row of its category, whatever was sold of it since.
    """
    product = pl.Series([product_id]).cast(pl.String)
    if not artefact.products["product_id"].cast(pl.String).is_in(product.implode()).any():
        return UNKNOWN
    found = never_sold(data, product)
    return UNSOLD if found is not None and len(found) else ""
