"""Conditions in SQL over the columns of a table, such as `where: "department = 'GROCERY'"`."""

import re

import polars as pl

from gpu_pricer.errors import InputError, first_line

QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
OF_MANY_ROWS = re.compile(
    r"\b((?:AVG|SUM|TOTAL|MIN|MAX|COUNT|MEDIAN|MODE|FIRST|LAST|CORR|LAG|LEAD|RANK|DENSE_RANK|ROW_NUMBER|NTILE|OVER"
    r"|ARRAY_AGG|STRING_AGG|LISTAGG|GROUP_CONCAT|VAR(?:IANCE)?(?:_POP|_SAMP)?"
    r"|(?:STDDEV|STDEV|COVAR|QUANTILE|APPROX|FIRST_VALUE|LAST_VALUE)\w*)\s*\()",
    re.IGNORECASE,
)
"""SQL functions whose result depends on other rows, so that leaving out a product would change what they say."""


def require_condition(name: str, condition: object) -> None:
    """Raise ValueError unless the condition is an expression of Polars SQL that decides each row by its own columns.

    name: of the setting, for the message.
    """
    if not isinstance(condition, str) or not condition:
        raise ValueError(f"{name} must be a condition in SQL, found {condition!r}")
    try:
        columns = columns_in(condition)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{name} must be a condition in SQL, found {condition!r}: {first_line(error)}") from error
    if not columns:
        raise ValueError(f"{name} must read at least one column, found the constant {condition!r}")
    if function := OF_MANY_ROWS.search(QUOTED.sub("''", condition)):
        raise ValueError(
            f"{name} must decide each row by its own columns, found {function[1]!r} over many rows in {condition!r}: "
            "add a column to the catalog that says it"
        )


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
    if len(found) != table.height:
        raise InputError(f"{name} must be true or false for each row, found one answer to {condition!r}; mend it")
    return found.fill_null(False)
