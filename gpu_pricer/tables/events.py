"""Events: what changed of single products since a catalog was made, and the catalog after them."""

import logging
from pathlib import Path

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import check
from gpu_pricer.tables.priced_products import PricedProducts
from gpu_pricer.tables.reading import collect, conform, read_table, without_blanks
from gpu_pricer.tables.schemas import Events
from gpu_pricer.tables.vat import VAT_RATE, require_vat_rates

log = logging.getLogger(__name__)

NO_COLUMNS_OF_A_CATALOG = ("product_id", "withdrawn")
IGNORED = ("list_price", "stock", "competitor_price")
"""What events may say though no rule reads it; every other column must be one that pricing reads."""


def event_files(path: Path) -> list[Path]:
    """Return a file of events, or those in a folder by name; names that begin with . or _ are not finished."""
    if path.is_dir():
        return sorted(file for file in path.glob("*.parquet") if not file.name.startswith((".", "_")))
    if not path.is_file():
        raise InputError(f"events must be a Parquet file or a folder of them, found nothing at {path}: mend the path")
    return [path]


def passed_over(path: Path) -> list[str]:
    """Return what lies in a folder of events and is none of event_files, by name, unfinished files apart."""
    names = [entry.name for entry in path.iterdir()] if path.is_dir() else []
    return sorted(name for name in names if not name.startswith((".", "_")) and not name.endswith(".parquet"))


def read_events(files: list[Path]) -> pl.DataFrame:
    """Return the events of the files in their order; raise InputError if one breaks a rule or has no rows."""
    events = pl.concat([read_table(file, Events) for file in files], how="diagonal_relaxed")
    return events.with_columns(category_id=without_blanks("category_id"))


def updated_catalog(catalog: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Return the catalog after the events, with the same columns; of several values for one the last counts.

    A cost that an event gives is a given one. Raise InputError where the catalog would break a rule, an id is of
    another type, or a column is not one that pricing reads.
    """
    changes = _by_product(_with_ids_of(catalog, events))
    columns = _columns(catalog, changes)
    is_withdrawn = (pl.col("withdrawn") > 0).fill_null(False)
    gone, kept = changes.filter(is_withdrawn), changes.filter(~is_withdrawn)
    unknown = gone.join(catalog, on="product_id", how="anti")["product_id"]
    if len(unknown):
        log.warning(
            "%d products to be withdrawn are not in the catalog, such as %s: nothing changes for them",
            len(unknown), unknown.head(3).to_list(),
        )  # fmt: skip
    values = kept.select("product_id", *(pl.col(name).cast(_dtype(catalog, kept, name)) for name in columns))
    if "cost" in columns and "cost_source" in catalog.columns:
        values = values.with_columns(cost_source=pl.when(pl.col("cost").is_not_null()).then(pl.lit("given")))
    catalog = catalog.join(gone, on="product_id", how="anti", maintain_order="left")
    catalog = catalog.cast({name: values.schema[name] for name in values.columns if catalog.schema[name] == pl.Null})
    values = values.cast({name: catalog.schema[name] for name in values.columns})
    known = catalog.join(values, on="product_id", how="left", maintain_order="left", suffix=":event")
    news = [pl.coalesce(f"{name}:event", name).alias(name) for name in values.columns if name != "product_id"]
    new = values.join(catalog, on="product_id", how="anti", maintain_order="left")
    _require_price_and_cost(new)
    table = pl.concat([known.with_columns(news).select(catalog.columns), new], how="diagonal")
    return _checked(table.select(catalog.columns))


def changed_products(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return product_id and category_id, as in either catalog, of the products whose rows differ between the two."""
    after = after.select(before.columns)
    rows = [before.cast(after.schema), after]  # a column of nulls alone has a type only after an event
    differing = [
        one.join(other, on=before.columns, how="anti", nulls_equal=True) for one, other in (rows, reversed(rows))
    ]
    return pl.concat([part.select("product_id", "category_id") for part in differing])


def _with_ids_of(catalog: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    expected, found = catalog.schema["product_id"], events.schema["product_id"]
    if expected == found or (expected.is_integer() and found.is_integer()):
        return events.with_columns(pl.col("product_id").cast(expected))
    raise InputError(f"product_id of the events must be {expected} as in the catalog, found {found}: convert it")


def _by_product(events: pl.DataFrame) -> pl.DataFrame:
    """Return a row per product with the last value of each column, null where no event gives one."""
    return events.group_by("product_id", maintain_order=True).agg(pl.all().drop_nulls().last())


def _columns(catalog: pl.DataFrame, changes: pl.DataFrame) -> list[str]:
    """Return the columns of the catalog that events change; raise InputError for one that no rule reads."""
    given = [name for name in changes.columns if changes[name].null_count() < changes.height]
    others = [name for name in given if name not in (*catalog.columns, *NO_COLUMNS_OF_A_CATALOG)]
    unknown = [name for name in others if name not in IGNORED]
    if VAT_RATE in unknown:
        raise InputError("events must have no vat_rate, since the version's prices include no VAT: leave it out")
    if unknown:
        raise InputError(
            f"events must have columns that the version's policy reads, found {', '.join(unknown)}: leave them out, or "
            "score and publish with a policy that reads them, such as policy.bounds.frozen=frozen"
        )
    if others:
        log.warning("no rule of the version's policy reads %s: these events change no price", ", ".join(others))
    return [name for name in given if name in catalog.columns and name != "product_id"]


def _require_price_and_cost(new: pl.DataFrame) -> None:
    """Raise InputError for products that the catalog does not have and of which the events do not say enough."""
    told = [pl.col(name).is_not_null() if name in new.columns else pl.lit(False) for name in ("price", "cost")]
    lacking = new.filter(~pl.all_horizontal(told))["product_id"]
    if len(lacking):
        raise InputError(
            "events of products that are not in the catalog must give price and cost, found "
            f"{len(lacking)} that do not, such as {lacking.head(3).to_list()}: give them, or mend the ids"
        )


def _dtype(catalog: pl.DataFrame, events: pl.DataFrame, name: str) -> pl.DataType:
    expected = catalog.schema[name]
    return events.schema[name] if expected == pl.Null else expected


def _checked(table: pl.DataFrame) -> pl.DataFrame:
    origin = "the catalog after the events"
    checked = check(collect(conform(table.lazy(), PricedProducts, origin, keep_others=True), origin), PricedProducts)
    if checked.broken:
        raise InputError(f"{origin} {checked.report()}: mend the events")
    found = checked.valid.select(table.columns)
    require_vat_rates(found, origin, "state the vat_rate of a new product")
    return found
