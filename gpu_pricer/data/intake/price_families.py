"""Products that a shop sells at one price, such as the sizes of a style, by a column of the products."""

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from gpu_pricer.data.raw.raw_tables import SCHEMAS
from gpu_pricer.tables.attributes import holds_words
from gpu_pricer.tables.periods import Period

SAME = 0.01
"""Prices agree if they differ by at most this share, so that a rounded cent is no difference."""
LEAST_AGREEING = 0.9
"""Share of the comparisons inside families whose prices agree, from which on a shop gives families one price.

The others are slips, sizes that are sold out, and prices that changed on a day between the lines of two sizes.
"""
LEAST_FAMILIES = 10
"""Families of several products with known prices, from which on it is no chance that their prices agree."""
LEAST_SIZE = 2.0
"""Mean number of products of a family: with fewer, most products are alone, and the column names something else."""
LEAST_IN_CATEGORY = 3.0
"""Mean number of families in a category that has some: with fewer, one price would hold for half of a category."""
ORDERED = 0.9
"""Share of the steps from a value to the next one of its category at which the price rises, or falls at so many, from
which on the values code the price itself, as price levels do: the products then have one price by the name alone."""
STATED = 0.5
"""Share of the products with a price of their own from which on these prices are compared and not those of sales."""


@dataclass(frozen=True)
class PriceFamilies:
    """A column whose equal values name products of one price.

    families: values that several products share. products: of these families. agreeing: share of the comparisons,
    of a family or of a family in a period, in which all prices agree.
    """

    column: str
    families: int
    products: int
    agreeing: float


def price_families(
    products: pl.DataFrame, sales: pl.DataFrame, period: Period, amounts: Collection[str] = ()
) -> PriceFamilies | None:
    """Return the column by which products have one price, of several the one with the fewest families; None without.

    products, sales: as checked. amounts: columns that hold prices or costs, which name no families. Families lie inside
    categories, of which each has several. Where whole categories have one price, nothing is found.
    """
    prices = _prices(products, sales, period)
    if _agreement(prices, products, "category_id")[1] >= LEAST_AGREEING:
        return None
    known = SCHEMAS["products"].column_names()
    others = {*known, *amounts}
    names = [name for name, dtype in products.schema.items() if name not in others and _may_name_families(dtype)]
    found = [families for name in names if (families := _families(prices, products, name)) is not None]
    return min(found, key=lambda families: families.families, default=None)


def _may_name_families(dtype: pl.DataType) -> bool:
    return holds_words(dtype) or dtype.is_integer()


def _prices(products: pl.DataFrame, sales: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return product_id, period and price: today's, without a period, or the median of the sales in each period."""
    if products["price"].count() >= STATED * products.height:
        stated = products.drop_nulls("price")
        return stated.select("product_id", period=pl.lit(None, pl.Date), price="price")
    sold = sales.select("product_id", "price", period=period.start(pl.col("time")))
    return sold.group_by("product_id", "period").agg(pl.col("price").median())


def _families(prices: pl.DataFrame, products: pl.DataFrame, column: str) -> PriceFamilies | None:
    """Return the families of a column, None where its values name no products of one price."""
    named = products.select("product_id", "category_id", family=pl.col(column)).drop_nulls("family")
    sizes = named.group_by("family").agg(
        size=pl.len(),
        category=pl.col("category_id").first(),
        is_inside=(pl.col("category_id").n_unique() == 1) & pl.col("category_id").is_not_null().all(),
    )
    shared = sizes.filter(pl.col("size") > 1)
    categories = shared["category"].n_unique()
    if (
        shared.is_empty()
        or not shared["is_inside"].all()
        or named.height < LEAST_SIZE * sizes.height
        or shared.height < LEAST_IN_CATEGORY * categories
    ):
        return None
    compared, agreeing = _agreement(prices, named, "family")
    if compared < LEAST_FAMILIES or agreeing < LEAST_AGREEING or _codes_prices(prices, named):
        return None
    return PriceFamilies(column, shared.height, int(shared["size"].sum()), agreeing)


def _codes_prices(prices: pl.DataFrame, named: pl.DataFrame) -> bool:
    """Return whether the families of each category are ordered like their prices, so that their values code these.

    Values are ordered as they are and, where they are text, also by the number of their digits, as level 10 after 9.
    """
    family, price = pl.col("family"), pl.col("price")
    value = family.cast(pl.String) if holds_words(named.schema["family"]) else family
    number = family.cast(pl.String).str.replace_all(r"\D", "").cast(pl.Int64, strict=False)
    of_families = (
        prices.join(named, on="product_id")
        .group_by("category_id", "family")
        .agg(price=price.median(), value=value.first(), number=number.first())
    )
    return any(_is_ordered(of_families, by) for by in ("value", "number"))


def _is_ordered(families: pl.DataFrame, by: str) -> bool:
    """Return whether prices rise, or fall, from nearly each family of a category to the next one by a column."""
    step = pl.col("price").diff().over("category_id", order_by=by)
    steps = families.drop_nulls(by).select(step=step).drop_nulls()["step"]
    most = max((steps > 0).sum(), (steps < 0).sum())
    return steps.len() > 0 and most >= ORDERED * steps.len()


def _agreement(prices: pl.DataFrame, products: pl.DataFrame, column: str) -> tuple[int, float]:
    """Return of how many values of a column prices of several products are known, and the share that agrees."""
    family = products.select("product_id", family=pl.col(column)).drop_nulls("family")
    price = pl.col("price")
    cells = prices.join(family, on="product_id").group_by("family", "period").agg(
        products=pl.len(), is_agreeing=price.max() <= (1 + SAME) * price.min()
    )  # fmt: skip
    compared = cells.filter(pl.col("products") > 1)
    share = compared["is_agreeing"].mean() if compared.height else 0.0
    return compared["family"].n_unique(), float(share)  # type: ignore[arg-type]
