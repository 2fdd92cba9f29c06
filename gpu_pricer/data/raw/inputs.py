"""The inputs: every raw table is read, typed and checked before anything is computed or written."""

import logging
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from gpu_pricer.data.raw.checks_of_log import (
    CELLS_ARE_READABLE,
    PRODUCT_IS_KNOWN,
    cells_report,
    doubts_of_invalid_products,
    doubts_of_unknown,
    lines_of_invalid_products,
    require_most,
    require_once,
    require_plausible,
    require_unit_prices,
    settings_of,
)
from gpu_pricer.data.raw.guests import NO_GUESTS, RECEIPT, Guests, shared_user_report, with_guests
from gpu_pricer.data.raw.kept_rows import VAT_RATES_ARE_READABLE, KeptRows, with_kept_rows
from gpu_pricer.data.raw.outliers import OutlierRule
from gpu_pricer.data.raw.raw_tables import LINES, SCHEMAS
from gpu_pricer.data.raw.short_ids import with_ids_as_given, with_ordered_ids
from gpu_pricer.data.raw.typed_tables import read_tables, typed_tables
from gpu_pricer.data.raw.validation import Validation
from gpu_pricer.data.sources.source import CELLS, RawTable, Source
from gpu_pricer.errors import InputError
from gpu_pricer.tables.checking import EXAMPLES, Checked, check
from gpu_pricer.tables.periods import Period
from gpu_pricer.tables.schemas import STRUCTURAL_RULES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """The checked raw tables, each by the table's name.

    tables: the valid rows, lines in order of their periods, with user and product ids of text as short ids in order.
    quarantine: the rows that broke a rule. broken: how many rows break each rule. reports: a line on each table with
    broken rules, with examples. kept_reports: a line on each kind of rows with an unusable optional value, which are
    among the valid rows without that value, and on how they are kept. guests: how many transactions are of guests, and
    their visits. shared_users: a line on the user ids that many buyers seem to share, "" without any. unread_rates: a
    line on the products whose VAT rate cannot be read, "" without any. left_out: by table, the lines that do not count
    by their status or currency; they are not among the valid rows. left_out_reports: a line on each of these tables.
    doubts: what speaks against the rows as a whole.
    """

    tables: dict[str, pl.DataFrame]
    quarantine: dict[str, pl.DataFrame]
    broken: dict[str, dict[str, int]]
    reports: list[str]
    kept_reports: list[tuple[str, str]]
    guests: Guests
    shared_users: str
    unread_rates: str
    left_out: dict[str, pl.DataFrame]
    left_out_reports: list[str]
    doubts: list[str]

    def require_rates(self, price_includes_vat: bool | None, vat_rate: float | None) -> None:
        """Raise InputError where prices include VAT and no configured rate stands in for those that cannot be read."""
        if price_includes_vat and vat_rate is None and self.unread_rates:
            raise InputError(
                f"every product must have a VAT rate where prices include VAT, found that {self.unread_rates}: mend "
                "these cells, or set data.catalog.vat_rate to the rate of products without one"
            )

    @property
    def sales(self) -> pl.DataFrame:
        """The lines that prices are learned from: the offers if there are any, else the transactions."""
        return self.tables["offers"] if "offers" in self.tables else self.tables["transactions"]


def read_inputs(source: Source, validation: Validation, period: Period, last_period: date | None) -> Inputs:
    """Return all tables of a source, checked.

    Rows after the last period are not read, so that nothing can depend on them; None reads all rows. Raise InputError
    for structural faults, and for broken rules if `validation` refuses them.
    """
    raw = source.tables()
    origins = {name: table.origin for name, table in raw.items()}
    typed = typed_tables(raw)
    unreadable, unread, left_out = (_of_text(raw, which) for which in ("unreadable", "unread", "left_out"))
    tables = read_tables(typed, unreadable, raw, period, last_period)
    tables, kept = with_kept_rows(tables, unread, origins, validation.list_prices)
    if "group_prices" in tables:
        tables["group_prices"] = _of_products(tables["group_prices"], tables["products"], origins["group_prices"])
    checked = {name: check(rows, SCHEMAS[name], _rules(name, tables, validation)) for name, rows in tables.items()}
    _require_most(checked, {} if last_period else unreadable, origins, validation, period)
    valid = {name: _in_periods(name, result.valid, period) for name, result in checked.items()}
    doubts = [doubt for table in raw.values() for doubt in table.doubts]
    doubts += _doubts_of_lines(checked, valid, origins, period)
    valid, guests = _with_guests(valid, validation, origins)
    doubts += guests.doubts(valid["transactions"].height) if "transactions" in valid else []
    reports = _reports(checked, unreadable, origins, validation.outliers)
    told = "; ".join([*reports, *(rows.report for rows in kept)])
    if told and validation.on_invalid == "refuse":
        raise InputError(f"{told}: mend these rows or set data.on_invalid=quarantine")
    return Inputs(
        tables=with_ordered_ids(valid),
        quarantine=_quarantine(checked, unreadable, left_out),
        broken=_broken(checked, unreadable, kept),
        reports=reports,
        kept_reports=[(rows.report, rows.how) for rows in kept],
        guests=guests,
        shared_users=shared_user_report(valid["offers" if "offers" in valid else "transactions"], validation.guests),
        unread_rates="".join(rows.report for rows in kept if rows.rule == VAT_RATES_ARE_READABLE),
        left_out=left_out,
        left_out_reports=[f"{origins[name]} {_left_out_report(rows)}" for name, rows in left_out.items()],
        doubts=doubts,
    )


def _of_text(raw: dict[str, RawTable], which: Literal["unreadable", "unread", "left_out"]) -> dict[str, pl.DataFrame]:
    """Return the rows that cannot be read, stay all the same, or are no sales, of each table that has some."""
    lazy = {name: rows for name, table in raw.items() if (rows := getattr(table, which)) is not None}
    found = {name: rows.collect(engine="streaming") for name, rows in lazy.items()}
    return {name: rows for name, rows in found.items() if rows.height}


def _left_out_report(rows: pl.DataFrame) -> str:
    """Return how many lines do not count, and how many for which cell."""
    counted = rows.group_by(CELLS).len().sort("len", CELLS, descending=[True, False])
    told = ", ".join(f"{count:,} {status}" for status, count in counted.iter_rows())
    return f"has {rows.height:,} lines that do not count: {told}"


def _is_known(products: pl.DataFrame) -> pl.Expr:
    """Return whether a row is of one of the products."""
    return pl.col("product_id").is_in(products["product_id"].drop_nulls().unique().implode())


def _of_products(prices: pl.DataFrame, products: pl.DataFrame, origin: str) -> pl.DataFrame:
    """Return the rows of group_prices without those of other products: published prices outlive delisted products.

    InputError where every row is of another product.
    """
    kept = prices.filter(_is_known(products) | pl.col("product_id").is_null())
    if kept.is_empty():
        found = ", ".join(prices["product_id"].unique().sort().head(EXAMPLES).cast(pl.String))
        raise InputError(f"{origin} must have prices of products in the products table, found only {found}: mend it")
    if kept.height < prices.height:
        log.info(
            "%s rows of group_prices are of products not in the products table", f"{prices.height - kept.height:,}"
        )
    return kept


def _rules(name: str, frames: dict[str, pl.DataFrame], validation: Validation) -> dict[str, pl.Expr]:
    """Return the rules beyond a table's own schema: products are known and lines are plausible."""
    rules: dict[str, pl.Expr] = {}
    if name in (*LINES, "context"):
        rules[PRODUCT_IS_KNOWN] = _is_known(frames["products"])
    if name in LINES:
        rules |= {rule: outlier.holds() for rule, outlier in validation.outliers.items()}
    return rules


def _require_most(
    checked: dict[str, Checked],
    unreadable: dict[str, pl.DataFrame],
    origins: dict[str, str],
    validation: Validation,
    period: Period,
) -> None:
    """Raise InputError for structural faults, and for lines of which too many break rules or are implausible."""
    for name, result in checked.items():
        _require_sound(result, origins[name], validation.outliers)
        if name in LINES:
            lost = unreadable.get(name)
            require_most(result, lost, origins[name], validation.most_invalid)
            require_plausible(result, lost, origins[name], validation.most_implausible, validation.outliers, period)


def _require_sound(checked: Checked, origin: str, outliers: dict[str, OutlierRule]) -> None:
    if not STRUCTURAL_RULES.isdisjoint(checked.broken):
        raise InputError(f"{origin} {checked.report()}: keep one row each")
    if checked.valid.is_empty():
        raise InputError(
            f"{origin} must have rows that keep every rule, found none left; it {checked.report()}: mend it"
            + "".join(f", or change data.outliers.{name}" for name in checked.broken if name in outliers)
        )


def _in_periods(name: str, rows: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return the rows of a table of lines in the order of their periods, else as they are."""
    if name not in LINES:
        return rows
    start = period.start(pl.col("time"))
    is_sorted = rows.select(start).to_series().is_sorted()
    return rows if is_sorted else rows.sort(start, maintain_order=True)


def _doubts_of_lines(
    checked: dict[str, Checked], valid: dict[str, pl.DataFrame], origins: dict[str, str], period: Period
) -> list[str]:
    """Return the doubts about the lines as a whole; raise InputError where they are unfit to learn from."""
    doubts = []
    for name in (name for name in LINES if name in valid):
        doubts += doubts_of_unknown(checked[name], origins[name], period)
        if checked["products"].broken:
            doubts += doubts_of_invalid_products(checked["products"], checked[name], origins["products"])
        doubts += require_once(valid[name].select(SCHEMAS[name].column_names()), origins[name], period)
    if "transactions" in valid:
        require_unit_prices(valid["transactions"], origins["transactions"], period)
    return doubts


def _with_guests(
    valid: dict[str, pl.DataFrame], validation: Validation, origins: dict[str, str]
) -> tuple[dict[str, pl.DataFrame], Guests]:
    """Return the tables with guests apart, one of each receipt, and what is known of them; see with_guests."""
    if "transactions" not in valid:
        if validation.guests:
            raise InputError("data.guests is for transactions, found offers alone: leave it out")
        return valid, NO_GUESTS
    apart, guests = with_guests(valid, validation.guests or [], origins["transactions"])
    return apart | {"transactions": apart["transactions"].drop(RECEIPT)}, guests


def _quarantine(
    checked: dict[str, Checked], unreadable: dict[str, pl.DataFrame], left_out: dict[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """Return the rows that do not count, by the name of the file that they are written to."""
    invalid = {name: result.invalid.drop(RECEIPT, strict=False) for name, result in checked.items() if result.broken}
    return {
        **{name: with_ids_as_given(rows) for name, rows in invalid.items()},
        **{f"{name}_unreadable": rows for name, rows in unreadable.items()},
        **{f"{name}_left_out": rows for name, rows in left_out.items()},
    }


def _broken(
    checked: dict[str, Checked], unreadable: dict[str, pl.DataFrame], kept: list[KeptRows]
) -> dict[str, dict[str, int]]:
    """Return by table how many rows break each rule, those that stay among them."""
    counts = {name: {CELLS_ARE_READABLE: rows.height} for name, rows in unreadable.items()}
    for rows in kept:
        counts[rows.table] = counts.get(rows.table, {}) | {rows.rule: rows.count}
    return {name: counts.get(name, {}) | result.broken for name, result in checked.items()}


def _reports(
    checked: dict[str, Checked],
    unreadable: dict[str, pl.DataFrame],
    origins: dict[str, str],
    outliers: dict[str, OutlierRule],
) -> list[str]:
    """Return a line on each table with rows that cannot be read, and on each with rows that break another rule."""
    reports = [
        f"{origins[name]} {cells_report(rows, origins[name], CELLS_ARE_READABLE)}" for name, rows in unreadable.items()
    ]
    others = {
        name: result.report() + settings_of(result, outliers) for name, result in checked.items() if result.broken
    }
    if "products" in others:
        others["products"] += _lost_lines(checked)
    return reports + [f"{origins[name]} {report}" for name, report in others.items()]


def _lost_lines(checked: dict[str, Checked]) -> str:
    """Return what to say of the lines of products that break a rule, "" without any: they do not count either."""
    found = {name: lines_of_invalid_products(checked["products"], checked[name]) for name in LINES if name in checked}
    return "".join(f"; {count:,} lines of {name} go with these products" for name, count in found.items() if count)
