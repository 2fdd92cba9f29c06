"""The context of offers: what they say, else what the log tells of their period, else of the periods before it."""

import polars as pl

from gpu_pricer.network.encoding.context_scale import ContextScale, known_context, scale_context
from gpu_pricer.network.inference.past import Past


def with_context(offers: pl.DataFrame, past: Past, scale: ContextScale, carry_periods: int) -> pl.DataFrame:
    """The offers (product_id, period, period_index, reference_price) with their context on that scale.

    What an offer does not say is as on its period's shelf, where unknown means average, as in training. A product that
    is not on it takes its mean over the shelves of the carry_periods periods before, as the pricing period does, or is
    average where it was on none of them. No later period counts.
    """
    references = offers.select("product_id", "reference_price").unique()
    shelf = past.shelf.join(references, on="product_id", maintain_order="left")
    shelf = scale_context(_with_columns(shelf, scale.names), scale).select("product_id", "period", *scale.names)
    before = _means_before(offers, shelf.with_columns(index=past.index(shelf["period"])), past, carry_periods)
    told = known_context(_with_columns(offers, scale.names), scale)
    joined = told.join(shelf, on=("product_id", "period"), how="left", suffix=" on shelf")
    joined = joined.join(before, on=("product_id", "period_index"), how="left", suffix=" before")
    return joined.with_columns(
        pl.coalesce(name, f"{name} on shelf", f"{name} before", pl.lit(0.0)).alias(name) for name in scale.names
    )


def _means_before(offers: pl.DataFrame, shelf: pl.DataFrame, past: Past, carry_periods: int) -> pl.DataFrame:
    """The mean of the shelf (product_id, index, context) over carry_periods periods, by product_id and period_index.

    They end before the offer's period, and with the log where that is longer ago.
    """
    ages = pl.DataFrame({"age": range(1, carry_periods + 1)}, schema={"age": pl.Int64})
    asked = offers.select("product_id", "period_index").unique(maintain_order=True).join(ages, how="cross")
    end = pl.col("period_index").clip(upper_bound=len(past.periods))
    shelves = asked.select("product_id", "period_index", index=end - pl.col("age"))
    shelves = shelves.join(shelf.drop("period"), on=("product_id", "index"), maintain_order="left")
    return shelves.drop("index").group_by("product_id", "period_index").mean()


def _with_columns(table: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The table with these columns, null where it has none that can be context."""
    absent = [name for name in names if name not in table.columns or not _is_context(table.schema[name])]
    return table.with_columns(pl.lit(None, pl.Float64).alias(name) for name in absent)


def _is_context(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype == pl.Boolean
