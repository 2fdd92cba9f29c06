"""What a column of products or users must be to serve as an attribute: words, numbers, or a list of numbers."""

from collections.abc import Iterable

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.further_columns import given_name

MOST_GROUPS = 12
"""The audit of protected attributes groups numbers and dates with more distinct values than this by quartile."""
MOST_NAMES = 100
"""The distinct values that a protected attribute of words may have: the audit compares every pair of groups."""


def holds_numbers(dtype: pl.DataType) -> bool:
    """Return whether the values measure something: floats, decimals, dates and times, and arrays of numbers.

    Whole numbers name something, as a store's or a brand's number does; they are words, as text is.
    """
    return isinstance(dtype, pl.Array) or dtype.is_float() or dtype.is_decimal() or dtype.is_temporal()


def holds_words(dtype: pl.DataType) -> bool:
    """Return whether the values name something: text, categories, whole numbers, true and false; or all are missing."""
    return dtype.is_integer() or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null)


def has_order(dtype: pl.DataType) -> bool:
    """Return whether values can be told apart by their size: whole numbers, and what holds_numbers but arrays."""
    return dtype.is_integer() or (holds_numbers(dtype) and not isinstance(dtype, pl.Array))


def with_attributes(table: pl.DataFrame, names: Iterable[str], origin: str) -> pl.DataFrame:
    """Return the table with lists of one length as arrays; InputError for a named column that no encoder takes.

    origin: the file, for the message.
    """
    return table.with_columns(_attribute(table[name], origin) for name in names)


def like_attributes(known: pl.DataFrame, table: pl.DataFrame, names: Iterable[str], origin: str) -> pl.DataFrame:
    """Return the table with the named attributes, where it has them, in the types of the `known` table's.

    A word that the known type cannot hold is missing. InputError where words stand for numbers, or lists have another
    length. origin: the file, for the message.
    """
    found, expected = {*table.columns}, known.schema
    shared = [name for name in names if name in found]
    table = with_attributes(table, shared, origin)
    return table.with_columns(_like(expected[name], table[name], origin) for name in shared)


def _like(expected: pl.DataType, column: pl.Series, origin: str) -> pl.Series:
    found = column.dtype
    if column.null_count() == len(column):
        return pl.Series(column.name, [None] * len(column), dtype=expected)
    is_alike = (
        found == expected
        or (holds_words(found) and holds_words(expected))
        or (found.is_numeric() and expected.is_numeric())
        or (found.is_temporal() and expected.is_temporal())
        or (isinstance(found, pl.Array) and isinstance(expected, pl.Array) and found.shape == expected.shape)
    )
    try:
        if is_alike:
            return column.cast(expected, strict=False)
    except pl.exceptions.PolarsError:
        pass
    raise InputError(
        f"{origin}: the attribute {given_name(column.name)} must be {expected} as in the tables trained on, "
        f"found {found}: convert the column"
    )


def _attribute(column: pl.Series, origin: str) -> pl.Series:
    dtype = column.dtype
    if isinstance(dtype, pl.List):
        return _array(column, origin)
    if isinstance(dtype, pl.Array):
        _require(_innermost(dtype).is_numeric(), column, origin, str(dtype), "leave it out")
        return column
    remedy = "write its fields as columns of their own, or leave it out" if dtype.is_nested() else "leave it out"
    _require(holds_numbers(dtype) or holds_words(dtype), column, origin, str(dtype), remedy)
    return column


def _array(column: pl.Series, origin: str) -> pl.Series:
    """Return lists of one length as arrays, and a column without a list as missing words."""
    remedy = "give every row as many numbers, write a column for each value, or leave it out"
    lengths = column.list.len().unique().drop_nulls().sort()
    if lengths.is_empty():
        return pl.Series(column.name, [None] * len(column), dtype=pl.String)
    is_numeric = _innermost(column.dtype).is_numeric() and not column.dtype.inner.is_nested()  # type: ignore[attr-defined]
    _require(is_numeric, column, origin, str(column.dtype), remedy)
    found = f"lists of {lengths[0]} to {lengths[-1]}" if len(lengths) > 1 else "lists of 0"
    _require(len(lengths) == 1 and lengths[0] > 0, column, origin, found, remedy)
    return column.list.to_array(lengths[0])


def _innermost(dtype: pl.DataType) -> pl.DataType:
    return _innermost(dtype.inner) if isinstance(dtype, pl.List | pl.Array) else dtype  # type: ignore[arg-type]


def _require(holds: bool, column: pl.Series, origin: str, found: str, remedy: str) -> None:
    if not holds:
        raise InputError(
            f"{origin}: the attribute {given_name(column.name)} must be text, a number, a date or a list of numbers "
            f"of one length, found {found}: {remedy}"
        )
