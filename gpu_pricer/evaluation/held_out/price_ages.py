"""Calibration by the age of the price: also for products that are new, come back or hardly sell."""

from datetime import date

import polars as pl

from gpu_pricer.evaluation.held_out.bootstrap import Bootstrap, bootstrap_calibration
from gpu_pricer.evaluation.held_out.scores import over_actual, sums_of

OLDEST = 4
"""Ages above it, in periods, are judged together."""
OLDER, NEVER = f"over_{OLDEST}", "never"
AGES = (*(str(age) for age in range(1, OLDEST + 1)), OLDER, NEVER)


def price_ages(shelf: pl.DataFrame, predicted: date) -> pl.DataFrame:
    """Return product_id and age, one of AGES: the periods from the last price of a product to the first one predicted.

    shelf: canonical. predicted: the first period that is predicted. What it and later ones show does not count: nobody
    knows it when predictions are made, and a price grows old where nobody buys, so that ages that knew it would part
    the offers by their outcomes. The age is NEVER where no earlier period shows a price: the product has just come. One
    that has just come back is older than OLDEST periods.
    """
    periods = shelf.select(pl.col("period").unique().sort()).with_row_index("number")
    now = periods["period"].search_sorted(predicted)
    seen = shelf.filter(pl.col("price_age") == 0).join(periods.filter(pl.col("number") < now), on="period")
    age = now - pl.col("number").cast(pl.Int64)
    name = pl.when(age <= OLDEST).then(age.cast(pl.String)).when(age.is_not_null()).then(pl.lit(OLDER))
    products = shelf.select(pl.col("product_id").unique().sort())
    return products.join(
        seen.group_by("product_id").agg(pl.col("number").max()), on="product_id", how="left", maintain_order="left"
    ).select("product_id", age=name.otherwise(pl.lit(NEVER)))


def scores_by_age(
    offers: pl.DataFrame, ages: pl.DataFrame, bootstrap: Bootstrap, seed: int, sums: pl.DataFrame | None = None
) -> dict[str, dict[str, float | list[float]]]:
    """Return rows, bought, predicted_over_actual and its interval of the offers of each age that some have.

    offers: as in bootstrap_scores. ages: from price_ages. sums: as in evaluate_held_out.
    """
    age = offers.select("product_id").join(ages, on="product_id", how="left", maintain_order="left")["age"]
    found: dict[str, dict[str, float | list[float]]] = {}
    points: dict[str, float] = {}
    for name in [name for name in AGES if name in age]:
        part = offers.filter(age == name)
        points[name] = over_actual(part, sums_of(part, sums))
        found[name] = {
            "rows": part.height,
            "bought": float(part.select((pl.col("weight").cast(pl.Float64) * pl.col("bought")).sum()).item()),
            "predicted_over_actual": points[name],
        }
    intervals = bootstrap.intervals(bootstrap_calibration(offers, age, bootstrap, seed, points))
    return {name: block | {"interval": intervals[name]} for name, block in found.items()}
