"""The kinds of columns and the rules of the input and canonical tables.

A rule's name is the statement that must hold. Columns marked `optional` may be absent from an input table.
Columns marked `id` hold integers or strings, which are written as they were read.
"""

from typing import Any

import dataframely as dy
import polars as pl

STRUCTURAL_RULES = frozenset({"product_is_unique", "user_is_unique"})
"""Rules whose breach refuses the whole table, because nothing says which of the repeated rows to set aside."""


def id_column(description: str, optional: bool = False) -> dy.Any:
    """Return an id column: integers or strings, which are written as they were read."""
    metadata: dict[str, Any] = {"id": True, "optional": optional}
    return dy.Any(description=description, metadata=metadata)


def group_column() -> dy.Any:
    """Return the optional column that says whose prices a user saw."""
    return id_column("whose prices the user saw, such as a segment; null: the usual ones", optional=True)


def time_column(description: str, optional: bool = False) -> dy.Datetime:
    """Return a column of dates or times."""
    return dy.Datetime(nullable=True, time_unit="us", description=description, metadata={"optional": optional})


def number_column(description: str, optional: bool = False) -> dy.Float64:
    """Return a column of numbers, whose rules say which of them are good."""
    return dy.Float64(
        nullable=True,
        allow_inf=True,
        allow_nan=True,
        description=description,
        metadata={"optional": optional},
    )


def share_column(description: str) -> dy.Float64:
    """Return an optional share from 0 to 1, which may also be said by true and false."""
    metadata = {"optional": True, "flag": True}
    return dy.Float64(nullable=True, allow_inf=True, allow_nan=True, description=description, metadata=metadata)


def is_finite_and_positive(column: str) -> pl.Expr:
    """Return whether a value is finite and above 0; null where there is none."""
    return pl.col(column).is_finite() & (pl.col(column) > 0)


def is_finite_and_not_negative(column: str) -> pl.Expr:
    """Return whether a value is finite and at least 0; null where there is none."""
    return pl.col(column).is_finite() & (pl.col(column) >= 0)


def is_part(column: str) -> pl.Expr:
    """Return whether a value lies between 0 and 1; null where there is none."""
    return pl.col(column).is_between(0, 1)


def is_flag(column: str) -> pl.Expr:
    """Return whether a value is 0 or 1; null where there is none."""
    return pl.col(column).is_in([0.0, 1.0])


def is_given(column: str) -> Any:
    """Return the rule that the column has no null."""
    return dy.rule()(lambda cls: pl.col(column).is_not_null())


def is_flag_where_given(column: str) -> Any:
    """Return the rule that the column holds 0 or 1 where it is not null."""
    return dy.rule()(lambda cls: is_flag(column))


def is_unique(column: str) -> Any:
    """Return the rule that the column repeats no value."""
    return dy.rule()(lambda cls: pl.col(column).is_unique() | pl.col(column).is_null())


def is_positive(column: str) -> Any:
    """Return the rule that the column is finite and above 0."""
    return dy.rule()(lambda cls: is_finite_and_positive(column).fill_null(False))


def is_positive_where_given(column: str) -> Any:
    """Return the rule that the column is finite and above 0 where it is not null."""
    return dy.rule()(lambda cls: is_finite_and_positive(column))


def is_not_negative(column: str) -> Any:
    """Return the rule that the column is finite and at least 0."""
    return dy.rule()(lambda cls: is_finite_and_not_negative(column).fill_null(False))


def is_not_negative_where_given(column: str) -> Any:
    """Return the rule that the column is finite and at least 0 where it is not null."""
    return dy.rule()(lambda cls: is_finite_and_not_negative(column))


def is_share(column: str) -> Any:
    """Return the rule that the column lies between 0 and 1 where it is not null."""
    return dy.rule()(lambda cls: is_part(column))
