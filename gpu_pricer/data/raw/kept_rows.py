"""Rows of the raw tables with an unusable optional value: they are kept, without that value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import polars as pl

from gpu_pricer.data.raw.checks_of_log import cells_report
from gpu_pricer.data.raw.logged_list_prices import LIST_PRICE_IS_PLAUSIBLE, ListPriceRule
from gpu_pricer.data.raw.raw_tables import LISTED
from gpu_pricer.data.sources.source import COLUMN
from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import examples
from gpu_pricer.tables.schemas.columns import is_finite_and_not_negative, is_finite_and_positive, is_flag, is_part

VAT_RATES_ARE_READABLE = "vat_rates_are_readable"
WITHOUT_LAUNCH = "as if launched when the sales show it"
WITHOUT_COMPETITOR = "without a competitor's price"
STAY = {
    "vat_rate": (VAT_RATES_ARE_READABLE, "with data.catalog.vat_rate if prices include VAT"),
    "list_price": ("list_prices_are_readable", "without a list price"),
    "launched": ("launches_are_readable", WITHOUT_LAUNCH),
}
"""By column of CAN_LACK, the rule that rows of text break whose cell there cannot be read, and how these rows stay."""
NO_DAY = datetime(2100, 1, 1)
"""The first launch that stands for none: many programs write 9999-12-31."""


class OptionalValue(NamedTuple):
    """An optional column of a table, whose rows stay where its value breaks a rule.

    is_usable: returns from the column's name whether a given value keeps the rule. how: how the row stays. instead:
    returns from the column's name what stands for an unusable value, null by default.
    """

    table: str
    column: str
    rule: str
    is_usable: Callable[[str], pl.Expr]
    how: str
    instead: Callable[[str], pl.Expr] = lambda column: pl.lit(None)


def _is_launch(column: str) -> pl.Expr:
    return pl.col(column) < NO_DAY


def _no_stock_below_zero(column: str) -> pl.Expr:
    """Return 0 for a stock below 0, as of a product that is sold out and ordered; null for one that is no number."""
    return pl.when(pl.col(column) < 0).then(0.0)


OPTIONAL_VALUES = (
    OptionalValue("products", "price", "price_is_positive", is_finite_and_positive, "at the prices of their sales"),
    OptionalValue(
        "products",
        "stock",
        "stock_is_not_negative",
        is_finite_and_not_negative,
        "with stock 0 where it is below 0",
        _no_stock_below_zero,
    ),
    OptionalValue(
        "products", "competitor_price", "competitor_price_is_positive", is_finite_and_positive, WITHOUT_COMPETITOR
    ),
    OptionalValue("products", "availability", "availability_is_a_share", is_part, "as available as their sales show"),
    OptionalValue(
        "products", "has_unit_price", "has_unit_price_is_true_or_false", is_flag, "as found from their sales"
    ),
    OptionalValue("products", "launched", "launch_is_plausible", _is_launch, WITHOUT_LAUNCH),
    OptionalValue(
        "context", "competitor_price", "competitor_price_is_positive", is_finite_and_positive, WITHOUT_COMPETITOR
    ),
    OptionalValue("context", "cost", "cost_is_positive", is_finite_and_positive, "without a cost"),
)
"""The optional values that are left out where they break a rule: one wrong cell is no reason to leave out a product
and all its sales. A cost of products is none of them, because every price depends on it."""


@dataclass(frozen=True)
class KeptRows:
    """The rows of a table that break a rule and are kept: their count, a line with examples, and how they are kept."""

    table: str
    rule: str
    count: int
    report: str
    how: str


def with_kept_rows(
    tables: Mapping[str, pl.DataFrame],
    unread: Mapping[str, pl.DataFrame],
    origins: Mapping[str, str],
    list_prices: ListPriceRule,
) -> tuple[dict[str, pl.DataFrame], list[KeptRows]]:
    """Return the raw tables without unusable optional values, and the rows that had one.

    unread: by table, the rows whose cell of a column of CAN_LACK cannot be read; see RawTable. origins: by table, what
    messages call it. Raise InputError if too many list prices cannot be read or are not plausible.
    """
    for name, rows in unread.items():
        _require_readable_list_prices(tables[name], rows, origins[name], list_prices)
    kept = [_unread_cells(name, column, rows, origins[name]) for name, rows in unread.items() for column in STAY]
    usable = dict(tables)
    for value in (value for value in OPTIONAL_VALUES if value.table in usable):
        usable[value.table], unusable = _with_usable_values(usable[value.table], value, origins[value.table])
        kept.append(unusable)
    for name in (name for name in LISTED if name in usable):
        usable[name], implausible = list_prices.applied(usable[name], name, origins[name])
        kept.append(KeptRows(name, LIST_PRICE_IS_PLAUSIBLE, *implausible, "without a list price"))
    return usable, [rows for rows in kept if rows.count]


def _require_readable_list_prices(
    rows: pl.DataFrame, unread: pl.DataFrame, origin: str, list_prices: ListPriceRule
) -> None:
    lost = unread.filter(pl.col(COLUMN) == "list_price")
    if lost.height and list_prices.is_too_much(lost.height, rows["list_price"].count() + lost.height):
        found = cells_report(lost, origin, STAY["list_price"][0])
        raise InputError(
            f"{origin} {found}: mend these cells, or run gpu-pricer inspect again, which takes words that mean that "
            "nothing is known (inspect.null_words), or set data.list_prices.most_implausible higher"
        )


def _unread_cells(name: str, column: str, rows: pl.DataFrame, origin: str) -> KeptRows:
    """Return the rows that stay though their cell of a column of CAN_LACK cannot be read."""
    rule, how = STAY[column]
    found = rows.filter(pl.col(COLUMN) == column)
    return KeptRows(name, rule, found.height, f"{origin} {cells_report(found, origin, rule)}", how)


def _with_usable_values(rows: pl.DataFrame, value: OptionalValue, origin: str) -> tuple[pl.DataFrame, KeptRows]:
    """Return a table's rows without the unusable values of a column, and the rows that had one."""
    is_usable = value.is_usable(value.column)
    found = rows.filter(~is_usable)
    report = f"breaks {value.rule} in {found.height:,} rows, such as {examples(found, ('product_id', value.column))}"
    kept = KeptRows(value.table, value.rule, found.height, f"{origin} {report}", value.how)
    used = pl.when(is_usable).then(value.column).otherwise(value.instead(value.column))
    return rows.with_columns(used.alias(value.column)), kept
