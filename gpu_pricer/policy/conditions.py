"""Conditions in SQL over the columns of a table, such as `where: "department = 'GROCERY'"`."""

import polars as pl

from gpu_pricer.errors import InputError, first_line


def require_condition(name: str, condition: object) -> None:
    """Raise ValueError unless it is an expression of Polars SQL."""
    if not isinstance(condition, str) or not condition:
        raise ValueError(f"{name} must be a condition in SQL, found {condition!r}")
    try:
        pl.sql_expr(condition)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{name} must be a condition in SQL, found {condition!r}: {first_line(error)}") from error


def names_in(condition: str) -> list[str]:
    """The columns that a condition reads."""
    return sorted(set(pl.sql_expr(condition).meta.root_names()))


def holds(name: str, condition: str, table: pl.DataFrame) -> pl.Series:
    """Whether the condition holds, for every row; not where it is null. InputError if it cannot be told."""
    try:
        answer = table.select(pl.sql_expr(condition)).to_series()
    except pl.exceptions.PolarsError as error:
        found = f"found {condition!r}: {first_line(error)}"
        raise InputError(f"{name} must be a condition over columns of the catalog, {found}; mend it") from error
    if answer.dtype != pl.Boolean:
        raise InputError(
            f"{name} must be true or false for each row, found {condition!r} to be {answer.dtype}; mend it"
        )
    return answer.fill_null(False)
