"""Constraints that hold for each value of a column, as one constraint per value."""

import logging
from dataclasses import replace

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.conditions import columns_in, evaluate_condition
from gpu_pricer.policy.constraint import EVERYTHING, Constraint

log = logging.getLogger(__name__)

MOST_VALUES = 200
"""Values of a column that may have constraints of their own: the search for K multipliers works with K × K matrices."""


def with_each_value(
    constraints: dict[str, Constraint], products: pl.DataFrame, is_on_shelf: np.ndarray
) -> dict[str, Constraint]:
    """Return the constraints, with `name[value]` for every value on the shelf in the place of a constraint with `each`.

    products [P]: with the columns of the catalog; is_on_shelf bool [P]. A column that is null everywhere or whose
    values cannot be names counts as absent. InputError where the column is absent and the constraint's if_absent is
    refuse, where the column has too many values, or none on the shelf, or where such a name is taken.
    """
    found: dict[str, Constraint] = {}
    for name, constraint in constraints.items():
        if constraint.each is None:
            found[name] = constraint
        elif constraint.if_absent == EVERYTHING and (lack := _lack(constraint.each, products)) is not None:
            log.warning("constraints.%s: %s, one limit applies to the whole assortment", name, lack)
            found[name] = replace(constraint, each=None)
        else:
            for value in _values(name, constraint, products, is_on_shelf):
                own = f"{name}[{value}]"
                if own in constraints or own in found:
                    raise InputError(
                        f"constraints.{name}.each must give every value a name that no other constraint has, found "
                        f"{own} twice: rename one of them"
                    )
                found[own] = _of_value(constraint, value)
    return found


def _values(name: str, constraint: Constraint, products: pl.DataFrame, is_on_shelf: np.ndarray) -> list[str | int]:
    """Return the values, sorted, that have products on the shelf; log which products and values have no limit."""
    column = _require_column(name, str(constraint.each), products)
    is_covered = np.ones(products.height, np.bool_)
    if constraint.where is not None and {*columns_in(constraint.where)} <= {*products.columns}:
        is_covered = evaluate_condition(f"constraints.{name}.where", constraint.where, products).to_numpy()
    covered = products.select(value=column, shelf=pl.Series(is_on_shelf)).filter(pl.Series(is_covered))
    values = covered.drop_nulls("value").group_by("value").agg(pl.col("shelf").any()).sort("value")
    if nulls := covered["value"].null_count():
        log.warning(
            "constraints.%s: %d products have no %s, and none of its limits applies to them",
            name,
            nulls,
            constraint.each,
        )
    if absent := values.filter(~pl.col("shelf"))["value"].to_list():
        log.warning(
            "constraints.%s: no product of %s is on the shelf, so that there is no limit for it",
            name,
            ", ".join(map(str, absent)),
        )
    sold: list[str | int] = values.filter("shelf")["value"].to_list()
    if not sold:
        raise InputError(
            f"constraints.{name}.each must have a value for at least one product on the shelf, found none of "
            f"{constraint.each!r}: mend the catalog or leave each out"
        )
    if len(sold) > MOST_VALUES:
        raise InputError(
            f"constraints.{name}.each must have at most {MOST_VALUES} values, found {len(sold)} of "
            f"{constraint.each!r}: choose a coarser column"
        )
    return sold


def _require_column(name: str, column: str, products: pl.DataFrame) -> pl.Series:
    """Return the column, categories as text; InputError where it is absent or of a type without names."""
    lack = _lack(column, products)
    if lack is not None:
        raise InputError(
            f"constraints.{name}.each must be a column of text, whole numbers or true and false, found that {lack}: "
            "mend the name, add or convert the column, or set if_absent to everything"
        )
    values = products[column]
    return values.cast(pl.String) if isinstance(values.dtype, pl.Categorical | pl.Enum) else values


def _lack(column: str, products: pl.DataFrame) -> str | None:
    """Return why no value of the column can name a part of the catalog, None where values can."""
    if column not in products.columns:
        return f"the catalog has no column {column}"
    if products[column].null_count() == products.height:
        return f"the catalog's column {column} is null everywhere"
    dtype = products[column].dtype
    if dtype in (pl.String, pl.Boolean, pl.Categorical, pl.Enum) or dtype.is_integer():
        return None
    return f"the catalog's column {column} holds {dtype} and no names"


def _of_value(constraint: Constraint, value: str | int) -> Constraint:
    """Return the constraint for one value of its column, stated in its condition."""
    quoted = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value).upper()
    is_value = f'"{constraint.each}" = {quoted}'
    where = is_value if constraint.where is None else f"({constraint.where}) AND {is_value}"
    return replace(constraint, each=None, where=where)
