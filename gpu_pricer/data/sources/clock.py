"""The clock of the stores, on which days and weeks begin: times with a zone are read on it."""

import polars as pl
import polars.selectors as cs

from gpu_pricer.errors import InputError

UTC = "UTC"
NAMES_OF_UTC = (UTC, "Etc/UTC", "Zulu", "Etc/Zulu", "UCT", "Etc/UCT", "+00:00")


def require_zone(zone: object) -> None:
    """Raise InputError unless `zone` is null or a time zone that Polars knows, by its name in the IANA data."""
    message = f"data.time_zone must be a time zone such as America/New_York or null, found {zone!r}: mend it"
    if zone is None:
        return
    if not isinstance(zone, str) or not zone:
        raise InputError(message)
    try:
        pl.select(on_clock(pl.lit(0).cast(pl.Datetime("us", UTC)), zone))
    except pl.exceptions.PolarsError as error:
        raise InputError(message) from error


def on_clock(time: pl.Expr, zone: str | None) -> pl.Expr:
    """Return times of day without a zone from times with one: those of `zone`; None: those of their own zone."""
    return (time if zone is None else time.dt.convert_time_zone(zone)).dt.replace_time_zone(None)


def without_zones(table: pl.LazyFrame, zone: str | None) -> pl.LazyFrame:
    """Return the table with all times on the clock of `zone`; None: on that of their own zone."""
    return table.with_columns(on_clock(cs.datetime(time_zone="*"), zone))


def times_in_utc(table: pl.LazyFrame) -> tuple[str, ...]:
    """Return the columns whose type is a time in UTC."""
    types = table.collect_schema().items()
    return tuple(name for name, dtype in types if isinstance(dtype, pl.Datetime) and dtype.time_zone in NAMES_OF_UTC)
