"""The assortment: the categories and products that are modelled, chosen by what was sold before validation."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.errors import InputError
from gpu_pricer.tables.schemas import category_key


@dataclass(frozen=True)
class AssortmentRule:
    """The rule for the sales and products that are kept; null for one of the first two fields keeps all of them.

    categories: the categories whose sales count, so that a visit is one that bought from at least one of them.
    products_per_category: how many best sellers of the training periods are kept in each category; a product without
    one is alone in its own.
    min_coverage: the least share of the training periods in which a best seller must have been sold.
    """

    categories: list[str] | None
    products_per_category: int | None
    min_coverage: float

    def __post_init__(self) -> None:
        if self.products_per_category is not None:
            require_integer("assortment.products_per_category", self.products_per_category, 1)
        require_number("assortment.min_coverage", self.min_coverage, least=0, most=1)
        if self.min_coverage and self.products_per_category is None:
            raise ValueError(
                f"assortment.min_coverage must be 0 where products_per_category is null, found {self.min_coverage!r}: "
                "set both"
            )


def sales_in_categories(sales: pl.DataFrame, products: pl.DataFrame, rule: AssortmentRule) -> pl.DataFrame:
    """Return the sales of the rule's categories, in order; raise InputError if no product has such a category."""
    if rule.categories is None:
        return sales
    unknown = sorted({*rule.categories} - {*products["category_id"]})
    if unknown:
        raise InputError(
            f"data.assortment.categories must be categories of products, found {', '.join(unknown)}: mend them, "
            "or the column that data.source names as category"
        )
    kept = products.filter(pl.col("category_id").is_in(rule.categories))
    return sales.join(kept, on="product_id", how="semi", maintain_order="left")


def best_sellers(
    sales: pl.DataFrame, products: pl.DataFrame, training: list[date], rule: AssortmentRule
) -> pl.DataFrame:
    """Return the products to keep, in order: in each category those with the most sales lines in the training periods.

    sales: sales lines, with quantity and period; a line without units, as of an offers table, is none of a sale.
    training: first days of the training periods. Of products with equally many lines, the smaller id counts as the
    better seller. Raise InputError if no product is left.
    """
    if rule.products_per_category is None:
        return products
    sold = (
        sales.filter(pl.col("quantity") > 0, pl.col("period").is_in(training))
        .group_by("product_id")
        .agg(lines=pl.len(), coverage=pl.col("period").n_unique() / len(training))
        .filter(pl.col("coverage") >= rule.min_coverage)
        .join(products.select("product_id", category_key()), on="product_id")
        .sort("lines", "product_id", descending=[True, False])
        .group_by("category_id")
        .head(rule.products_per_category)
    )
    if sold.is_empty():
        raise InputError(
            f"some product must be sold in {rule.min_coverage:.0%} of the training periods, found none: "
            "lower data.assortment.min_coverage"
        )
    return products.join(sold, on="product_id", how="semi", maintain_order="left")
