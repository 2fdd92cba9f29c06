"""Whether two prices of a product are in one unit: in one currency unit, and for one unit of sale."""

import polars as pl

FAR = 10.0
"""Times that one price may be above or below the other before they seem to be in other units."""


def in_one_unit(price: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Return whether prices seem to be in the unit of others, null where one is not known."""
    return (price / other).is_between(1 / FAR, FAR)
