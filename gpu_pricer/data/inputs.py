"""The inputs: every raw table is read, typed and checked before anything is computed or written."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Literal

import dataframely as dy
import polars as pl

from gpu_pricer.checks import require_number
from gpu_pricer.data.checks_of_log import (
    CELLS_ARE_READABLE,
    PRODUCT_IS_KNOWN,
    cells_report,
    doubts_of_unknown,
    require_most,
    require_once,
    require_plausible,
    require_unit_prices,
    settings_of,
)
from gpu_pricer.data.guests import NO_GUESTS, RECEIPT, Guests, shared_user_report, with_guests, with_receipt_numbers
from gpu_pricer.data.logged_list_prices import LIST_PRICE_IS_PLAUSIBLE, ListPriceRule
from gpu_pricer.data.outliers import OutlierRule
from gpu_pricer.data.short_ids import (
    ID_OWNERS,
    type_as_given,
    with_ids_as_given,
    with_ordered_ids,
    with_short_ids,
)
from gpu_pricer.data.sources.source import CELLS, COLUMN, RawTable, Source
from gpu_pricer.errors import InputError
from gpu_pricer.tables.attributes import with_attributes
from gpu_pricer.tables.checking import EXAMPLES, Checked, check, examples
from gpu_pricer.tables.periods import Period
from gpu_pricer.tables.reading import collect, conform
from gpu_pricer.tables.schemas import STRUCTURAL_RULES, Context, GroupPrices, Offers, Products, Transactions, Users

log = logging.getLogger(__name__)

SCHEMAS: dict[str, type[dy.Schema]] = {
    "products": Products,
    "users": Users,
    "transactions": Transactions,
    "offers": Offers,
    "context": Context,
    "group_prices": GroupPrices,
}
"""The rule that rows of text break that hold a cell of another kind than their column."""
STAY = {
    "vat_rate": ("vat_rates_are_readable", "with data.catalog.vat_rate if prices include VAT"),
    "list_price": ("list_prices_are_readable", "without a list price"),
    "launched": ("launches_are_readable", "as if launched when the sales show it"),
}
"""By column of CAN_LACK, the rule that rows of text break whose cell there cannot be read, and how these rows stay."""
PRICES_ARE_POSITIVE = "price_is_positive"
"""The rule of Products that products break whose price is no price: they stay, without a price of their own."""
LISTED = ("transactions", "offers", "products")
"""The tables with list prices."""
DESCRIBED = ("products", "users")  # whose further columns are attributes
LINES = ("transactions", "offers")
"""The tables that grow with every day."""


@dataclass(frozen=True)
class Validation:
    """How rows are judged.

    on_invalid: what happens to rows that break a rule. most_invalid: the largest share of the lines that may be set
    aside for other reasons than a product that is not in the products table. most_implausible: the largest share, of
    all lines and of those of the last period, that may be outliers or hold cells that cannot be read. outliers: by
    name, further rules that plausible sales keep. list_prices: which list prices are plausible. guests: the user ids
    that many buyers share, or None where nothing is said of them.
    """

    on_invalid: Literal["quarantine", "refuse"]
    most_invalid: float
    most_implausible: float
    outliers: dict[str, OutlierRule]
    list_prices: ListPriceRule
    guests: list[int | str] | None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Validation":
        """Return the validation that the settings of a source describe; their rules are objects."""
        return cls(**{field.name: data[field.name] for field in fields(cls)})

    def __post_init__(self) -> None:
        if self.on_invalid not in ("quarantine", "refuse"):
            raise InputError(f"data.on_invalid must be quarantine or refuse, found {self.on_invalid!r}: mend that key")
        try:
            for name in ("most_invalid", "most_implausible"):
                require_number(f"data.{name}", getattr(self, name), least=0, most=1)
        except ValueError as error:
            raise InputError(f"{error}: mend that key") from error
        if not isinstance(self.list_prices, ListPriceRule):
            raise InputError(
                f"data.list_prices must be a rule with a _target_, found {self.list_prices!r}: mend it, or set "
                "data.list_prices.most_implausible=1 to accept any list price"
            )
        guests = self.guests or []
        if not isinstance(guests, list) or not all(
            isinstance(user, int | str) and not isinstance(user, bool) for user in guests
        ):
            raise InputError(f"data.guests must be a list of user ids, or null, found {guests!r}: mend that key")
        for name, rule in self.outliers.items():
            if not hasattr(rule, "holds"):
                raise InputError(
                    f"data.outliers.{name} must be a rule with a _target_, found {rule!r}: "
                    f"mend it, or leave it out with ~data.outliers.{name}"
                )


@dataclass(frozen=True)
class Inputs:
    """The checked raw tables, each by the table's name.

    tables: the valid rows, lines in order of their periods, with user and product ids of text as short ids in order.
    quarantine: the rows that broke a rule. broken: how many rows break each rule. reports: a line on each table with
    broken rules, with examples. kept_reports: a line on each kind of rows with a value that is none, which are among
    the valid rows without that value, and how they stay. guests: how many transactions are of guests, and their visits.
    shared_users: a line on the user ids that many buyers seem to share, "" without any. unread_rates: a line on the
    products whose VAT rate cannot be read, "" without any. left_out: by table, the lines that do not count by their
    status or currency; they are not among the valid rows. left_out_reports: a line on each of these tables. doubts:
    what speaks against the rows as a whole.
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


@dataclass(frozen=True)
class _Kept:
    """Rows of a table that break a rule and stay: how many, a line on them with examples, and how they stay."""

    table: str
    rule: str
    count: int
    report: str
    how: str


def read_inputs(source: Source, validation: Validation, period: Period, last_period: date | None) -> Inputs:
    """Return all tables of a source, checked.

    Rows after the last period are not read, so that nothing can depend on them; None reads all rows. Raise InputError
    for structural faults, and for broken rules if `validation` refuses them.
    """
    raw = source.tables()
    _require_tables(raw)
    _tell_utc(raw)
    lazy = {
        name: conform(raw[name].rows, schema, raw[name].origin, keep_others=name != "transactions")
        for name, schema in SCHEMAS.items()
        if name in raw
    }
    if "transactions" in lazy:
        lazy["transactions"] = with_receipt_numbers(per_weight(lazy["transactions"]))
    unreadable, unread, left_out = (_of_text(raw, which) for which in ("unreadable", "unread", "left_out"))
    for name in unreadable:
        _require_readable_rows(lazy[name], unreadable[name], raw[name].origin)
    for name in (name for name in LINES if name in lazy):
        lazy[name] = with_short_ids(lazy[name])
    frames = {name: _collect(rows, raw[name].origin, period, last_period) for name, rows in lazy.items()}
    for name in (name for name in DESCRIBED if name in frames):
        others = [column for column in frames[name].columns if column not in SCHEMAS[name].column_names()]
        frames[name] = with_attributes(frames[name], others, raw[name].origin)
    frames = _with_equal_ids(frames, raw)
    for name, cells in unread.items():
        _require_readable_list_prices(frames[name], cells, raw[name].origin, validation.list_prices)
    kept = [_kept_cells(name, column, rows, raw[name].origin) for name, rows in unread.items() for column in STAY]
    frames["products"], unpriced = _with_usable_prices(frames["products"], raw["products"].origin)
    kept.append(unpriced)
    for name in (name for name in LISTED if name in frames):
        frames[name], implausible = validation.list_prices.applied(frames[name], name, raw[name].origin)
        kept.append(_Kept(name, LIST_PRICE_IS_PLAUSIBLE, *implausible, "without a list price"))
    kept = [rows for rows in kept if rows.count]
    if "group_prices" in frames:
        frames["group_prices"] = _of_products(frames["group_prices"], frames["products"], raw["group_prices"].origin)
    checked = {name: check(rows, SCHEMAS[name], _rules(name, frames, validation)) for name, rows in frames.items()}
    for name, result in checked.items():
        _require_sound(result, raw[name].origin, validation.outliers)
        if name in LINES:
            lost = None if last_period else unreadable.get(name)
            require_most(result, lost, raw[name].origin, validation.most_invalid)
            require_plausible(result, lost, raw[name].origin, validation.most_implausible, validation.outliers, period)
    valid = {name: _in_periods(name, result.valid, period) for name, result in checked.items()}
    doubts = [doubt for table in raw.values() for doubt in table.doubts]
    for name in (name for name in LINES if name in valid):
        doubts += doubts_of_unknown(checked[name], raw[name].origin, period)
        doubts += require_once(valid[name].select(SCHEMAS[name].column_names()), raw[name].origin, period)
    if "transactions" in valid:
        require_unit_prices(valid["transactions"], raw["transactions"].origin, period)
    guests = NO_GUESTS
    if validation.guests and "transactions" not in valid:
        raise InputError("data.guests is for transactions, found offers alone: leave it out")
    if "transactions" in valid:
        valid, guests = with_guests(valid, validation.guests or [], raw["transactions"].origin)
        valid["transactions"] = valid["transactions"].drop(RECEIPT)
        doubts += guests.doubts(valid["transactions"].height)
    reports = _reports(checked, unreadable, raw, validation.outliers)
    told = "; ".join([*reports, *(rows.report for rows in kept)])
    if told and validation.on_invalid == "refuse":
        raise InputError(f"{told}: mend these rows or set data.on_invalid=quarantine")
    quarantine = {
        name: with_ids_as_given(result.invalid.drop(RECEIPT, strict=False))
        for name, result in checked.items()
        if result.broken
    }
    counts = {name: {CELLS_ARE_READABLE: rows.height} for name, rows in unreadable.items()}
    for rows in kept:
        counts[rows.table] = counts.get(rows.table, {}) | {rows.rule: rows.count}
    return Inputs(
        tables=with_ordered_ids(valid),
        quarantine=quarantine
        | {f"{name}_unreadable": rows for name, rows in unreadable.items()}
        | {f"{name}_left_out": rows for name, rows in left_out.items()},
        broken={name: counts.get(name, {}) | result.broken for name, result in checked.items()},
        reports=reports,
        kept_reports=[(rows.report, rows.how) for rows in kept],
        guests=guests,
        shared_users=shared_user_report(valid["offers" if "offers" in valid else "transactions"], validation.guests),
        unread_rates="".join(rows.report for rows in kept if rows.rule == STAY["vat_rate"][0]),
        left_out=left_out,
        left_out_reports=[f"{raw[name].origin} {_left_out_report(rows)}" for name, rows in left_out.items()],
        doubts=doubts,
    )


def _of_text(raw: dict[str, RawTable], which: Literal["unreadable", "unread", "left_out"]) -> dict[str, pl.DataFrame]:
    """Return the rows that cannot be read, stay all the same, or are no sales, of each table that has some."""
    lazy = {name: rows for name, table in raw.items() if (rows := getattr(table, which)) is not None}
    found = {name: rows.collect(engine="streaming") for name, rows in lazy.items()}
    return {name: rows for name, rows in found.items() if rows.height}


def _require_readable_rows(rows: pl.LazyFrame, unreadable: pl.DataFrame, origin: str) -> None:
    if rows.limit(1).collect().is_empty():
        found = cells_report(unreadable, origin, CELLS_ARE_READABLE)
        raise InputError(
            f"{origin} must have rows whose cells can all be read, found none; it {found}: "
            "mend the file, or run gpu-pricer inspect again if it is now written in another way"
        )


def _left_out_report(rows: pl.DataFrame) -> str:
    """Return how many lines do not count, and how many for which cell."""
    counted = rows.group_by(CELLS).len().sort("len", CELLS, descending=[True, False])
    told = ", ".join(f"{count:,} {status}" for status, count in counted.iter_rows())
    return f"has {rows.height:,} lines that do not count: {told}"


def _require_readable_list_prices(
    rows: pl.DataFrame, unread: pl.DataFrame, origin: str, list_prices: ListPriceRule
) -> None:
    """Raise InputError if too many list prices cannot be read; rows: of the table. unread: see RawTable."""
    lost = unread.filter(pl.col(COLUMN) == "list_price")
    if lost.height and list_prices.is_too_much(lost.height, rows["list_price"].count() + lost.height):
        found = cells_report(lost, origin, STAY["list_price"][0])
        raise InputError(
            f"{origin} {found}: mend these cells, or run gpu-pricer inspect again, which takes words that mean that "
            "nothing is known (inspect.null_words), or set data.list_prices.most_implausible higher"
        )


def _kept_cells(name: str, column: str, rows: pl.DataFrame, origin: str) -> _Kept:
    """Return the rows that stay though their cell of a column of CAN_LACK cannot be read."""
    rule, how = STAY[column]
    found = rows.filter(pl.col(COLUMN) == column)
    return _Kept(name, rule, found.height, f"{origin} {cells_report(found, origin, rule)}", how)


def _with_usable_prices(products: pl.DataFrame, origin: str) -> tuple[pl.DataFrame, _Kept]:
    """Return the products, without a price where it is not finite and above 0, and those that had such a price."""
    price = pl.col("price")
    is_price = price.is_finite() & (price > 0)
    lost = products.filter(~is_price)
    found = f"breaks {PRICES_ARE_POSITIVE} in {lost.height:,} rows, such as {examples(lost, ('product_id', 'price'))}"
    kept = _Kept("products", PRICES_ARE_POSITIVE, lost.height, f"{origin} {found}", "at the prices of their sales")
    return products.with_columns(price=pl.when(is_price).then(price)), kept


def per_weight(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return the lines; one with a net_weight has that as its quantity, and prices per unit of weight.

    What the line cost, quantity times price, stays the same.
    """
    weight = pl.col("net_weight")
    is_weighed = (weight.is_finite() & (weight > 0)).fill_null(False)
    pieces = pl.col("quantity") / weight
    return lines.with_columns(
        pl.when(is_weighed).then(pl.col(name) * pieces).otherwise(name).alias(name) for name in ("price", "list_price")
    ).with_columns(quantity=pl.when(is_weighed & (pl.col("quantity") > 0)).then(weight).otherwise("quantity"))


def _require_tables(raw: dict[str, RawTable]) -> None:
    found = ", ".join(raw) or "none"
    if "products" not in raw:
        raise InputError(f"the tables must include products, found {found}: add products.parquet")
    if "transactions" not in raw and "offers" not in raw:
        raise InputError(f"the tables must include transactions or offers, found {found}: add one of them")


def _tell_utc(raw: dict[str, RawTable]) -> None:
    """Warn of times in UTC, once: a sale of the evening may lie in the next day there, and in another period."""
    found = [f"{name} of {table.origin}" for table in raw.values() for name in table.in_utc]
    if found:
        log.warning(
            "days and weeks begin at midnight UTC, because times are in UTC: %s; set data.time_zone to that of the "
            "stores, such as America/New_York",
            ", ".join(found),
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


def _with_equal_ids(frames: dict[str, pl.DataFrame], raw: dict[str, RawTable]) -> dict[str, pl.DataFrame]:
    """Return the frames with ids in the types of the table that owns them.

    Raise InputError if one table has text where another has numbers.
    """
    for column, owner in ID_OWNERS.items():
        if owner not in frames:
            continue
        expected = type_as_given(frames[owner].schema[column])
        for name, frame in frames.items():
            if column not in SCHEMAS[name].column_names() or type_as_given(frame.schema[column]) == expected:
                continue
            found = type_as_given(frame.schema[column])
            if pl.String in (found, expected):
                raise InputError(
                    f"{raw[name].origin}: {column} must be {expected} as in {owner}, found {found}: convert one of them"
                )
            frames[name] = frame.with_columns(pl.col(column).cast(expected, strict=False))
    return frames


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


def _reports(
    checked: dict[str, Checked],
    unreadable: dict[str, pl.DataFrame],
    raw: dict[str, RawTable],
    outliers: dict[str, OutlierRule],
) -> list[str]:
    """Return a line on each table with rows that cannot be read, and on each with rows that break another rule."""
    reports = [
        f"{raw[name].origin} {cells_report(rows, raw[name].origin, CELLS_ARE_READABLE)}"
        for name, rows in unreadable.items()
    ]
    others = {
        name: result.report() + settings_of(result, outliers) for name, result in checked.items() if result.broken
    }
    if "products" in others:
        others["products"] += _lost_lines(checked)
    return reports + [f"{raw[name].origin} {report}" for name, report in others.items()]


def _lost_lines(checked: dict[str, Checked]) -> str:
    """Return what to say of the lines of products that break a rule, "" without any: they do not count either."""
    broken = checked["products"].invalid["product_id"].drop_nulls().unique()
    found = {name: checked[name].valid.select(pl.col("product_id").is_in(broken.implode()).sum()).item()
             for name in LINES if name in checked}  # fmt: skip
    return "".join(f"; {count:,} lines of {name} go with these products" for name, count in found.items() if count)
