"""Weeks in which a product's price was cut, rose or stood still, and weeks in which its rivals did."""

import polars as pl

PAST_WEEKS = 8
MOVED = 0.15  # of |ln(price / mean price of the PAST_WEEKS before)|
CUT, RISE, STILL = "cut", "rise", "still"
USUAL = 0.75  # share of the weeks before in which a product must have been on the shelf to be missed


def kinds_of_weeks(shelf: pl.DataFrame) -> pl.DataFrame:
    """Return period, product_id, category_id and kind for every row of the canonical shelf, sorted.

    kind: CUT or RISE where the price moved by more than MOVED, else STILL; null in a product's first week.
    rival_moved: whether another product of the category has a cut or a rise. rival_missing: whether another product of
    the category, usually on the shelf in the weeks before, is off it.
    """
    past = pl.col("price").shift(1).rolling_mean(PAST_WEEKS, min_samples=1).over("product_id", order_by="period")
    move = (pl.col("price") / past).log()
    kind = pl.when(move < -MOVED).then(pl.lit(CUT)).when(move > MOVED).then(pl.lit(RISE)).otherwise(pl.lit(STILL))
    is_moved = pl.col("kind").is_in([CUT, RISE]).fill_null(False)
    group = "period", "category_id"
    return (
        shelf.with_columns(kind=pl.when(move.is_not_null()).then(kind))
        .with_columns(rival_moved=(is_moved.sum().over(group) - is_moved.cast(pl.UInt32)) > 0)
        .join(_missing(shelf), on=group, how="left")
        .with_columns(rival_missing=pl.col("missing").fill_null(0) > 0)
        .select("period", "product_id", "category_id", "kind", "rival_moved", "rival_missing")
        .sort("period", "product_id")
    )


def _missing(shelf: pl.DataFrame) -> pl.DataFrame:
    """Return period, category_id and the number of usual products that are off the shelf, where there are any."""
    weeks = shelf.select("period").unique().sort("period").with_row_index("week")
    grid = weeks.join(shelf.select("product_id", "category_id").unique(), how="cross")
    seen = shelf.select("period", "product_id", is_on=pl.lit(1.0))
    before = pl.col("is_on").shift(1).rolling_mean(PAST_WEEKS, min_samples=PAST_WEEKS)
    return (
        grid.join(seen, on=["period", "product_id"], how="left")
        .with_columns(pl.col("is_on").fill_null(0.0))
        .with_columns(usual=before.over("product_id", order_by="period"))
        .filter(pl.col("is_on") == 0, pl.col("usual") >= USUAL)
        .group_by("period", "category_id")
        .agg(missing=pl.len())
    )
