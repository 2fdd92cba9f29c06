"""Choices: what each user chose from each category on each visit, nothing included.

Occasions without a purchase matter: without them, elasticities are attenuated by two thirds. A sample of them is kept
(`zeros.py`), and every choice has the rate at which occasions without purchase like its own were drawn. Adding
log(rate) to the utility of buying nothing makes the conditional likelihood exact (choice-based sampling: Manski &
McFadden 1981).

Purchases come from transactions or from an offers table, which says what each user saw on each occasion. The canonical
tables have one shelf per period, so the offers of a period are folded into it: a product is on the shelf if anybody saw
it. The offers table itself holds the occasions without a purchase, so none is drawn.
"""

from dataclasses import dataclass

import polars as pl

from gpu_pricer.checks import require_flag, require_integer, require_number
from gpu_pricer.tables.schemas import GROUP_NUMBER, PRICE_GROUP, UNIT_COUNT, USUAL

OCCASION = ("user_id", "period", "category_id")
"""What identifies an occasion in transactions."""
OFFER_OCCASION = (*OCCASION, "occasion_id")
"""What identifies an occasion in an offers table; two users may have equal occasion ids."""
ORDER = ("period", "user_id", "category_id", "product_id", "quantity", "weight", "size")
"""The keys of the canonical order of choices."""
SUMS = ("occasions", "products", "units")
"""What the purchases of a category add up to."""
COLUMNS = ("user_id", "period", "category_id", "product_id", "weight", "size", "quantity", "outside_rate")


@dataclass(frozen=True)
class ChoiceRule:
    """How many occasions without purchase are kept, and how far small categories are shrunk.

    outside_option: whether occasions without purchase are kept at all. zeros_per_purchase, min_zeros: each category
    keeps zeros_per_purchase times its buying occasions, and at least min_zeros. keep_all_below: if all categories
    together have no more occasions without purchase than this, all are kept. shrinkage: for how many buying occasions
    the mean over all categories counts when a category's rates are shrunk towards it.
    """

    outside_option: bool
    zeros_per_purchase: float
    min_zeros: int
    keep_all_below: int
    shrinkage: float

    def __post_init__(self) -> None:
        require_flag("outside_option", self.outside_option)
        for name in ("zeros_per_purchase", "shrinkage"):
            require_number(name, getattr(self, name), above=0)
        for name in ("min_zeros", "keep_all_below"):
            require_integer(name, getattr(self, name), 0)


def visits_of(lines: pl.DataFrame) -> pl.DataFrame:
    """Return user_id, period and price_group of every visit, sorted by period and user.

    A user with lines of several price groups in a period belongs to the one with the most lines, the first of equals.
    Lines without price_group are at the usual prices.
    """
    if PRICE_GROUP not in lines.columns:
        visits = lines.select("user_id", "period").unique().sort("period", "user_id")
        return visits.with_columns(pl.lit(USUAL, GROUP_NUMBER).alias(PRICE_GROUP))
    counts = lines.group_by("period", "user_id", PRICE_GROUP).len()
    ordered = counts.sort("period", "user_id", "len", PRICE_GROUP, descending=[False, False, True, False])
    first = ordered.unique(["period", "user_id"], keep="first", maintain_order=True)
    return first.select("user_id", "period", PRICE_GROUP)


def purchases_on_shelf(lines: pl.DataFrame, shelf: pl.DataFrame) -> pl.DataFrame:
    """Return the purchases of products on the shelf, sorted by occasion and product.

    lines: user_id, product_id, period, quantity (units). shelf: product_id, period, category_id. The columns are those
    of OCCASION, product_id, quantity, size (the number of products bought on the occasion) and weight (1 / size).
    """
    return (
        lines.lazy()
        .join(shelf.lazy().select("product_id", "period", "category_id"), on=("product_id", "period"))
        .group_by(*OCCASION, "product_id", maintain_order=True)  # or the sums' last bits change from run to run
        .agg(pl.col("quantity").sum())
        .with_columns(pl.len().over(OCCASION).alias("size"))
        .with_columns((1 / pl.col("size")).alias("weight"))
        .sort(*OCCASION, "product_id")
        .collect(engine="in-memory")
    )


def arranged(purchases: pl.DataFrame, zeros: pl.DataFrame) -> pl.DataFrame:
    """Return the canonical choices, which are the purchases and the occasions without purchase, in canonical order.

    purchases: with at least COLUMNS. zeros: the same without size.
    """
    size = pl.col("size").cast(pl.Int32)
    parts = (purchases.lazy().with_columns(size), zeros.lazy().with_columns(size=pl.lit(1, pl.Int32)))
    return (
        pl.concat([part.select(COLUMNS) for part in parts])
        .with_columns(pl.col("weight", "outside_rate").cast(pl.Float32))
        .sort(ORDER, nulls_last=True)
        .collect()
    )


def occasion_sums(purchases: pl.DataFrame) -> pl.DataFrame:
    """Return category_id, occasions, products and units: how many buying occasions each category had, and of what.

    purchases: from purchases_on_shelf. The sums are taken in the order of the purchases, so that they are equal to the
    last bit.
    """
    occasions = pl.col("weight").sum().alias("occasions")  # the weights of an occasion sum to its own weight
    products = (pl.col("weight") * pl.col("size")).sum().alias("products")
    units = UNIT_COUNT.sum().alias("units")
    return purchases.group_by("category_id", maintain_order=True).agg(occasions, products, units)


def total_sums(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the sums of all parts, in their order; parts: from occasion_sums."""
    return pl.concat(parts).group_by("category_id", maintain_order=True).agg(pl.col(SUMS).sum())


def category_rates(sums: pl.DataFrame, categories: pl.Series, shrinkage: float) -> pl.DataFrame:
    """Return category_id, choices_per_purchase and units_per_choice: mean products and units of a buying occasion.

    sums: from occasion_sums. A category's means are shrunk towards the means over all occasions, which count as
    `shrinkage` occasions.
    """
    total, total_products, total_units = sums.sort("category_id").select(pl.col(SUMS).sum()).row(0)
    mean_products, mean_units = total_products / total, total_units / total
    weight = pl.col("occasions") + shrinkage
    return (
        pl.DataFrame({"category_id": categories.unique().sort()})
        .join(sums, on="category_id", how="left", maintain_order="left")
        .with_columns(pl.col(SUMS).fill_null(0))
        .select(
            "category_id",
            choices_per_purchase=(pl.col("products") + shrinkage * mean_products) / weight,
            units_per_choice=(pl.col("units") + shrinkage * mean_units) / weight,
        )
    )


def purchases_from_offers(offers: pl.DataFrame, shelf: pl.DataFrame) -> pl.DataFrame:
    """Return the purchases of an offers table, with size and weight: the occasion's own weight divided by size.

    offers: with the period of every row. shelf: product_id, period, category_id.
    """
    size = pl.len().over(OFFER_OCCASION).alias("size")
    bought = _with_category(offers, shelf).filter(pl.col("quantity") > 0).with_columns(size)
    return bought.with_columns(pl.col("weight") / pl.col("size"))


def zeros_from_offers(offers: pl.DataFrame, shelf: pl.DataFrame) -> pl.DataFrame:
    """Return the occasions that bought nothing of a category that they saw.

    offers, shelf: as in purchases_from_offers.
    """
    seen = _with_category(offers, shelf).group_by(OFFER_OCCASION, maintain_order=True)
    return (
        seen.agg(pl.col("quantity").sum(), pl.col("weight").first())
        .filter(pl.col("quantity") == 0)
        .with_columns(pl.lit(None, dtype=offers.schema["product_id"]).alias("product_id"))
    )


def off_modal_count(offers: pl.DataFrame, shelf: pl.DataFrame) -> tuple[int, int]:
    """Return how many offers were shown at another price than their product has on the shelf, and how many in all."""
    on_shelf = offers.join(shelf.select("product_id", "period", shelf_price="price"), on=("product_id", "period"))
    return int((on_shelf["price"] != on_shelf["shelf_price"]).sum()), on_shelf.height


def _with_category(offers: pl.DataFrame, shelf: pl.DataFrame) -> pl.DataFrame:
    category = shelf.select("product_id", "period", "category_id")
    return offers.join(category, on=("product_id", "period"), maintain_order="left").with_columns(
        pl.col("weight").fill_null(1.0)
    )
