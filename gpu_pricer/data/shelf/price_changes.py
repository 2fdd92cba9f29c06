"""Prices that change within a period, or differ between buyers, although the shelf knows one price for all of it.

If a period has two prices, the shelf has the modal one, and sales at the other price count as sales at the modal price.
So a cut of one day seems to sell next to nothing, and the estimated price response is too small. A price that only some
buyers pay, as with a coupon, may by chance be the modal one of a period with few lines: it then looks like a cut that
sold nothing.
"""

import polars as pl

from gpu_pricer.tables.schemas import PRICE_GROUP

KEY = ("product_id", "period")
COUNTS = ("within", "within_agreeing", "between", "between_agreeing")
SAME = 0.02
"""Prices agree if they differ by at most this share: smaller changes hardly hide a response."""

MOST_CHANGED, LEAST_PAIRS = 0.10, 100
"""Share of pairs of sales on two days of a period between which the price changed, above which there is a doubt, and
the fewest pairs that tell it. Complete Journey has 1.1 % in weeks and 19 % in four weeks; prices of which one in ten is
cut for a day have 31 % in weeks, where they teach a sensitivity of .5 instead of 3.2."""
MOST_UNLIKE = 0.18
"""Share of pairs of sales on one day at different prices, above which there is a doubt. Complete Journey, whose stores
have prices of their own, has 12 %. Shops in which one line in eight has a coupon for 20 %, or gives two units for the
price of one, have 23 and 21 %, and teach elasticities of −2.1 and −1.7 instead of −2.5."""


def day_pairs(lines: pl.DataFrame) -> pl.DataFrame:
    """Return how many pairs of lines of a product and period lie within a day and between days, and agree in price.

    lines: product_id, period, time, user_id, price and optionally price_group, of any periods that are whole. The
    result has product_id and COUNTS. Pairs within a day are successive in time, those between days in a random order,
    in which days of any distance follow each other. Lines of two price groups are not compared.
    """
    key = [*KEY, *(name for name in (PRICE_GROUP,) if name in lines.columns)]
    sold = lines.select(*key, "user_id", "price", "time", day=pl.col("time").cast(pl.Date)).with_columns(
        turn=pl.col("user_id").hash(0) ^ pl.col("time").hash(1)
    )
    is_within = pl.col("is_same_day")
    orders = {"within": (["time", "user_id", "price"], is_within), "between": (["turn", "price"], ~is_within)}
    counts = [
        _agreements(sold, key, order).filter(kept).group_by("product_id").agg(
            pl.len().alias(name), pl.col("is_agreeing").sum().alias(f"{name}_agreeing")
        )
        for name, (order, kept) in orders.items()
    ]  # fmt: skip
    both = counts[0].join(counts[1], on="product_id", how="full", coalesce=True)
    return both.select("product_id", pl.col(COUNTS).fill_null(0).cast(pl.Int64))


def _agreements(sold: pl.DataFrame, key: list[str], order: list[str]) -> pl.DataFrame:
    """Return product_id, is_same_day and is_agreeing of the successive lines of each key in an order."""
    price, before = pl.col("price"), pl.col("price").shift()
    ratio = pl.min_horizontal(price, before) / pl.max_horizontal(price, before)
    is_of_one = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in key)
    pairs = sold.sort(*key, *order).select(
        "product_id",
        is_of_one=is_of_one & before.is_not_null(),
        is_same_day=pl.col("day") == pl.col("day").shift(),
        is_agreeing=ratio >= 1 - SAME,
    )
    return pairs.filter("is_of_one")


def share_changed(pairs: pl.DataFrame) -> float | None:
    """Return the share of the pairs of lines between days whose price changed; None with fewer than LEAST_PAIRS.

    pairs: from day_pairs, of any periods. Different prices on one day, as of stores with prices of their own, are no
    change: as large a share of the product's pairs between days is expected to disagree for the same reason.
    """
    found = pairs.group_by("product_id").agg(pl.col(COUNTS).sum()).filter(pl.col("within") > 0, pl.col("between") > 0)
    expected = pl.col("between") * pl.col("within_agreeing") / pl.col("within")
    between, agreeing, unchanged = found.select(
        pl.col("between").sum(), pl.col("between_agreeing").sum(), expected=expected.sum()
    ).row(0)
    if between < LEAST_PAIRS or not unchanged:
        return None
    return max(0.0, 1.0 - float(agreeing / unchanged))


def share_unlike(pairs: pl.DataFrame) -> float | None:
    """Return the share of the pairs of lines of a day whose prices differ; None with fewer than LEAST_PAIRS.

    pairs: from day_pairs, of any periods.
    """
    within, agreeing = pairs.select(pl.col("within", "within_agreeing").sum()).row(0)
    return None if within < LEAST_PAIRS else 1.0 - float(agreeing / within)


def doubts_of_changes(pairs: pl.DataFrame) -> list[str]:
    """Return a sentence each where prices change within periods or differ between buyers.

    pairs: from day_pairs, of the products with a unit price.
    """
    doubts, unlike, changed = [], share_unlike(pairs), share_changed(pairs)
    if unlike is not None and unlike > MOST_UNLIKE:
        doubts.append(
            f"buyers of a product pay different prices on the same day ({100 * unlike:.0f} % of successive "
            "sales differ): coupons, members' prices and prices for several units look like cuts that everybody saw. "
            "So the price response may come out too small, and today's price is not what all of them pay; give the "
            "price before such a discount in price, or where some users or stores have prices of their own, name them "
            "in price_group, with their prices in group_prices"
        )
    if changed is not None and changed > MOST_CHANGED:
        doubts.append(
            f"prices change within the periods: {100 * changed:.0f} % of the pairs of a product's sales on two days of "
            "a period differ in price. Each period counts with one price, so that the price response comes out too "
            "small; set data.occasion_period to one in which prices stay, such as 1d, and data.shelf.min_lines=1 if a "
            "product sells less than twice in it"
        )
    return doubts
