"""Which products the verdict on a promise is about, where a part of the products sold at other prices.

A shop that runs promotions beside the published prices sells many units at other prices, which do not test the promise.
A promotion shows only in sales. If all products without such sales counted, a product that few buy would count in the
weeks in which nobody bought it, and not when somebody did, so that the promise would look too high. So a product counts
by what is expected of it and not by what it sold: where single products are left out, so are all of which few units are
expected.
"""

import polars as pl

COUNTS = ("in_category", "in_total")
LEAST_EXPECTED = 3.0  # units: a product of which more are expected is unsold in at most 5 % of the cases (Poisson)
LEAST_JUDGED = 1 / 3  # share of the promised units that the products that count must have


def with_counts(products: pl.DataFrame, sold: pl.DataFrame, scale: float, least_applied: float) -> pl.DataFrame:
    """Return the products of a promise with COUNTS: whether they count in their category and in the total.

    sold: product_id, sold_units, and applied, the units of them that were sold at the version's prices. scale: of the
    promised units to the visits that came. All products of a group count where at least least_applied of its units were
    sold at the version's prices. Elsewhere those products count of which at least LEAST_EXPECTED units were expected,
    and most were sold at the version's prices; all of them count again, and the group remains below least_applied, if
    that leaves too little of the promise, or too few units at its prices.
    """
    table = products.join(sold, on="product_id", how="left", maintain_order="left").with_columns(
        pl.col("sold_units", "applied").fill_null(0.0)
    )
    is_own = (pl.col("sold_units") == 0) | (pl.col("applied") > pl.col("sold_units") / 2)
    table = table.with_columns(is_clear=(scale * pl.col("units") >= LEAST_EXPECTED) & is_own)
    groups = zip(COUNTS, (pl.col("category_id"), pl.lit("")), strict=True)
    counts = [_counts(least_applied, over).alias(name) for name, over in groups]
    return table.with_columns(counts).drop("sold_units", "applied", "is_clear")


def _counts(least_applied: float, over: pl.Expr) -> pl.Expr:
    """Whether each product counts among those of its group."""
    clear = pl.col("is_clear")
    promised = pl.col("units")
    enough = (promised.filter(clear).sum() >= LEAST_JUDGED * promised.sum()) & (promised.sum() > 0)
    applied, sold = pl.col("applied"), pl.col("sold_units")
    is_mixed = applied.sum() < least_applied * sold.sum()
    helps = enough & (applied.filter(clear).sum() >= least_applied * sold.filter(clear).sum())
    return ~(is_mixed & helps).over(over) | clear
