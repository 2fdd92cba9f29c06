"""Predicted over actual purchases apart for cuts, rises, still weeks, weeks of moving rivals and of missing rivals."""

import polars as pl

from tests.bench.price_sensitivity.moves import CUT, RISE, STILL, kinds_of_weeks

WEEKS = {
    CUT: pl.col("kind") == CUT,
    RISE: pl.col("kind") == RISE,
    STILL: pl.col("kind") == STILL,
    "still_rival_moved": (pl.col("kind") == STILL) & pl.col("rival_moved"),
    "rival_missing": pl.col("rival_missing"),
}


def predicted_over_actual(offers: pl.DataFrame, shelf: pl.DataFrame) -> dict[str, float]:
    """Return the ratio of predicted to actual purchases of held-out offers by the kind of their product's week.

    offers: as `train` writes them, with period, product_id, probability, bought and weight. shelf: the canonical one.
    NaN where no such offer was bought.
    """
    weight, kinds = pl.col("weight"), kinds_of_weeks(shelf).drop("category_id")
    rows = offers.join(kinds, on=["period", "product_id"], how="left")
    rows = rows.with_columns(predicted=weight * pl.col("probability"), actual=weight * pl.col("bought"))
    sums = {
        name: rows.filter(weeks).select(pl.col("predicted", "actual").sum()).row(0) for name, weeks in WEEKS.items()
    }
    return {name: predicted / actual if actual else float("nan") for name, (predicted, actual) in sums.items()}
