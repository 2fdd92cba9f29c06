"""Choices from a log of what was shown: an offers table says what each user saw on each occasion.

The canonical tables know one shelf per period, so the offers of a period are folded into it: a product is on
the shelf when anybody saw it, at its modal price over all offers of the period. Occasions without a purchase
stand in the table itself, none is drawn.
"""

import polars as pl

OCCASION = ("occasion_id", "category_id")


def purchases_from_offers(offers: pl.DataFrame, shelf: pl.DataFrame) -> pl.DataFrame:
    """What was bought on every occasion: as purchases_on_shelf, and the occasion's own weight counts too."""
    size = pl.len().over(OCCASION).alias("size")
    bought = _with_category(offers, shelf).filter(pl.col("quantity") > 0).with_columns(size)
    return bought.with_columns(pl.col("weight") / pl.col("size"))


def zeros_from_offers(offers: pl.DataFrame, shelf: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The occasions that bought nothing of a category they saw, and outside_rate 1 for every category."""
    seen = _with_category(offers, shelf).group_by(*OCCASION, "user_id", "period")
    zeros = (
        seen.agg(pl.col("quantity").sum(), pl.col("weight").first())
        .filter(pl.col("quantity") == 0)
        .with_columns(pl.lit(None, dtype=offers.schema["product_id"]).alias("product_id"))
    )
    return zeros, shelf.select("category_id").unique().with_columns(outside_rate=pl.lit(1.0))


def off_modal_share(offers: pl.DataFrame, shelf: pl.DataFrame) -> float:
    """The share of offers shown at another price than the one their product has in the period's shelf."""
    on_shelf = offers.join(shelf.select("product_id", "period", shelf_price="price"), on=("product_id", "period"))
    return float(on_shelf.select((pl.col("price") != pl.col("shelf_price")).mean()).item() or 0.0)


def _with_category(offers: pl.DataFrame, shelf: pl.DataFrame) -> pl.DataFrame:
    category = shelf.select("product_id", "period", "category_id")
    return offers.join(category, on=("product_id", "period")).with_columns(pl.col("weight").fill_null(1.0))
