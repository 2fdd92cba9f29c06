"""The published price table: one row per product and segment, in plain Parquet files."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from gpu_pricer.errors import InputError, readable
from gpu_pricer.tables.files.durable import naming, sync
from gpu_pricer.tables.files.low_memory import are_unique
from gpu_pricer.tables.files.replacing import whole_or_absent
from gpu_pricer.tables.parquet.file import Column, write_parquet
from gpu_pricer.tables.parquet.pages import ColumnChunk

CENTS = 100
"""Cents per currency unit."""

PER_VISITS = 1000
"""Visits to which the expected units and the expected profit of a price table refer."""

DIGITS = 9
"""Significant digits of a sum over prices: more would depend on the order in which threads add up."""

LAYOUTS = ("long", "wide")

RULES = (
    "within_support",
    "max_below_competitor",
    "max_above_competitor",
    "anchor_max_decrease",
    "anchor_max_increase",
    "pack_sizes",
    "max_decrease",
    "max_increase",
    "max_decrease_amount",
    "max_increase_amount",
    "min_days_between_changes",
    "min_margin_rate",
    "list_price",
    "ceiling",
    "floor",
)
"""The rules of a policy for the range of a price; each yields to those after it (policy.price_range)."""

BINDINGS = (
    "none",
    *RULES,
    *(f"{rule}_broken" for rule in RULES[:-1]),
    "frozen",
    "override",
    "min_change",
    "max_changes",
    "max_segment_ratio",
    "family",
    "no_common_price",
    "no_rung",
    "price_limit",
)
"""What keeps a price away from its unconstrained optimum.

`<rule>_broken`: a later rule contradicted this one and won; frozen, override: the price is fixed by hand; min_change:
no move as large as is worth making earns more, so today's price stays; max_changes: the budget of changes
is spent; max_segment_ratio: the limit on differences between segments; family: the common price of a family whose
products have different prices today, which moves this one against its own bound; no_common_price: the products of a
family allow no price in common; no_rung: no price of the ladder lies inside the bounds, so today's price stays;
price_limit: the largest price that can be set.
"""
MOVE_LIMITS = ("max_decrease", "max_increase", "max_decrease_amount", "max_increase_amount")
"""The rules that limit a price's move from today's; the anchor's limits, from its anchor, yield to them."""

MONEY = pl.Decimal(12, 2)
BUFFER = 2**20
"""Bytes written at a time: a wide table has hundreds of small pages."""

RESTORE = "restore it, or score again"
"""What a message about a damaged price table advises."""

PRICE_OF = "price_"
UNFIT = re.compile(r"[ ,;{}()\n\t=]")
"""Characters that Delta allows in no column's name."""


class PriceTable(dy.Schema):
    """One row per product and segment, sorted by product, then segment, within each file."""

    segment_id = dy.Any(description="as in the demand artefact")
    product_id = dy.Any(description="as in the catalog")
    price = dy.Decimal(12, 2, min_exclusive=0, description="the price to set")
    today_price = dy.Decimal(12, 2, min_exclusive=0, description="the catalog's price")
    expected_units = dy.Float32(min=0, description="units per 1,000 visits of the segment at `price`")
    expected_profit = dy.Float32(description="profit (after VAT) per 1,000 visits of the segment at `price`")
    binding = dy.String(description="the rule that limits the price, one of: " + ", ".join(BINDINGS))

    @dy.rule()
    def ids_are_given(cls) -> pl.Expr:
        return pl.col("product_id").is_not_null() & pl.col("segment_id").is_not_null()

    @dy.rule()
    def cell_is_unique(cls) -> pl.Expr:
        return are_unique("product_id", "segment_id")

    @dy.rule()
    def binding_is_a_rule(cls) -> pl.Expr:
        return pl.col("binding").is_in(BINDINGS)


PARTS = ("unit_cost", "shadow_price", "sensitivity_markup", "opportunity_value", "adjustment")
VAT_PART = "vat"
"""The part of prices that include VAT beside PARTS, which are then parts of what is left after it."""
INTERVAL = ("profit_low", "profit_high")
DETAILS = {"parts": PARTS, "personalised": ("personalised",), "note": ("note",), "interval": INTERVAL}
"""Columns of the long layout on request, by what score.details calls them."""

DETAIL_COLUMNS: dict[str, dy.Column] = {
    "unit_cost": dy.Decimal(12, 2, description="part of the price: what a unit costs"),
    "shadow_price": dy.Decimal(12, 2, description="part: what weights and limits of the policy add to the cost"),
    "sensitivity_markup": dy.Decimal(12, 2, description="part: 1 / (slope of utility × share that does not choose it)"),
    "opportunity_value": dy.Decimal(12, 2, description="part: what the visit would earn from the category's others"),
    "adjustment": dy.Decimal(12, 2, description="part: bounds, ladder and cent; the parts add up to `price`"),
    "vat": dy.Decimal(12, 2, description="part: the VAT in `price`; only where prices include it"),
    "personalised": dy.Bool(description="whether segments see different prices of this product"),
    "note": dy.String(description="the note of a price set by hand, else empty"),
    "profit_low": dy.Float32(description="5 % quantile of the profit over the draws of `uncertainty=posterior`"),
    "profit_high": dy.Float32(description="95 % quantile of it"),
}


class WidePriceTable(dy.Schema):
    """One row per product, sorted within each file, with the prices to set."""

    product_id = dy.Any(description="as in the catalog")
    today_price = dy.Decimal(12, 2, min_exclusive=0, description="the catalog's price")

    @dy.rule()
    def product_is_given(cls) -> pl.Expr:
        return pl.col("product_id").is_not_null()

    @dy.rule()
    def product_is_unique(cls) -> pl.Expr:
        return pl.col("product_id").is_unique()


def schema_of(layout: str, columns: Sequence[str]) -> type[dy.Schema]:
    """Return the schema of a price table with these columns: the long one with its details, or the wide one."""
    if layout == "long":
        members: dict[str, Any] = {name: column for name, column in DETAIL_COLUMNS.items() if name in columns}
        if set(PARTS) <= {*columns}:
            parts = part_names(includes_vat=VAT_PART in columns)
            members["parts_add_up"] = dy.rule()(lambda cls: pl.sum_horizontal(parts) == pl.col("price"))
        return type("PriceTable", (PriceTable,), members)
    prices: dict[str, Any] = {n: dy.Decimal(12, 2, min_exclusive=0) for n in columns if n.startswith(PRICE_OF)}
    return type("WidePriceTable", (WidePriceTable,), prices)


def part_names(includes_vat: bool) -> tuple[str, ...]:
    """Return the names of the parts that add up to a price, in the order of the table's columns."""
    return (*PARTS, VAT_PART) if includes_vat else PARTS


def signed(ids: pl.Series) -> pl.Series:
    """Return the ids, unsigned integers as signed ones, because Delta Lake has no unsigned integers."""
    return ids.cast(pl.Int64) if ids.dtype.is_unsigned_integer() else ids


def price_columns(segment_id: pl.Series) -> list[str]:
    """Return the names of the wide layout's price columns; raise InputError if a segment's id cannot name a column."""
    names = [f"{PRICE_OF}{segment}" for segment in segment_id]
    unfit = [name for name in names if UNFIT.search(name)]
    if unfit or len({name.lower() for name in names}) < len(names):
        raise InputError(
            "score.layout=wide needs segments whose ids name columns (different without regard to case, without spaces "
            f"and ,;{{}}()=), found {', '.join(unfit[:3] or names[:3])}: rename the segments or set score.layout=long"
        )
    return names


def write_prices(
    path: Path, columns: Sequence[Column], groups: Iterable[Sequence[ColumnChunk]], metadata: Mapping[str, str]
) -> None:
    """Write one file of the price table completely, or leave nothing at `path`.

    Texts are plain strings with a dictionary. A file that declares an Enum cannot be read through Delta, whose schema
    says string (SchemaError of pl.scan_delta, Polars 2.1).
    """
    fresh = path.with_name(path.name + ".part")
    with naming(path), whole_or_absent(fresh):
        with fresh.open("wb", buffering=BUFFER) as file:
            write_parquet(file, columns, groups, metadata)
        sync(fresh)
        fresh.replace(path)


def price_files(folder: Path) -> list[Path]:
    """Return the price table's files in a folder, sorted; InputError if there is none, or one that is cut off."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise InputError(f"{folder} must hold the files of a price table, found none: {RESTORE}")
    for file in files:
        with readable(file, RESTORE):
            pl.read_parquet_schema(file)
    return files


def scan_prices(folder: Path) -> pl.LazyFrame:
    """Return a lazy frame over the price table's files in a folder, such as prices/_current.

    InputError as from price_files; collect_prices reports what is found damaged later.
    """
    return pl.scan_parquet(price_files(folder))


def collect_prices(prices: pl.LazyFrame, place: Path) -> pl.DataFrame:
    """Return the rows of a lazy frame over prices; raise InputError if the files in a folder, or the file, are damaged.

    place: the folder or the file that the frame reads.
    """
    with readable(place, RESTORE):
        return prices.collect(engine="streaming")


def products_in(path: Path) -> pl.Series:
    """Return the ids of the products of one file, each once; a sorted file's runs of equal ids are not hashed.

    Raise InputError if the file is damaged.
    """
    runs = pl.col("product_id").rle().struct.field("value").unique().alias("product_id")
    with readable(path, RESTORE):
        return pl.scan_parquet(path).select(runs).collect().to_series()


def scan_cells(folder: Path, segment_id: pl.DataType) -> pl.LazyFrame:
    """Return segment_id (cast to the given type), product_id and price of every cell, for either layout."""
    return cells_of(scan_prices(folder), segment_id)


def cells_of(table: pl.LazyFrame, segment_id: pl.DataType) -> pl.LazyFrame:
    """Return the cells of a lazy price table as scan_cells does."""
    prices = [name for name in table.collect_schema() if name.startswith(PRICE_OF)]
    if prices:
        table = table.unpivot(prices, index="product_id", variable_name="segment_id", value_name="price")
        table = table.with_columns(pl.col("segment_id").str.strip_prefix(PRICE_OF).cast(segment_id))
    return table.select("segment_id", "product_id", "price")
