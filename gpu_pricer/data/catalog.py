"""The catalog: every product that can be priced, with today's price, cost and availability."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.data.categories import CategoryRule, sized_categories
from gpu_pricer.errors import InputError
from gpu_pricer.tables.schemas import Catalog, Products


@dataclass(frozen=True)
class CatalogRule:
    """What is assumed where the products table is silent.

    cost_ratio: unit cost over list price, or over price where there is no list price (null: never assumed);
    availability_periods: over how many of the last periods the share on the shelf is taken.
    """

    cost_ratio: float | None
    availability_periods: int

    def __post_init__(self) -> None:
        if self.cost_ratio is not None:
            require_number("cost_ratio", self.cost_ratio, least=0, below=1)
        require_integer("availability_periods", self.availability_periods, 1)


def build_catalog(
    products: pl.DataFrame,
    modal: pl.DataFrame,
    shelf: pl.DataFrame,
    whole: list[date],
    rule: CatalogRule,
    categories: CategoryRule,
) -> pl.DataFrame:
    """The products that have a price, sorted; what the products table gives wins over what the sales say.

    Today's price is that of the last period on the shelf, the usual one where nobody showed it, else the modal price of
    the last period with a sale. Availability is the share of the last periods on the shelf. InputError when a cost is
    missing and none may be assumed.
    """
    sold = _last_prices(modal).join(_last_prices(shelf), on="product_id", how="left", suffix="_on_shelf")
    recent = shelf.filter(pl.col("period").is_in(whole[-rule.availability_periods :]))
    share = recent.group_by("product_id").agg(share=pl.len() / min(len(whole), rule.availability_periods))
    attributes = [name for name in products.columns if name not in {*Products.column_names(), *Catalog.column_names()}]
    priced = (
        products.select(Products.column_names())
        .join(sold, on="product_id", how="left", suffix="_sold")
        .join(share, on="product_id", how="left")
        .with_columns(
            pl.coalesce("price", "price_on_shelf", "price_sold").alias("price"),
            pl.coalesce("list_price", "list_price_on_shelf", "list_price_sold").alias("list_price"),
            pl.coalesce("availability", "share", 0.0).alias("availability"),
        )
        .filter(pl.col("price").is_not_null())
        .select(Products.column_names())
    )
    offered = pl.concat([shelf["product_id"], priced.filter(pl.col("availability") > 0)["product_id"]]).unique()
    catalog = _with_cost(priced, rule).join(products.select("product_id", *attributes), on="product_id")
    return _arranged(sized_categories(catalog, offered, categories), attributes)


def _last_prices(prices: pl.DataFrame) -> pl.DataFrame:
    """Each product's price of its last period, and the list price of the last period that has one."""
    ordered = prices.sort("product_id", "period")
    return ordered.group_by("product_id", maintain_order=True).agg(
        pl.col("price").last(), pl.col("list_price").drop_nulls().last()
    )


def _with_cost(catalog: pl.DataFrame, rule: CatalogRule) -> pl.DataFrame:
    missing = catalog.filter(pl.col("cost").is_null())
    if rule.cost_ratio is None and not missing.is_empty():
        raise InputError(
            f"every product must have a cost, found none for {missing.height:,} products such as "
            f"{missing['product_id'].head(3).to_list()}: "
            "fill the column cost of products or set data.catalog.cost_ratio"
        )
    assumed = (pl.coalesce("list_price", "price") * pl.lit(rule.cost_ratio, dtype=pl.Float64)).round(4)
    source = pl.when(pl.col("cost").is_null()).then(pl.lit("assumed")).otherwise(pl.lit("given"))
    return catalog.with_columns(
        source.cast(Catalog.columns()["cost_source"].dtype).alias("cost_source"), pl.coalesce("cost", assumed)
    )


def _arranged(catalog: pl.DataFrame, attributes: list[str]) -> pl.DataFrame:
    """The columns of the contract without those that nobody filled, then the attributes; sorted."""
    empty = {name for name in ("stock", "competitor_price") if catalog[name].is_null().all()}
    columns = [name for name in Catalog.column_names() if name not in empty]
    return catalog.select(*columns, *attributes).sort("product_id")
