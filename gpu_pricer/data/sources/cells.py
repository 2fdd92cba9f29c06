"""Cells of text files: how words, numbers, true and false, days and times are written, and how they are read.

A kind of column is `text`, `decimal_point`, `decimal_comma`, `percent_point`, `percent_comma`, `flag`, or a date format
of strftime such as %d.%m.%Y. A cell of percent such as `19` or `19 %` is the number 0.19.
A time is in UTC where its format ends with Z or UTC, or is %s, the seconds since 1970; %z is its distance from UTC.
"""

import re

import polars as pl
import polars.selectors as cs

from gpu_pricer.data.sources.clock import UTC, on_clock
from gpu_pricer.data.sources.currency_marks import mark_of, other_marks, without_mark
from gpu_pricer.errors import InputError

TEXT = "text"
FLAG = "flag"
DECIMAL = {"decimal_point": ".", "decimal_comma": ","}
"""The kinds of numbers, and the sign before their decimals."""
PERCENT = {"percent_point": "decimal_point", "percent_comma": "decimal_comma"}
"""The kinds of numbers in percent, and how the numbers are written."""
HUNDRED = 100.0
THOUSANDS = {"decimal_point": ",", "decimal_comma": "."}
SPACES = "'’\u00a0\u202f "
"""Signs that group thousands under either kind."""
FIRST_YEAR = 1900
"""An earlier year is one of two digits that a format with four has read."""
EPOCH = "%s"
SECONDS = r"^[12]\d{9}$"
"""Seconds since 1970 of the years 2001 to 2065; other numbers are none."""
ENDS_IN_UTC = re.compile(r"(?<!%)(Z|UTC)$")
OFFSET_CODE = re.compile(r"\s*%[:#]?z$")
OFFSET = r"\s*(Z|[+-]\d{2}(:?\d{2})?)$"
NO_OFFSET = r"(Z|[+-]00(:?00)?)$"
TRUE = ("true", "t", "yes", "y", "ja", "oui", "1")
FALSE = ("false", "f", "no", "n", "nein", "non", "0")


def require_kind(kind: object, origin: str) -> None:
    """Raise InputError unless `kind` is a kind of column; origin: the column, for the message."""
    known = (TEXT, FLAG, *DECIMAL, *PERCENT)
    if not isinstance(kind, str) or not (kind in known or "%" in kind):
        raise InputError(
            f"the kind of {origin} must be one of {', '.join(known)} or a date format such as %d.%m.%Y, "
            f"found {kind!r}: mend it"
        )
    if re.search("%[:#]?z|%\\+", kind) and not OFFSET_CODE.search(kind):
        raise InputError(f"the date format of {origin} must end with its %z, found {kind!r}: mend it")


def stripped(column: str) -> pl.Expr:
    """Return the cells of a column of text without white space around them; null where nothing else is in a cell."""
    cell = cs.by_name(column).str.strip_chars()
    return pl.when(cell != "").then(cell).alias(column)


def values(cell: pl.Expr, kind: str, zone: str | None = None, currency: str | None = None) -> pl.Expr:
    """Return the values of stripped cells; null where the kind cannot read a cell.

    Numbers become Float64, true and false 1 and 0, days and times Datetime in microseconds. zone: the clock on which
    times are told that are written with their distance from UTC; None: they are told as they are written. currency:
    that of amounts, so that a number which is marked with another one cannot be read; None: any mark is passed over.
    """
    if kind == TEXT:
        return cell
    if kind in DECIMAL:
        number = _numbers(cell, kind)
        return number if currency is None else pl.when(~_is_of_another(cell, currency)).then(number)
    if kind in PERCENT:
        return _shares(cell, PERCENT[kind])
    if kind == FLAG:
        word = cell.str.to_lowercase()
        return pl.when(word.is_in(TRUE)).then(1.0).when(word.is_in(FALSE)).then(0.0)
    moment = _moments(cell, kind, zone)
    return pl.when(moment.dt.year() >= FIRST_YEAR).then(moment).cast(pl.Datetime("us"))


def is_in_utc(cell: pl.Expr, kind: str) -> pl.Expr:
    """Return whether all times of a date format are in UTC by what their cells say."""
    if OFFSET_CODE.search(kind):
        return cell.str.contains(NO_OFFSET).all()
    return pl.lit(kind == EPOCH or ENDS_IN_UTC.search(kind) is not None)


def _moments(cell: pl.Expr, kind: str, zone: str | None) -> pl.Expr:
    """Return days and times on a clock."""
    if kind == EPOCH:
        cell = pl.when(cell.str.contains(SECONDS)).then(cell)
    elif not any(code in kind for code in ("%H", "%I", "%T", "%R")):
        return cell.str.to_date(kind, strict=False)
    moment = cell.str.to_datetime(kind, strict=False)
    if kind == EPOCH or ENDS_IN_UTC.search(kind):
        return on_clock(moment.dt.replace_time_zone(UTC), zone)
    if not OFFSET_CODE.search(kind):
        return moment
    if zone is not None:
        return on_clock(moment, zone)
    written = cell.str.replace(OFFSET, "").str.to_datetime(OFFSET_CODE.sub("", kind), strict=False)
    return pl.when(moment.is_not_null()).then(written)


def _is_of_another(cell: pl.Expr, currency: str) -> pl.Expr:
    """Return whether numbers are marked with another currency."""
    return mark_of(cell).is_in(other_marks(currency)).fill_null(False)


def _shares(cell: pl.Expr, kind: str) -> pl.Expr:
    """Return the shares of cells in percent; one from 0 to 1 without the sign may be a share and is not read."""
    number, is_marked = _numbers(cell.str.strip_suffix("%"), kind), cell.str.ends_with("%")
    return pl.when(is_percent(number) | is_marked).then(number / HUNDRED)


def is_percent(number: pl.Expr) -> pl.Expr:
    """Return whether a number can be one in percent only: 0, or above 1 and at most 100."""
    return (number == 0) | ((number > 1) & (number <= HUNDRED))


def _numbers(cell: pl.Expr, kind: str) -> pl.Expr:
    """Return the numbers that are written with the kind's decimals, and groups of three digits if any."""
    bare = without_mark(cell.str.replace("−", "-", literal=True)).str.strip_chars(SPACES)
    bare = bare.str.replace(r"[.,][-–—]+$", "")  # as in 3,-
    decimal, group = f"[{DECIMAL[kind]}]", f"[{THOUSANDS[kind]}{SPACES}]"
    pattern = rf"^[+-]?(\d+|\d{{1,3}}({group}\d{{3}})+|)({decimal}\d+)?([eE][+-]?\d+)?$"
    plain = bare.str.replace_all(group, "").str.replace(DECIMAL[kind], ".", literal=True)
    return pl.when(bare.str.contains(pattern)).then(plain).cast(pl.Float64, strict=False)
