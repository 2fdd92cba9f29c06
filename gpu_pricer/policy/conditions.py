"""Conditions in SQL over the columns of a table, such as `where: "department = 'GROCERY'"`."""

import polars as pl

from gpu_pricer.errors import InputError, first_line


def require_condition(name: str, condition: object) -> None:
    """Raise ValueError unless the condition is an expression of Polars SQL; name: of the setting, for the message."""
    if not isinstance(condition, str) or not condition:
        raise ValueError(f"{name} must be a condition in SQL, found {condition!r}")
    try:
        pl.sql_expr(condition)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{name} must be a condition in SQL, found {condition!r}: {first_line(error)}") from error


def columns_in(condition: str) -> list[str]:
    """Return the columns that a condition reads, sorted."""
    return sorted(set(pl.sql_expr(condition).meta.root_names()))


def evaluate_condition(name: str, condition: str, table: pl.DataFrame) -> pl.Series:
    """Return whether the condition holds for every row; null counts as false.

    name: of the setting, for the message. InputError where the table lacks a column, or the result is not Boolean.
    """
    try:
        found = table.select(pl.sql_expr(condition)).to_series()
    except pl.exceptions.PolarsError as error:
        problem = f"found {condition!r}: {first_line(error)}"
        raise InputError(f"{name} must be a condition over columns of the catalog, {problem}; mend it") from error
    if found.dtype != pl.Boolean:
        raise InputError(f"{name} must be true or false for each row, found {condition!r} to be {found.dtype}; mend it")
    return found.fill_null(False)
