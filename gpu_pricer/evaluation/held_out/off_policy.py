"""The products whose held-out prices left the past furthest: where a wrong price response shows first."""

import polars as pl

from gpu_pricer.errors import InputError


def moved_most(shelf: pl.DataFrame, reference: pl.DataFrame, share: float) -> pl.DataFrame:
    """product_id of the given share of the products, at least one, by mean |ln(price / reference_price)|.

    shelf: the held-out periods; reference: product_id and reference_price, the median of the periods before.
    """
    distance = (pl.col("price") / pl.col("reference_price")).log().abs().mean()
    products = (
        shelf.join(reference, on="product_id")
        .group_by("product_id")
        .agg(distance=distance)
        .sort("distance", "product_id", descending=[True, False])
    )
    if products.is_empty():
        raise InputError(
            "some held-out products must have been on the shelf before, found none: "
            "give a longer log, or hold fewer periods out"
        )
    return products.head(max(1, round(share * products.height))).select("product_id")
