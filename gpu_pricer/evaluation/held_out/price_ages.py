"""Whether predictions hold whatever the age of the price: also for products that come, or come back, and idle ones."""

import polars as pl

from gpu_pricer.evaluation.held_out.bootstrap import Bootstrap, bootstrap_calibration
from gpu_pricer.evaluation.held_out.scores import CELL, over_actual, sums_of

OLDEST = 4
"""Ages above it, in periods, are judged together."""
OLDER, NEVER = f"over_{OLDEST}", "never"
AGES = (*(str(age) for age in range(1, OLDEST + 1)), OLDER, NEVER)


def price_ages(shelf: pl.DataFrame) -> pl.DataFrame:
    """Return period, product_id and age, one of AGES: the periods since a price of the product was last seen.

    shelf: canonical. The price of the period itself does not count, because it is seen if somebody bought. The age is
    NEVER where no earlier period of the shelf shows a price: the product has just come. One that has just come back is
    older than OLDEST periods.
    """
    periods = shelf.select(pl.col("period").unique().sort()).with_row_index("number")
    rows = shelf.select("period", "product_id", "price_age").join(periods, on="period").sort("product_id", "number")
    seen = pl.when(pl.col("price_age") == 0).then("number").cast(pl.Int64)
    age = pl.col("number").cast(pl.Int64) - seen.forward_fill().shift().over("product_id")
    name = pl.when(age <= OLDEST).then(age.cast(pl.String)).when(age.is_not_null()).then(pl.lit(OLDER))
    return rows.select("period", "product_id", age=name.otherwise(pl.lit(NEVER)))


def scores_by_age(
    offers: pl.DataFrame, ages: pl.DataFrame, bootstrap: Bootstrap, seed: int, sums: pl.DataFrame | None = None
) -> dict[str, dict[str, float | list[float]]]:
    """Return rows, bought, predicted_over_actual and its interval of the offers of each age that some have.

    offers: as in bootstrap_scores. ages: from price_ages. sums: as in evaluate_held_out.
    """
    age = offers.select(CELL).join(ages, on=CELL, how="left", maintain_order="left")["age"]
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
