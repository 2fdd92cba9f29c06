"""The canonical tables in the order of their row numbers, with the row numbers of what each row refers to."""

from datetime import date

import polars as pl

from gpu_pricer.tables.schemas import category_key, has_unit_price


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
    price_coverage: share of its training periods on the shelf in which the price was seen;
    whole_price_coverage: the same over all its periods on the shelf.
    has_unit_price: whether its prices can teach at all.
    """
    coverage = (pl.col("price_age") == 0).mean()
    trained = shelf.filter(pl.col("period") <= trained_to).group_by("product_id")
    ever = shelf.sort("period").group_by("product_id")
    computed = (
        products.select("product_id", "price")
        .join(trained.agg(median=pl.col("price").median(), price_coverage=coverage), on="product_id", how="left")
        .join(ever.agg(first=pl.col("price").first(), whole_price_coverage=coverage), on="product_id", how="left")
        .select(
            "product_id",
            is_trained=pl.col("median").is_not_null(),
            is_seen=pl.col("first").is_not_null(),
            reference_price=pl.coalesce("median", "first", "price"),
            price_coverage=pl.col("price_coverage").fill_null(0.0),
            whole_price_coverage=pl.col("whole_price_coverage").fill_null(0.0),
        )
    )
    numbered = products.with_columns(category_key(), has_unit_price=has_unit_price(products)).join(
        computed, on="product_id", how="left"
    )
    return numbered.sort("category_id", "product_id")


def numbered_shelf(
    shelf: pl.DataFrame, products: pl.DataFrame, categories: pl.DataFrame, periods: list[date]
) -> pl.DataFrame:
    """Return the shelf with row numbers of product, category, period and choice set, sorted by choice set.

    products, categories: from numbered_products and numbered_categories.
    """
    return (
        shelf.drop("category_id")
        .join(
            products.select("product_id", "category_id", "reference_price").with_row_index("product"), on="product_id"
        )
        .join(categories.select("category_id").with_row_index("category"), on="category_id")
        .join(pl.DataFrame({"period": periods}).with_row_index("period_index"), on="period")
        .sort("period_index", "category", "product")
        .with_columns(choice_set=pl.struct("period_index", "category").rle_id().cast(pl.Int64))
        .with_row_index("shelf_row")
    )


def numbered_choices(choices: pl.DataFrame, shelf: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """Return the choices with row numbers of user, choice set and the shelf row bought (-1 for nothing).

    They are sorted by user and choice set. shelf: from numbered_shelf. users: user_id, by row number.
    """
    sets = shelf.select("period", "category_id", "choice_set").unique()
    rows = shelf.select("period", "product_id", pl.col("shelf_row").cast(pl.Int64))
    return (
        choices.join(users.select("user_id").with_row_index("user"), on="user_id")
        .join(sets, on=["period", "category_id"])
        .join(rows, on=["period", "product_id"], how="left")
        .filter(pl.col("product_id").is_null() | pl.col("shelf_row").is_not_null())
        .with_columns(pl.col("shelf_row").fill_null(-1))
        .sort("user", "choice_set", "shelf_row", "weight", "size")  # an offers table may repeat the first three
    )
