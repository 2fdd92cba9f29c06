"""Changes by events to the published version that a version scored without these events would undo."""

from pathlib import Path
from typing import NamedTuple

import polars as pl
from deltalake import DeltaTable

from gpu_pricer.errors import InputError
from gpu_pricer.policy.anchor import ANCHOR_PRICE, DAYS_SINCE_CHANGE
from gpu_pricer.tables.delta_log import publishing_entries
from gpu_pricer.tables.version.catalog_copy import find_catalog_copy

REPRICE = "reprice"
"""The action, in Delta's log, of a version that events made."""
NOT_TOLD = ("cost_source", ANCHOR_PRICE, DAYS_SINCE_CHANGE)
"""Columns of a catalog that follow from others and from the history of prices, and which no event tells."""


class ForgottenEvents(NamedTuple):
    """Changes by events that a version undoes: the products it brings back although withdrawn, and a line on all."""

    returned: list[str]
    line: str | None


NOTHING_FORGOTTEN = ForgottenEvents([], None)


def forgotten_events(prices: Path, table: DeltaTable, folder: Path) -> ForgottenEvents:
    """Return the changes by events that the version in a folder undoes.

    The values before the events are in the catalog of the last version that a full `score` made. Nothing is found if a
    copy of a catalog is no longer kept or is damaged. A value that is neither the event's nor the one before it is
    newer than both, and does not count.
    """
    commits = publishing_entries(table, prices)
    full = next((commit["run"] for commit in reversed(commits) if commit.get("action") != REPRICE), None)
    if full is None or full == commits[-1]["run"]:
        return NOTHING_FORGOTTEN
    try:
        copies = [find_catalog_copy(place) for place in (prices / full, prices / commits[-1]["run"], folder)]
    except InputError:  # of a damaged version, which a whole one may replace
        return NOTHING_FORGOTTEN
    before, after, new = (None if copy is None else copy.cast({"product_id": pl.String}) for copy in copies)
    if before is None or after is None or new is None:
        return NOTHING_FORGOTTEN
    returned, lost = _products(before, after, new)
    changes = pl.concat([returned, lost, _values(before, after, new)])
    if changes.is_empty():
        return NOTHING_FORGOTTEN
    products = changes["product_id"].n_unique()
    what = "1 product" if products == 1 else f"{products:,} products"
    line = (
        f"{folder} lacks what events have changed for {what} since {full}, such as {changes['example'][0]}: readers "
        "would get the values from before the events. Bring the changes into the catalog and score again, or send the "
        "events again under another name"
    )
    return ForgottenEvents(returned["product_id"].sort().to_list(), line)


def _values(before: pl.DataFrame, after: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Return product_id and an example in words of each value that is in `new` as before the events."""
    names = [
        name
        for name in after.columns
        if name not in ("product_id", *NOT_TOLD) and name in before.columns and name in new.columns
    ]
    others = {f":{end}": table.cast({name: after.schema[name] for name in names}, strict=False)
              for end, table in (("before", before), ("new", new))}  # fmt: skip
    joined = after.select("product_id", *names)
    for suffix, table in others.items():
        joined = joined.join(table.select("product_id", *names), on="product_id", suffix=suffix)
    parts = [joined.filter(_is_as_before(name)).select("product_id", example=_told(name)) for name in names]
    return pl.concat([after.select("product_id", example=pl.lit("")).clear(), *parts])


def _is_as_before(name: str) -> pl.Expr:
    before = pl.col(f"{name}:before")
    return pl.col(name).ne_missing(before) & pl.col(f"{name}:new").eq_missing(before)


def _told(name: str) -> pl.Expr:
    new, event = (pl.col(column).cast(pl.String).fill_null("none") for column in (f"{name}:new", name))
    return pl.format(f"{{}} with a {name} of {{}} instead of {{}}", "product_id", new, event)


def _products(before: pl.DataFrame, after: pl.DataFrame, new: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the products that events withdrew and `new` has, and those that they brought and it lacks.

    Each table has product_id and an example in words.
    """
    ids = [table.select("product_id") for table in (before, after, new)]
    withdrawn = ids[0].join(ids[1], on="product_id", how="anti").join(ids[2], on="product_id", how="semi")
    brought = ids[1].join(ids[0], on="product_id", how="anti").join(ids[2], on="product_id", how="anti")
    return [
        table.with_columns(example=pl.format("{} that was " + what, "product_id"))
        for table, what in ((withdrawn, "withdrawn"), (brought, "new"))
    ]
