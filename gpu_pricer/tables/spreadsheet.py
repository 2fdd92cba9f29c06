"""Tables that people fill: CSV as spreadsheets write it in any country, or Parquet, and what spreadsheets do to ids."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from gpu_pricer.errors import UNREADABLE, InputError, first_line

MOST_NAMED = 3


def read_spreadsheet(path: Path, setting: str) -> pl.DataFrame:
    """Return the columns of a .csv file as text, those of a .parquet file in their types.

    In a CSV file commas or semicolons separate cells; digits such as 007 keep their zeros. setting: the key that names
    the file, for messages. InputError for another kind of file, or one that cannot be read.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise InputError(f"{setting} must be a .parquet or .csv file, found {path}: convert it")
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        with path.open(encoding="utf-8-sig") as file:
            separator = ";" if ";" in file.readline() else ","
        return pl.read_csv(path, separator=separator, infer_schema=False)
    except (*UNREADABLE, UnicodeDecodeError) as error:
        raise InputError(f"{setting} must be readable, found {path}: {first_line(error)}; mend it") from error


def with_decimal_point(amount: pl.Expr) -> pl.Expr:
    """Return amounts of text without white space around them, and with a decimal point for a decimal comma."""
    return amount.str.strip_chars().str.replace(",", ".", literal=True)


def zeros_hint(found: str, ids: Sequence[str]) -> str:
    """Return what an unknown id likely means where a spreadsheet took its leading zeros, "" where none of ids fits."""
    meant = [name for name in ids if name != found and name.lstrip("0") == found]
    if not meant:
        return ""
    more = f" and {len(meant) - MOST_NAMED} more" if len(meant) > MOST_NAMED else ""
    return f", likely {' or '.join(meant[:MOST_NAMED])}{more} without leading zeros: keep the column of ids as text"
