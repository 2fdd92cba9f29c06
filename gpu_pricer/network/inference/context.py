"""The context of offers: their own values, else those of their period's shelf, else those of the periods before."""

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.network.encoding.context_scale import ContextScale, known_context, scale_context
from gpu_pricer.network.inference.past import Past

MOST = 1000.0
"""Context further than so many standard deviations from the mean of training is a mistake; promotion shares from 0."""


def with_context(offers: pl.DataFrame, past: Past, scale: ContextScale, carry_periods: int) -> pl.DataFrame:
    """Return the offers (product_id, period, period_index, reference_price) with all context columns on the scale.

    A value that an offer lacks is that of its period's shelf, where unknown values are the average, as in training. A
    product off that shelf takes its mean over the shelves of the carry_periods periods before, as the pricing period
    does, or the average where it was on none of them. No later period counts. Raises InputError for a value that is
    infinite or far from all that training saw.
    """
    references = offers.select("product_id", "reference_price").unique()
    shelf = past.shelf.join(references, on="product_id", maintain_order="left")
    shelf = scale_context(_with_columns(shelf, scale.names), scale).select("product_id", "period", *scale.names)
    before = _means_before(offers, shelf.with_columns(index=past.index(shelf["period"])), past, carry_periods)
    given = known_context(_with_columns(offers, scale.names), scale)
    for name in scale.names:
        _require_known(name, offers, given)
    now, earlier = ({name: f"{when}:{name}" for name in scale.names} for when in ("now", "earlier"))
    joined = given.join(shelf.rename(now), on=("product_id", "period"), how="left")
    joined = joined.join(before.rename(earlier), on=("product_id", "period_index"), how="left")
    return joined.with_columns(
        pl.coalesce(name, now[name], earlier[name], pl.lit(0.0)).alias(name) for name in scale.names
    ).drop(*now.values(), *earlier.values())


def _means_before(offers: pl.DataFrame, shelf: pl.DataFrame, past: Past, carry_periods: int) -> pl.DataFrame:
    """Return the mean context of the shelf (product_id, index, context) by the offers' product_id and period_index.

    The mean is over the carry_periods periods before the offer's period, or over the last periods of the log where the
    log ends earlier.
    """
    ages = pl.DataFrame({"age": range(1, carry_periods + 1)}, schema={"age": pl.Int64})
    needed = offers.select("product_id", "period_index").unique(maintain_order=True).join(ages, how="cross")
    end = pl.col("period_index").clip(upper_bound=len(past.periods))
    shelves = needed.select("product_id", "period_index", index=end - pl.col("age"))
    shelves = shelves.join(shelf.drop("period"), on=("product_id", "index"), maintain_order="left")
    return shelves.drop("index").group_by("product_id", "period_index").mean()


def _require_known(name: str, offers: pl.DataFrame, scaled: pl.DataFrame) -> None:
    is_beyond = (scaled[name].abs() > MOST).fill_null(False)
    if is_beyond.any():
        raise InputError(
            f"predict.offers: {name} must lie within {MOST:.0f} standard deviations of what training saw, found "
            f"{offers[name].filter(is_beyond)[0]} in {is_beyond.sum()} rows: mend them"
        )


def _with_columns(table: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Return the table with all these columns, null where it has no column of that name that can be context."""
    found = table.schema
    absent = [name for name in names if name not in found or not _is_context(found[name])]
    return table.with_columns(pl.lit(None, pl.Float64).alias(name) for name in absent)


def _is_context(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype == pl.Boolean
