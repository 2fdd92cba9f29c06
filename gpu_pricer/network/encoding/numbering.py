"""The canonical tables in the order of their row numbers, with the row numbers of what each row refers to."""

from datetime import date

import polars as pl

from gpu_pricer.network.encoding.list_prices import listed_products
from gpu_pricer.tables.schemas import GROUP_NUMBER, PRICE_GROUP, USUAL, category_key, has_unit_price


def numbered_categories(rates: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Return the products' categories in their order; a category without rates takes the mean rates."""
    names = ("choices_per_purchase", "units_per_choice")
    joined = products.select(pl.col("category_id").unique(maintain_order=True)).join(
        rates, on="category_id", how="left", maintain_order="left"
    )
    return joined.with_columns(pl.col(name).fill_null(pl.col(name).mean()) for name in names)


def numbered_products(products: pl.DataFrame, shelf: pl.DataFrame, trained_to: date) -> pl.DataFrame:
    """Return the products sorted by category, with columns computed from the shelf.

    reference_price: median price in the training periods, else the first price ever, else today's price.
    is_trained, is_seen: whether the product was on the shelf in the training periods, and ever.
    is_listed: whether it has a list price in the training periods (see list_prices.py). shelf_periods: number of its
    training periods on the shelf. price_coverage: share of these in which the price was seen, 0 where it has no unit
    price and cannot teach. whole_is_listed, whole_shelf_periods, whole_price_coverage: the same over all periods.
    """
    seen = {"price_coverage": (pl.col("price_age") == 0).mean(), "shelf_periods": pl.len()}
    whole = {f"whole_{name}": of_product for name, of_product in seen.items()}
    training = shelf.filter(pl.col("period") <= trained_to)
    trained, ever = training.group_by("product_id"), shelf.sort("period").group_by("product_id")
    computed = (
        products.select("product_id", "price")
        .join(trained.agg(median=pl.col("price").median(), **seen), on="product_id", how="left")
        .join(ever.agg(first=pl.col("price").first(), **whole), on="product_id", how="left")
        .select(
            "product_id",
            *seen,
            *whole,
            is_listed=pl.col("product_id").is_in(listed_products(training).implode()),
            whole_is_listed=pl.col("product_id").is_in(listed_products(shelf).implode()),
            is_trained=pl.col("median").is_not_null(),
            is_seen=pl.col("first").is_not_null(),
            reference_price=pl.coalesce("median", "first", "price"),
        )
    )
    launched = "launched" if "launched" in products.columns else pl.lit(None, pl.Datetime("us"))
    numbered = products.with_columns(category_key(), has_unit_price=has_unit_price(products), launched=launched).join(
        computed, on="product_id", how="left"
    )
    return numbered.with_columns(
        pl.col("price_coverage", "whole_price_coverage").fill_null(0.0) * pl.col("has_unit_price"),
        pl.col("shelf_periods", "whole_shelf_periods").fill_null(0),
    ).sort("category_id", "product_id")


def numbered_shelf(
    shelf: pl.DataFrame,
    group_shelf: pl.DataFrame | None,
    products: pl.DataFrame,
    categories: pl.DataFrame,
    periods: list[date],
) -> pl.DataFrame:
    """Return the shelf with row numbers of product, category, period and choice set, sorted by choice set.

    A category has a choice set at the usual prices in every period, whose price_group is USUAL, and one more for each
    price group that saw other prices of some of its products. shelf, group_shelf: canonical, None without price groups.
    products, categories: from numbered_products and numbered_categories.
    """
    rows = (
        shelf.drop("category_id")
        .join(
            products.select("product_id", "category_id", "reference_price").with_row_index("product"), on="product_id"
        )
        .join(categories.select("category_id").with_row_index("category"), on="category_id")
        .join(pl.DataFrame({"period": periods}).with_row_index("period_index"), on="period")
        .with_columns(pl.lit(USUAL, GROUP_NUMBER).alias(PRICE_GROUP))
    )
    if group_shelf is not None:
        rows = pl.concat([rows, _seen_by_groups(rows, group_shelf)])
    numbers = ("period_index", PRICE_GROUP, "category")
    return (
        rows.sort(*numbers, "product")
        .with_columns(choice_set=pl.struct(numbers).rle_id().cast(pl.Int64))
        .with_row_index("shelf_row")
    )


def _seen_by_groups(rows: pl.DataFrame, group_shelf: pl.DataFrame) -> pl.DataFrame:
    """Return the shelf's rows as price groups saw them, of the categories of which they saw a price of their own."""
    own = group_shelf.rename({"price": "own_price"})
    priced = own.join(rows.select("period", "product_id", "category"), on=["period", "product_id"])
    sets = priced.select("period", PRICE_GROUP, "category").unique()
    seen = rows.drop(PRICE_GROUP).join(sets, on=["period", "category"])
    seen = seen.join(own, on=["period", PRICE_GROUP, "product_id"], how="left")
    return seen.with_columns(price=pl.coalesce("own_price", "price")).select(rows.columns)


def numbered_choices(choices: pl.DataFrame, shelf: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """Return the choices with row numbers of user, choice set and the shelf row bought (-1 for nothing).

    They are sorted by user and choice set. choices: canonical, with the price_group of their visit where the shelf has
    groups. shelf: from numbered_shelf. users: user_id, by row number.
    """
    sets = shelf.select("period", "category_id", PRICE_GROUP, "choice_set").unique()
    usual, own = sets.filter(pl.col(PRICE_GROUP) == USUAL).drop(PRICE_GROUP), sets.filter(pl.col(PRICE_GROUP) != USUAL)
    rows = shelf.select("choice_set", "product_id", pl.col("shelf_row").cast(pl.Int64))
    placed = choices.join(users.select("user_id").with_row_index("user"), on="user_id")
    placed = placed.join(usual, on=["period", "category_id"])
    if own.height:
        placed = placed.join(own, on=["period", "category_id", PRICE_GROUP], how="left", suffix="_own")
        placed = placed.with_columns(choice_set=pl.coalesce("choice_set_own", "choice_set")).drop("choice_set_own")
    return (
        placed.join(rows, on=["choice_set", "product_id"], how="left")
        .filter(pl.col("product_id").is_null() | pl.col("shelf_row").is_not_null())
        .with_columns(pl.col("shelf_row").fill_null(-1))
        .sort("user", "choice_set", "shelf_row", "weight", "size")  # an offers table may repeat the first three
    )
