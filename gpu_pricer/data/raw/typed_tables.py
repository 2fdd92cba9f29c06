"""The raw tables with the types of their schemas, short ids and attributes, before any rule is applied to a row."""

import logging
from collections.abc import Mapping
from datetime import date

import polars as pl

from gpu_pricer.data.raw.checks_of_log import CELLS_ARE_READABLE, cells_report
from gpu_pricer.data.raw.guests import with_receipt_numbers
from gpu_pricer.data.raw.raw_tables import DESCRIBED, LINES, SCHEMAS
from gpu_pricer.data.raw.short_ids import ID_OWNERS, type_as_given, with_short_ids
from gpu_pricer.data.sources.source import RawTable
from gpu_pricer.errors import InputError
from gpu_pricer.tables.attributes import with_attributes
from gpu_pricer.tables.periods import Period
from gpu_pricer.tables.reading import collect, conform, without_blanks

log = logging.getLogger(__name__)


def typed_tables(raw: Mapping[str, RawTable]) -> dict[str, pl.LazyFrame]:
    """Return the raw tables that are there, unread, each with the columns of its schema in their types.

    Lines that were weighed have prices per weight. Raise InputError for a table that is missing, and for a column that
    is missing or has another type.
    """
    _require_tables(raw)
    _tell_utc(raw)
    typed = {
        name: conform(raw[name].rows, schema, raw[name].origin, keep_others=name != "transactions")
        for name, schema in SCHEMAS.items()
        if name in raw
    }
    typed["products"] = typed["products"].with_columns(category_id=without_blanks("category_id"))
    if "transactions" in typed:
        typed["transactions"] = with_receipt_numbers(per_weight(typed["transactions"]))
    return typed


def read_tables(
    typed: Mapping[str, pl.LazyFrame],
    unreadable: Mapping[str, pl.DataFrame],
    raw: Mapping[str, RawTable],
    period: Period,
    last_period: date | None,
) -> dict[str, pl.DataFrame]:
    """Return the rows of typed_tables up to the last period, or all, with short ids and attributes.

    unreadable: by table, the rows that cannot be read; see RawTable. Raise InputError for a table that is empty or not
    readable at all, and for ids that are text in one table and numbers in another.
    """
    for name, rows in unreadable.items():
        _require_readable_rows(typed[name], rows, raw[name].origin)
    short = {name: with_short_ids(rows) if name in LINES else rows for name, rows in typed.items()}
    tables = {name: _collect(rows, raw[name].origin, period, last_period) for name, rows in short.items()}
    for name in (name for name in DESCRIBED if name in tables):
        others = [column for column in tables[name].columns if column not in SCHEMAS[name].column_names()]
        tables[name] = with_attributes(tables[name], others, raw[name].origin)
    return _with_equal_ids(tables, raw)


def per_weight(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return the lines; one with a net_weight has that as its quantity, and prices per unit of weight.

    What the line cost, quantity times price, stays the same. A net_weight of 0 counts as none: tills write it for goods
    that are not weighed.
    """
    lines, weight = lines.with_columns(net_weight=pl.col("net_weight").replace(0.0, None)), pl.col("net_weight")
    is_weighed = (weight.is_finite() & (weight > 0)).fill_null(False)
    pieces = pl.col("quantity") / weight
    return lines.with_columns(
        pl.when(is_weighed).then(pl.col(name) * pieces).otherwise(name).alias(name) for name in ("price", "list_price")
    ).with_columns(quantity=pl.when(is_weighed & (pl.col("quantity") > 0)).then(weight).otherwise("quantity"))


def _require_tables(raw: Mapping[str, RawTable]) -> None:
    found = ", ".join(raw) or "none"
    if "products" not in raw:
        raise InputError(f"the tables must include products, found {found}: add products.parquet")
    if "transactions" not in raw and "offers" not in raw:
        raise InputError(f"the tables must include transactions or offers, found {found}: add one of them")


def _tell_utc(raw: Mapping[str, RawTable]) -> None:
    """Warn of times in UTC, once: a sale of the evening may lie in the next day there, and in another period."""
    found = [f"{name} of {table.origin}" for table in raw.values() for name in table.in_utc]
    if found:
        log.warning(
            "days and weeks begin at midnight UTC, because times are in UTC: %s; set data.time_zone to that of the "
            "stores, such as America/New_York",
            ", ".join(found),
        )


def _require_readable_rows(rows: pl.LazyFrame, unreadable: pl.DataFrame, origin: str) -> None:
    if rows.limit(1).collect().is_empty():
        found = cells_report(unreadable, origin, CELLS_ARE_READABLE)
        raise InputError(
            f"{origin} must have rows whose cells can all be read, found none; it {found}: "
            "mend the file, or run gpu-pricer inspect again if it is now written in another way"
        )


def _collect(rows: pl.LazyFrame, origin: str, period: Period, last_period: date | None) -> pl.DataFrame:
    """Return the rows up to the last period; rows without a time are kept and later break a rule."""
    if last_period is None or "time" not in rows.collect_schema():
        return collect(rows, origin)
    time = pl.col("time")
    return collect(
        rows.filter(time.is_null() | (period.start(time) <= last_period)),
        f"{origin} up to data.last_period={last_period}",
        "set a later data.last_period, fill the table or remove it",
    )


def _with_equal_ids(tables: dict[str, pl.DataFrame], raw: Mapping[str, RawTable]) -> dict[str, pl.DataFrame]:
    """Return the tables with ids in the types of the table that owns them.

    Raise InputError if one table has text where another has numbers.
    """
    equal = dict(tables)
    for column, owner in ID_OWNERS.items():
        if owner not in tables:
            continue
        expected = type_as_given(tables[owner].schema[column])
        for name in (name for name in tables if column in SCHEMAS[name].column_names()):
            found = type_as_given(tables[name].schema[column])
            if found != expected and pl.String in (found, expected):
                raise InputError(
                    f"{raw[name].origin}: {column} must be {expected} as in {owner}, found {found}: convert one of them"
                )
            if found != expected:
                equal[name] = equal[name].with_columns(pl.col(column).cast(expected, strict=False))
    return equal
