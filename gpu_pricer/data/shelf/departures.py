"""Which products have left the assortment, as the silence since their last sale shows.

A sales log does not say when a product ended. One that sold a dozen times a week and then never again has left after
its last sale. Counted as on the shelf, it teaches that nobody bought it at its price, and it is expected to sell
tonight (see docs/measurements.md, "Products that end").

Gaps of products that come back, and ends that this module is not sure of, are left to the price response, which knows
how much each product was expected to sell (network/response/gaps.py). It cannot find the ends by itself if many
products ended: their zeros are then a large part of the data from which it learns the size of demand shocks.
"""

import logging
import math
from datetime import date

import polars as pl

from gpu_pricer.tables.checking import EXAMPLES
from gpu_pricer.tables.periods import Calendar

log = logging.getLogger(__name__)

LEAST_CHANCE = 0.01
"""Chance below which the silence of a product that is on sale is too unlikely to be believed."""
RECENT = 8
"""Periods up to a sale whose median tells how often the product sold then; a promotion does not move it."""
MANY = 16.0
"""Lines a period from which the silences of all products are alike."""
FOLLOWED = 4
"""Periods after which it counts as known whether sales come back."""
USUAL, AROUND = 0.75, 9
"""A period counts if it has this share of the lines in the median of so many up to it: in others the shop was closed,
or its lines are missing."""
MOST_AT_ZERO = 0.5
"""Share of the products sold last whose stock is stated as 0: where it is larger, 0 says nothing."""


def sold_out(products: pl.DataFrame, modal: pl.DataFrame, last: date) -> pl.Series:
    """Return product_id of the products whose stock is stated as 0, and that were not sold since `last`.

    There are none if most products sold since then state 0: the column is then not maintained, or goods are made to
    order. A product that was sold since then is restocked, as bread is: a stock of 0 at night does not mean that it
    cannot be sold tomorrow.
    products: product_id and stock, null where unknown. modal: as departed takes it. last: first day of the last whole
    period.
    """
    none = products.filter(pl.col("stock") == 0)["product_id"]
    sold = modal.filter(pl.col("period") >= last)["product_id"].unique()
    at_zero = none.is_in(sold.implode())
    if at_zero.sum() > MOST_AT_ZERO * len(sold):
        log.warning(
            "%s of the %s products sold in the last period state a stock of 0, which therefore counts as not known: "
            "leave stock empty, or state the units that can be sold in a period",
            f"{at_zero.sum():,}", f"{len(sold):,}",
        )  # fmt: skip
        return none.clear()
    found = none.filter(~at_zero)
    if len(found):
        log.info(
            "%s products are off the shelf, such as %s: their stock is stated as 0, and they were not sold in the last "
            "period",
            f"{len(found):,}", found.sort().head(EXAMPLES).to_list(),
        )  # fmt: skip
    return found


def departed(stock: pl.DataFrame, modal: pl.DataFrame, calendar: Calendar, out: pl.Series) -> pl.DataFrame:
    """Return product_id and since, the first day without it, of the products that have left, sorted.

    stock: product_id and stock, null where unknown. modal: product_id, period and lines, the number of sales lines, of
    every period in which a product was sold. out: product_id of the products that are sold out.

    A product that sells λ lines a period is silent for k periods with the chance exp(−λ k). A silence with a chance
    below LEAST_CHANCE suggests an end. The log itself shows whether it means one: in a shop whose goods sell out and
    come back, or sell in bursts, most such silences are followed by sales. A product has left if

    * most earlier silences like its present one, of products that sell alike, were not followed by sales,
    * it has never come back from one as long, and
    * its stock is not known, or would not last for one period.

    Products in `out` have left, too, if they sold in most of the RECENT periods up to their last sale; when the others
    left is unknown. A product is off the shelf from the period after its last sale on.
    """
    silences = _silences(modal, calendar)
    last = silences.filter(pl.col("is_open"), pl.col("length") > 0).join(stock, on="product_id", how="left")
    ends = last.join(_chances_of_return(silences), on=("sells", "beyond")).filter(
        pl.col("returning") < 0.5,
        pl.col("length") > pl.col("longest"),
        pl.col("stock").is_null() | (pl.col("stock") < pl.col("rate")),
    )["product_id"]
    gone = last.filter(pl.col("product_id").is_in(pl.concat([ends, out.cast(ends.dtype)]).unique().implode()))
    since = _numbered(calendar.all).select(since="period", number=pl.col("number") - 1)
    left = gone.filter(pl.col("rate") > 0).join(since, on="number")
    if len(ends):
        log.info(
            "%s products have left the shelf after their last sale, such as %s: they sold often, and no sale followed; "
            "state their availability or stock in products if they are there",
            f"{len(ends):,}", ends.sort().head(EXAMPLES).to_list(),
        )  # fmt: skip
    return left.select("product_id", "since").sort("product_id")


def _numbered(periods: list[date]) -> pl.DataFrame:
    """Return period and number, from 0."""
    return pl.DataFrame({"period": periods, "number": range(len(periods))})


def _usual_until(modal: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Return number and usual, how many whole periods with a usual number of lines there are up to each, itself too."""
    lines = modal.group_by("period").agg(pl.col("lines").cast(pl.Int64).sum())
    periods = _numbered(calendar.all).join(lines, on="period", how="left", maintain_order="left").fill_null(0)
    median = pl.col("lines").rolling_median(AROUND, min_samples=1)
    is_usual = (pl.col("lines") >= USUAL * median) & (pl.col("number") < len(calendar.whole))
    return periods.select("number", usual=is_usual.cast(pl.Int64).cum_sum())


def _silences(modal: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Return what follows each period with sales of a product.

    number: of that period. rate: the product's median lines a period in the RECENT ones up to it, the lower one of two;
    at least half as many count, and before its first sale it sold nothing. sells: class of rates, each twice the one
    before. length: of the silence, in usual periods. is_open: whether it lasts until now. longest: length of the
    product's longest silence that ended. beyond: the length less that whose chance is below LEAST_CHANCE. followed: of
    which beyond at most it is known whether sales came back.
    """
    usual = _usual_until(modal, calendar)
    sold = modal.join(_numbered(calendar.all), on="period").select("product_id", "number", "lines")
    sold = sold.sort("product_id", "number")
    of_product = sold.rolling("number", period=f"{RECENT}i", group_by="product_id").agg(pl.col("lines").sort())
    following = pl.col("number").shift(-1).over("product_id")
    seen = (pl.col("number") - pl.col("number").min().over("product_id") + 1).clip(RECENT // 2, RECENT)
    place = (seen - 1) // 2 - (seen - pl.col("lines").list.len())
    median = pl.when(place >= 0).then(pl.col("lines").list.get(place.clip(0), null_on_oob=True)).otherwise(0)
    silences = of_product.select(
        "product_id",
        "number",
        rate=median.cast(pl.Float64),
        is_open=following.is_null(),
        before=following.fill_null(len(calendar.all)) - 1,
    )
    silences = silences.join(usual, on="number", how="left", maintain_order="left").join(
        usual.rename({"number": "before", "usual": "until"}), on="before", how="left", maintain_order="left"
    )
    length, now = pl.col("until") - pl.col("usual"), pl.lit(usual["usual"].last())
    telling = (-math.log(LEAST_CHANCE) / pl.col("rate")).ceil().clip(1, 1 + len(calendar.all)).cast(pl.Int64)
    return silences.select(
        "product_id",
        "number",
        "rate",
        "is_open",
        length=length,
        longest=length.filter(~pl.col("is_open")).max().over("product_id").fill_null(0),
        sells=pl.col("rate").clip(1, MANY).log(2).cast(pl.Int64),
        beyond=length - telling,
        followed=now - FOLLOWED - pl.col("usual") - telling,
    )


def _chances_of_return(silences: pl.DataFrame) -> pl.DataFrame:
    """Return sells, beyond, from 0, and returning: the share of silences at least so long that ended with a sale.

    Of products that sell alike, those count that were as long FOLLOWED periods ago. One more return counts than was
    seen, so that a single end proves nothing. A longer silence is no likelier to end with a sale than a shorter one.
    """
    known = silences.with_columns(most=pl.min_horizontal("beyond", "followed")).filter(pl.col("most") >= 0)
    counts = known.group_by("sells", "most").agg(total=pl.len(), back=(~pl.col("is_open")).sum())
    every = silences.group_by("sells").agg(beyond=pl.int_range(pl.col("length").max() + 1))
    counts = every.explode("beyond").sort("sells", "beyond").join(
        counts, left_on=("sells", "beyond"), right_on=("sells", "most"), how="left", maintain_order="left"
    ).fill_null(0)  # fmt: skip
    total, back = (pl.col(name).cast(pl.Int64).cum_sum(reverse=True).over("sells") for name in ("total", "back"))
    return counts.select("sells", "beyond", returning=((back + 1) / (total + 1)).cum_min().over("sells"))
