"""How amounts are marked with their currency: by a sign or a code before or after the number."""

import re
from collections.abc import Collection

import polars as pl

SIGNS = {
    "€": ("EUR",),
    "$": ("USD", "AUD", "CAD", "MXN", "NZD", "SGD"),
    "US$": ("USD",),
    "R$": ("BRL",),
    "£": ("GBP",),
    "¥": ("JPY", "CNY"),
    "₹": ("INR",),
    "₩": ("KRW",),
    "₺": ("TRY",),
    "FR.": ("CHF",),
    "SFR.": ("CHF",),
    "KR": ("SEK", "NOK", "DKK"),
    "KR.": ("DKK", "SEK", "NOK"),
    "ZŁ": ("PLN",),
    "KČ": ("CZK",),
    "FT": ("HUF",),
    "LEI": ("RON",),
}
"""Signs in capitals, and the currencies that have them, first that of most users of the sign."""
CODES = (
    *("AUD", "BGN", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HUF", "INR", "JPY", "KRW", "MXN", "NOK"),
    *("NZD", "PLN", "RON", "SEK", "SGD", "TRY", "USD", "ZAR"),
)
"""Codes of ISO 4217 that are read, in capitals or not."""
NAMES = {"EURO": "EUR", "EUROS": "EUR", "FRANKEN": "CHF"}
"""Names of currencies in columns of them, in capitals."""
CODE = rf"(?i:{'|'.join(CODES)})"
SIGN = rf"(?i:{'|'.join(re.escape(sign) for sign in sorted(SIGNS, key=len, reverse=True))})"


def without_mark(cell: pl.Expr) -> pl.Expr:
    """Return amounts without the marks of their currency, nor the white space between these and the number."""
    return cell.str.replace_all(rf"^(?:{CODE}|{SIGN})\s*|\s*(?:{CODE}|{SIGN})$", "")


def mark_of(cell: pl.Expr) -> pl.Expr:
    """Return the mark beside the number of amounts, a code in capitals rather than a sign; null without one."""
    found = [
        cell.str.extract(pattern)
        for mark in (CODE, SIGN)
        for pattern in (rf"^({mark})\s*[-+]?[.,]?\d", rf"\d[.,]?[-–—]*\s*({mark})$")
    ]
    return pl.coalesce(found).str.to_uppercase()


def currency_of(marks: Collection[str]) -> str | None:
    """Return the code of a currency that all marks may mean, the most likely one; None without any."""
    codes = (code for mark in marks for code in meanings(mark))
    return next((code for code in codes if all(may_mean(mark, code) for mark in marks)), None)


def may_mean(mark: str, currency: str) -> bool:
    """Return whether a mark may mean a currency; one that is not in CODES may have a sign that several have."""
    code, known = currency.upper(), meanings(mark)
    return code in known or (code not in CODES and len(known) > 1)


def other_marks(currency: str) -> list[str]:
    """Return the marks that cannot mean a currency."""
    return [mark for mark in (*CODES, *SIGNS) if not may_mean(mark, currency)]


def meanings(mark: str) -> tuple[str, ...]:
    """Return the currencies that a mark may mean, the most likely one first."""
    return SIGNS.get(mark, (mark,))


def named_currency(cell: str) -> str | None:
    """Return the mark that a cell of a column of currencies is: a code of three letters or a sign; None if neither."""
    mark = NAMES.get(cell.upper(), cell.upper())
    return mark if mark in SIGNS or re.fullmatch("[A-Z]{3}", mark) else None
