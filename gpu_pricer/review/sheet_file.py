"""A filled sheet, read back: the answers of a CSV or Parquet file as decisions."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.spreadsheet import read_spreadsheet, with_decimal_point
from gpu_pricer.tables.version.decisions import ACCEPT, OVERRIDE, REJECT

ANSWERS = (ACCEPT, REJECT, OVERRIDE)
MARK = "p"
"""What a sheet writes before a proposal: one of digits alone, or with one e among them, is a number to a spreadsheet,
which writes it back with fewer digits."""


class SheetRow(NamedTuple):
    """One answered row: product_id as text, the decision, the price of an override, the note, and the proposal, if any.

    place: the row's number in the file, for messages.
    """

    place: str
    product_id: str
    decision: str
    price: float | None
    note: str
    proposal: str | None


def read_answers(path: Path) -> list[SheetRow]:
    """Return the answered rows of a filled sheet; rows without a decision are left out.

    The file needs the columns product_id and decision, and price where a decision is override; note and proposal may
    come. In a CSV file semicolons may separate, and a decimal comma may stand in prices. InputError for a row that is
    no decision or has a price beside another one than override, or a product that is answered twice.
    """
    table = read_spreadsheet(path, "review.decisions").select(pl.all().cast(pl.String))
    missing = [name for name in ("product_id", "decision") if name not in table.columns]
    if missing:
        raise InputError(
            f"{path} must have the columns product_id and decision, found {', '.join(table.columns)}: fill the sheet "
            "that gpu-pricer review writes"
        )
    absent = [name for name in ("price", "note", "proposal") if name not in table.columns]
    table = table.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    answers = [*_answers(table, path)]
    again = (
        pl.Series([answer.product_id for answer in answers], dtype=pl.String).value_counts().filter(pl.col("count") > 1)
    )
    if again.height:
        raise InputError(f"{path} must decide once about a product, found {again.row(0)[0]} again: leave one row")
    return answers


def _answers(table: pl.DataFrame, path: Path) -> Iterator[SheetRow]:
    columns = ("product_id", "decision", with_decimal_point(pl.col("price")), "note", "proposal")
    for number, (product_id, decision, price, note, proposal) in enumerate(table.select(columns).iter_rows(), 2):
        word, place = (decision or "").strip().lower(), f"{path}, row {number}"
        if word != OVERRIDE and price:
            found = repr(word) if word else "no decision"
            raise InputError(f"{place} must say override where it gives a price, found {found}: mend one of them")
        if not word:
            continue
        if word not in ANSWERS:
            raise InputError(f"{place} must say accept, reject or override, found {decision!r}: mend it")
        if not product_id:
            raise InputError(f"{place} must name a product, found none: mend it")
        amount = _price(place, price) if word == OVERRIDE else None
        yield SheetRow(place, product_id, word, amount, (note or "").strip(), _proposal(proposal))


def _proposal(text: str | None) -> str | None:
    return (text or "").strip().removeprefix(MARK) or None


def _price(place: str, text: str | None) -> float:
    """Return the price of an override."""
    try:
        return float(text or "")
    except ValueError:
        raise InputError(
            f"{place} must give the price of the override, found {text!r}: fill the column price"
        ) from None
