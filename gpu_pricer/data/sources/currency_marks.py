"""How amounts are marked with their currency: by a sign or a code before or after the number."""

import polars as pl

SIGNS = {
    "€": ("EUR",),
    "$": ("USD", "AUD", "CAD", "MXN", "NZD", "SGD"),
    "US$": ("USD",),
    "£": ("GBP",),
    "¥": ("JPY", "CNY"),
}
"""Signs, and the currencies that have them, first that of most users of the sign."""
CODES = (
    *("AUD", "BGN", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HUF", "INR", "JPY", "KRW", "MXN", "NOK"),
    *("NZD", "PLN", "RON", "SEK", "SGD", "TRY", "USD", "ZAR"),
)
"""Codes of ISO 4217 that are read, in capitals or not."""
MARK = rf"(?i:{'|'.join(CODES)}|US\$)|[€$£¥]"


def without_mark(cell: pl.Expr) -> pl.Expr:
    """Return amounts without the mark of their currency, nor the white space between the two."""
    return cell.str.replace_all(rf"^(?:{MARK})\s*|\s*(?:{MARK})$", "")


def mark_of(cell: pl.Expr) -> pl.Expr:
    """Return the mark of amounts, codes in capitals; null without one."""
    before, after = (cell.str.extract(pattern) for pattern in (rf"^({MARK})", rf"({MARK})$"))
    return pl.coalesce(before, after).str.to_uppercase()


def currency_of(mark: str) -> str:
    """Return the code of the currency that a mark most likely means."""
    return SIGNS.get(mark, (mark,))[0]


def may_mean(mark: str, currency: str) -> bool:
    """Return whether a mark may mean a currency; one that is not in CODES may have any mark."""
    code = currency.upper()
    return code not in CODES or code in SIGNS.get(mark, (mark,))
