"""Which products can be priced, and by which row of the demand artefact."""

from dataclasses import dataclass

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.files.low_memory import rows_of
from gpu_pricer.tables.schemas import category_key, has_unit_price

NO_UNIT_PRICE = "no_unit_price: its lines hold what was spent and not a price, as of goods sold by weight"
NO_DEMAND = "neither the product nor a fallback of its category is in the demand artefact"


@dataclass(frozen=True)
class Matched:
    """The products that can be priced, sorted by category, then product, and those that cannot.

    products: product_id, category_id (never null), price, cost, demand_row, reference_price, min_price,
    max_price (currency), availability, units_per_choice, vat_rate where prices include VAT, and the catalog's rule
    columns. unpriced: product_id, reason.
    """

    products: pl.DataFrame
    unpriced: pl.DataFrame


def match_products(catalog: pl.DataFrame, artefact: DemandArtefact) -> Matched:
    """Return each catalog product with its demand: its own row, else its category's fallback, else it is unpriced.

    A product without a unit price is unpriced too.
    The support of a fallback is scaled so that the product's price of today becomes its reference price. A product
    without a category is alone in the category `product:<product_id>`. Raises InputError when the ids of catalog and
    artefact are of different kinds, or when no product matches.
    """
    demand = artefact.products.with_columns(
        pl.int_range(pl.len(), dtype=pl.Int32).alias("demand_row"),
        _id_like(catalog.schema["product_id"], artefact.products.schema["product_id"]),
    )
    priced = _with_unit_price(catalog)
    matched = _with_demand(priced, demand)
    if matched.is_empty():
        raise InputError(
            f"the demand artefact must know a product or category of the catalog's {catalog.height} rows, "
            "found none: point paths.demand and paths.catalog at the same market"
        )
    availability = pl.coalesce("availability", "availability_right")
    matched = matched.with_columns(availability=availability).drop("availability_right")
    unpriced = [_unpriced(catalog, priced, NO_UNIT_PRICE), _unpriced(priced, matched, NO_DEMAND)]
    return Matched(matched, pl.concat(unpriced).sort("product_id"))


def _with_unit_price(catalog: pl.DataFrame) -> pl.DataFrame:
    """Return the products that have a unit price, without the column that says so; raise InputError if none has."""
    is_priced = catalog.select(has_unit_price(catalog)).to_series()
    catalog = catalog.drop("has_unit_price", strict=False)
    if is_priced.all():
        return catalog
    if not is_priced.any():
        raise InputError(
            f"some product of the catalog must have a unit price, found none in its {catalog.height} rows: mend its "
            "column has_unit_price"
        )
    return catalog.filter(is_priced)


def _with_demand(catalog: pl.DataFrame, demand: pl.DataFrame) -> pl.DataFrame:
    """Return the catalog's products that have a demand of their own or their category's fallback; see Matched.

    The tables are joined by ids alone and sorted afterwards, so that only one large table is made at a time.
    """
    row = pl.Series("demand_row", rows_of(catalog["product_id"], demand["product_id"]))
    rows = catalog.with_columns(category_key(), row).sort("category_id", "product_id")
    has_own = rows["demand_row"] >= 0
    own = rows if has_own.all() else rows.filter(has_own)
    values = demand.drop("product_id", "category_id", "choices_per_purchase", "demand_row")
    own = own.hstack(values.rename({"availability": "availability_right"})[own["demand_row"]])
    if has_own.all():
        return own
    others = _by_fallback(rows.filter(~has_own), demand)
    return pl.concat([own, others.select(own.columns)]).sort("category_id", "product_id")


def _unpriced(products: pl.DataFrame, kept: pl.DataFrame, reason: str) -> pl.DataFrame:
    """Return product_id and the reason of the products that are not among the kept ones."""
    others = products.clear()
    if kept.height < products.height:
        others = products.join(kept, on="product_id", how="anti")
    return others.select("product_id", reason=pl.lit(reason))


def _by_fallback(rows: pl.DataFrame, demand: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose category has a fallback, with the fallback's demand scaled to today's price."""
    fallback = demand.filter(pl.col("product_id").is_null()).drop("product_id")
    found = rows.drop("demand_row").join(fallback, on="category_id", how="inner")
    scale = pl.col("price") / pl.col("reference_price")
    return found.with_columns(
        min_price=pl.col("min_price") * scale, max_price=pl.col("max_price") * scale, reference_price="price"
    )


def _id_like(required: pl.DataType, found: pl.DataType) -> pl.Expr:
    """Return the artefact's product ids in the catalog's type: integers stay integers, text stays text."""
    column = pl.col("product_id")
    if found == pl.Null or (required.is_integer() and found.is_integer()):
        return column.cast(required)
    if required == pl.String and not found.is_numeric():
        return column.cast(pl.String)
    raise InputError(
        f"product_id must be of one kind in the demand artefact and the catalog, found {found} and {required}: "
        "write the catalog's ids as the training data had them"
    )
