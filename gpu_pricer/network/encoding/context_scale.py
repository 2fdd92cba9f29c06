"""The scale on which the network sees context: promotion shares as they are, the rest standardised over training."""

from dataclasses import dataclass

import polars as pl

from gpu_pricer.tables.schemas import PROMOTIONS


@dataclass(frozen=True)
class ContextScale:
    """The context columns in order: names, means (None where no value is known) and standard deviations."""

    names: list[str]
    centre: list[float | None]
    spread: list[float | None]


def learn_context_scale(shelf: pl.DataFrame, names: list[str], trained_periods: int) -> ContextScale:
    """Return the scale of the named columns of a shelf (period_index, reference_price) over the trained periods.

    The promotion shares (display, mailer) stay as they are.
    """
    trained = shelf.filter(pl.col("period_index") < trained_periods)
    moments: list[tuple[float | None, float | None]] = [
        (0.0, 1.0) if name in PROMOTIONS else trained.select(_value(name).mean(), spread=_value(name).std()).row(0)
        for name in names
    ]
    return ContextScale(names, [centre for centre, _ in moments], [spread for _, spread in moments])


def scale_context(shelf: pl.DataFrame, scale: ContextScale) -> pl.DataFrame:
    """Return the shelf with its context on that scale; an unknown value is 0, the average."""
    return known_context(shelf, scale).with_columns(pl.col(scale.names).fill_null(0.0))


def known_context(shelf: pl.DataFrame, scale: ContextScale) -> pl.DataFrame:
    """Return the shelf with its context on that scale, null where unknown.

    A competitor's price is taken relative to the product's own reference price.
    """
    scaled = [
        (_value(name) - pl.lit(centre, pl.Float64)) / (spread or 1.0)
        for name, centre, spread in zip(scale.names, scale.centre, scale.spread, strict=True)
    ]
    return shelf.with_columns(value.fill_nan(None).alias(name) for name, value in zip(scale.names, scaled, strict=True))


def _value(name: str) -> pl.Expr:
    column = pl.col(name).cast(pl.Float64)
    return (column / pl.col("reference_price")).alias(name) if name == "competitor_price" else column
