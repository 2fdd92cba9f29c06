"""Whether the inputs still have the periods, tables and columns that they had in earlier preparations.

Optional tables and columns may be absent, so that one which an export has lost breaks no rule: without costs a margin
is assumed, without list prices every price is an everyday one. Only earlier preparations show that something is gone.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from gpu_pricer.tables.periods import Period

LEAST_SHARE = 0.5
"""Share of the earlier number of values below which they count as lost."""
LEAST_VALUES = 20
"""Fewer values come and go by chance."""
REMEMBERED = 14
"""Days for which lost values are missed; later it seems to be meant so."""
TOLD = 5
"""Of the lost columns, at most, a doubt names so many."""

Values = dict[str, dict[str, Any]]
"""By table, or by table and column as in products.cost: `count`, the number of values, and `day`, when they were so."""


def values_of(tables: Mapping[str, pl.DataFrame], period: Period, last: date, day: date) -> Values:
    """Return how many rows each table has, and how many values each column, on the day of a preparation.

    last: first day of the last whole period, whose rows alone count in tables with times. Group prices hold until they
    change, so that all of theirs count.
    """
    found: Values = {}
    for name, table in tables.items():
        is_of_period = "time" in table.columns and name != "group_prices"
        rows = table.filter(period.start(pl.col("time")) == last) if is_of_period else table
        counts = {name: rows.height} | {f"{name}.{column}": rows[column].count() for column in rows.columns}
        found |= {key: {"count": count, "day": day.isoformat()} for key, count in counts.items() if count}
    return found


def with_earlier(found: Values, earlier: Values, day: date) -> tuple[Values, list[str]]:
    """Return the values to compare later ones with, and the doubt about those that are lost now.

    earlier: what this function returned in the preparation before. What is lost is missed for REMEMBERED days.
    """
    recent = {key: was for key, was in earlier.items() if (day - date.fromisoformat(was["day"])).days <= REMEMBERED}
    lost = {key: was for key, was in recent.items() if _is_lost(found.get(key, {"count": 0})["count"], was["count"])}
    told = {key: was for key, was in lost.items() if key.split(".")[0] == key or key.split(".")[0] not in lost}
    return found | lost, _doubts(told, found)


def doubts_of_older_log(last: date, earlier: date | None) -> list[str]:
    """Return the doubt about a log whose last whole period is before that of the preparation before."""
    if earlier is None or last >= earlier:
        return []
    return [
        f"the last whole period is that from {last}, where the preparation before had that from {earlier}: look "
        "whether the newest sales are missing"
    ]


def _is_lost(count: int, before: int) -> bool:
    return before >= LEAST_VALUES and count < LEAST_SHARE * before


def _doubts(lost: Values, found: Values) -> list[str]:
    if not lost:
        return []
    named = [
        f"{key} ({found.get(key, {'count': 0})['count']:,} instead of {was['count']:,} on {was['day']})"
        for key, was in list(lost.items())[:TOLD]
    ]
    others = f" and {len(lost) - TOLD} more" if len(lost) > TOLD else ""
    return [
        f"less than half of the values of earlier days are left in {', '.join(named)}{others}: look whether they are "
        "still delivered"
    ]
