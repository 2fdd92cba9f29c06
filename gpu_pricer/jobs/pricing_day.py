"""The day on which prices are set: as configured, or today on the stores' clock."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from omegaconf import DictConfig

from gpu_pricer.data.sources.clock import on_clock
from gpu_pricer.errors import InputError
from gpu_pricer.tables.canonical import read_summary

FIRST_YEAR, LAST_YEAR = 1970, 2999
TIME_ZONE = "time_zone"
"""The key of data and of the summary of `prepare` for the time zone of the stores; null or absent: not known."""


def pricing_day(config: DictConfig) -> date:
    """Return the day on which prices are set, after `prepare`; raise InputError where `day` is none.

    Without `day` it is today in the time zone that `prepare` was told, or in that of this machine.
    """
    summary = read_summary(Path(config.paths.catalog).parent) or {}
    return _day(config.day, summary.get(TIME_ZONE))


def preparation_day(config: DictConfig) -> date:
    """Return the day on which prices are set, for `prepare`, which knows the time zone from data; see pricing_day."""
    return _day(config.day, config.data.get(TIME_ZONE))


def today(zone: str | None) -> date:
    """Return the present day in a time zone; None: in that of this machine."""
    if zone is None:
        return datetime.now().astimezone().date()
    return pl.select(on_clock(pl.lit(datetime.now(UTC)), zone).dt.date()).item()


def _day(setting: object, zone: str | None) -> date:
    if setting is None:
        return today(zone)
    try:
        day = date.fromisoformat(str(setting))
    except ValueError as error:
        raise InputError(f"day must be a date such as 2026-11-26, or null for today, found {setting!r}") from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise InputError(f"day must lie in a year from {FIRST_YEAR} to {LAST_YEAR}, found {day}: mend it")
    return day
