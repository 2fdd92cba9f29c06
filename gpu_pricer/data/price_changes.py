"""Prices that change within a period, although the shelf knows one price for all of it.

If a period shows two prices, most of its sales are at the modal one, and those at the other count for that one too: a
cut of a day looks as if it sold next to nothing, and the price response comes out too small.
"""

import logging

import polars as pl

from gpu_pricer.tables.schemas import PRICE_GROUP

log = logging.getLogger(__name__)

KEY = ("product_id", "period")
COUNTS = ("within", "within_agreeing", "between", "between_agreeing")
SAME = 0.005
"""Prices are the same if they differ by at most this share: the rounding of a price that is a quotient."""

MOST_CHANGED, LEAST_PAIRS = 0.10, 100
"""Share of pairs of lines on two days of a period between which the price changed, above which the log warns, and the
fewest pairs that tell it. Complete Journey has 0.9 % in weeks; prices that are cut on a day in ten have 25 %."""


def day_pairs(lines: pl.DataFrame) -> pl.DataFrame:
    """Return how many successive lines of a product and period lie within a day and between days, and agree in price.

    lines: product_id, period, time, user_id, price and optionally price_group, of any periods that are whole. The
    result has product_id and COUNTS. Lines of two price groups are not compared.
    """
    key = (*KEY, *(name for name in (PRICE_GROUP,) if name in lines.columns))
    day, before = pl.col("time").cast(pl.Date), pl.col("price").shift().over(key)
    is_within = day == day.shift().over(key)
    ratio = pl.min_horizontal("price", before) / pl.max_horizontal("price", before)
    pairs = (
        lines.select(*key, "time", "user_id", "price")
        .sort(*key, "time", "user_id", "price")
        .select("product_id", is_within=is_within, is_agreeing=pl.when(before.is_not_null()).then(ratio >= 1 - SAME))
        .drop_nulls()
    )
    within, agreeing = pl.col("is_within"), pl.col("is_agreeing")
    return pairs.group_by("product_id").agg(
        within=within.sum(),
        within_agreeing=(within & agreeing).sum(),
        between=(~within).sum(),
        between_agreeing=(~within & agreeing).sum(),
    )


def share_changed(pairs: pl.DataFrame) -> float | None:
    """Return the share of the pairs of lines between days whose price changed; None with fewer than LEAST_PAIRS.

    pairs: from day_pairs, of any periods. That lines of one day disagree, as where stores have prices of their own,
    is no change: as many of a product's pairs between days are expected to disagree for the same reason.
    """
    found = pairs.group_by("product_id").agg(pl.col(COUNTS).sum()).filter(pl.col("within") > 0, pl.col("between") > 0)
    expected = pl.col("between") * pl.col("within_agreeing") / pl.col("within")
    between, agreeing, unchanged = found.select(
        pl.col("between").sum(), pl.col("between_agreeing").sum(), expected=expected.sum()
    ).row(0)
    if between < LEAST_PAIRS or not unchanged:
        return None
    return max(0.0, 1.0 - float(agreeing / unchanged))


def warn_of_changes(pairs: pl.DataFrame) -> None:
    """Warn where prices change within periods; pairs: from day_pairs, of the products with a unit price."""
    share = share_changed(pairs)
    if share is not None and share > MOST_CHANGED:
        log.warning(
            "prices change within the periods, between %.0f %% of successive sales of a product on two days of one: "
            "each period counts with one price, so that the price response comes out too small; set "
            "data.occasion_period to one in which prices stay, such as 1d, and data.shelf.min_lines=1 if a product "
            "sells less than twice in it",
            100 * share,
        )
