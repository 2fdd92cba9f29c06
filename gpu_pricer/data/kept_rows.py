"""Rows of the raw tables with an unusable optional value: they are kept, without that value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from gpu_pricer.data.checks_of_log import cells_report
from gpu_pricer.data.logged_list_prices import LIST_PRICE_IS_PLAUSIBLE, ListPriceRule
from gpu_pricer.data.raw_tables import LISTED
from gpu_pricer.data.sources.source import COLUMN
from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import examples

VAT_RATES_ARE_READABLE = "vat_rates_are_readable"
WITHOUT_LAUNCH = "as if launched when the sales show it"
STAY = {
    "vat_rate": (VAT_RATES_ARE_READABLE, "with data.catalog.vat_rate if prices include VAT"),
    "list_price": ("list_prices_are_readable", "without a list price"),
    "launched": ("launches_are_readable", WITHOUT_LAUNCH),
}
"""By column of CAN_LACK, the rule that rows of text break whose cell there cannot be read, and how these rows stay."""
PRICES_ARE_POSITIVE = "price_is_positive"
"""The rule of Products that products break whose price is no price: they stay, without a price of their own."""
LAUNCH_IS_PLAUSIBLE, NO_DAY = "launch_is_plausible", datetime(2100, 1, 1)
"""The rule that products break whose launch is no day, and the first day that stands for none: as 9999-12-31 does in
many programs."""


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
    products, unpriced = _with_usable_prices(tables["products"], origins["products"])
    products, undated = _with_plausible_launches(products, origins["products"])
    kept += [unpriced, undated]
    usable = {**tables, "products": products}
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


def _with_usable_prices(products: pl.DataFrame, origin: str) -> tuple[pl.DataFrame, KeptRows]:
    """Return the products, without a price where it is not finite and above 0, and those that had such a price."""
    price = pl.col("price")
    is_price = price.is_finite() & (price > 0)
    kept = _products(products.filter(~is_price), PRICES_ARE_POSITIVE, "price", origin, "at the prices of their sales")
    return products.with_columns(price=pl.when(is_price).then(price)), kept


def _with_plausible_launches(products: pl.DataFrame, origin: str) -> tuple[pl.DataFrame, KeptRows]:
    """Return the products, without a launch where it stands for none, and those that had such a launch."""
    is_none = pl.col("launched") >= NO_DAY
    kept = _products(products.filter(is_none), LAUNCH_IS_PLAUSIBLE, "launched", origin, WITHOUT_LAUNCH)
    return products.with_columns(launched=pl.when(~is_none).then("launched")), kept


def _products(rows: pl.DataFrame, rule: str, column: str, origin: str, how: str) -> KeptRows:
    """Return products that break a rule on a column and stay."""
    found = f"breaks {rule} in {rows.height:,} rows, such as {examples(rows, ('product_id', column))}"
    return KeptRows("products", rule, rows.height, f"{origin} {found}", how)
