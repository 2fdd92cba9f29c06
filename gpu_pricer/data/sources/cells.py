"""Cells of text files: how words, numbers, true and false, days and times are written, and how they are read.

A kind of column is `text`, `decimal_point`, `decimal_comma`, `flag`, or a date format of strftime such as %d.%m.%Y.
"""

import polars as pl
import polars.selectors as cs

from gpu_pricer.errors import InputError

TEXT = "text"
FLAG = "flag"
DECIMAL = {"decimal_point": ".", "decimal_comma": ","}
"""The kinds of numbers, and the sign before their decimals."""
THOUSANDS = {"decimal_point": ",", "decimal_comma": "."}
SPACES = "'’\u00a0\u202f "
"""Signs that group thousands under either kind."""
CURRENCY_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}
"""Signs that may stand before or after an amount, and the currency that most users of the sign have."""
FIRST_YEAR = 1900
"""An earlier year is one of two digits that a format with four has read."""
TRUE = ("true", "t", "yes", "y", "ja", "oui", "1")
FALSE = ("false", "f", "no", "n", "nein", "non", "0")


def require_kind(kind: object, origin: str) -> None:
    """Raise InputError unless `kind` is a kind of column; origin: the column, for the message."""
    known = (TEXT, FLAG, *DECIMAL)
    if not isinstance(kind, str) or not (kind in known or "%" in kind):
        raise InputError(
            f"the kind of {origin} must be one of {', '.join(known)} or a date format such as %d.%m.%Y, "
            f"found {kind!r}: mend it"
        )


def stripped(column: str) -> pl.Expr:
    """Return the cells of a column of text without white space around them; null where nothing else is in a cell."""
    cell = cs.by_name(column).str.strip_chars()
    return pl.when(cell != "").then(cell).alias(column)


def values(cell: pl.Expr, kind: str) -> pl.Expr:
    """Return the values of stripped cells; null where the kind cannot read a cell.

    Numbers become Float64, true and false 1 and 0, days and times Datetime in microseconds.
    """
    if kind == TEXT:
        return cell
    if kind in DECIMAL:
        return _numbers(cell, kind)
    if kind == FLAG:
        word = cell.str.to_lowercase()
        return pl.when(word.is_in(TRUE)).then(1.0).when(word.is_in(FALSE)).then(0.0)
    is_date = not any(code in kind for code in ("%H", "%I", "%T", "%R"))
    moment = cell.str.to_date(kind, strict=False) if is_date else cell.str.to_datetime(kind, strict=False)
    return pl.when(moment.dt.year() >= FIRST_YEAR).then(moment).cast(pl.Datetime("us"))


def _numbers(cell: pl.Expr, kind: str) -> pl.Expr:
    """Return the numbers that are written with the kind's decimals, and groups of three digits if any."""
    signs = "".join(CURRENCY_SIGNS)
    bare = cell.str.replace("−", "-", literal=True).str.strip_chars(signs + SPACES)
    decimal, group = f"[{DECIMAL[kind]}]", f"[{THOUSANDS[kind]}{SPACES}]"
    pattern = rf"^[+-]?(\d+|\d{{1,3}}({group}\d{{3}})+|)({decimal}\d+)?([eE][+-]?\d+)?$"
    plain = bare.str.replace_all(group, "").str.replace(DECIMAL[kind], ".", literal=True)
    return pl.when(bare.str.contains(pattern)).then(plain).cast(pl.Float64, strict=False)
