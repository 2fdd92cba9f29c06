"""Which products are on the shelf though few sales show it, and which have left although they sold not long ago.

In the long tail of an assortment most products are on sale all the time and bought once in months. Sales alone cannot
tell such a product from one that has left; its stock can, unless its own sales contradict.

A log does not say either when a product ended. One that sold a dozen times a week and then never again has left after
its last sale. Counted as on the shelf, it teaches that nobody bought it at its price, and it is expected to sell
tonight: in a simulated fashion shop, whose products end after ten to twenty weeks, such products were 29 % of the
expected units, and took the standard deviation of the demand shocks from .15 to .96.
"""

import logging
import math
from dataclasses import dataclass
from datetime import date

import polars as pl

from gpu_pricer.tables.checking import EXAMPLES
from gpu_pricer.tables.periods import Calendar

log = logging.getLogger(__name__)

LEAST_CHANCE = 0.01
"""Of a silence of a product that is there: after a less likely one, it may have left."""
RECENT = 8
"""Periods up to a sale whose median tells how often the product sold then; a promotion does not move it."""
FOLLOWED = 4
"""Periods after which it counts as known whether sales come back."""
MANY = 16.0
"""Lines a period from which silences of all products are alike."""
MOST_AT_ZERO = 0.5
"""Share of the products sold last whose stock is stated as 0: where it is larger, 0 says nothing."""


@dataclass(frozen=True)
class StillSold:
    """What stock and silences say of the shelf.

    staying: product_id of products in stock, see in_stock. sold_out: product_id of products whose stock is stated as 0.
    left: product_id and since, the first day without it, of the products that have left, see departed.
    """

    staying: pl.Series
    sold_out: pl.Series
    left: pl.DataFrame

    @classmethod
    def of(cls, products: pl.DataFrame, modal: pl.DataFrame, calendar: Calendar, is_stated: bool) -> "StillSold":
        """Return it of products with product_id and stock, null where unknown.

        modal: product_id, period, and lines, the number of sales lines, of every period in which a product was sold.
        is_stated: whether offers say what was on the shelf, so that nothing follows from silences.
        """
        none = sold_out(products, modal, calendar.whole[-1])
        left = departed(modal.clear() if is_stated else modal, calendar, none)
        staying = in_stock(products, modal, calendar.all)
        return cls(staying.filter(~staying.is_in(left["product_id"].implode())), none, left)

    @property
    def off_shelf(self) -> pl.Series:
        """product_id of the products that are not on the shelf now."""
        return pl.concat([self.sold_out, self.left["product_id"]]).unique()

    def until_left(self, shelf: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a shelf, product_id and period, before products left."""
        rows = shelf.join(self.left, on="product_id", how="left", maintain_order="left")
        return rows.filter(pl.col("since").is_null() | (pl.col("period") < pl.col("since"))).drop("since")


def in_stock(products: pl.DataFrame, sold: pl.DataFrame, periods: list[date]) -> pl.Series:
    """Return product_id of the products with a stock above 0 whose last silence is no sign that they have left.

    sold: product_id and period of every period in which a product was sold. periods: all of the log, in order.
    If n periods with sales lie anywhere in the T periods after a product's first one, all of them are among the first t
    with probability (t / T)ⁿ (Solow 1993, "Inferring extinction from sighting data").
    """
    number = _numbered(periods)
    seen = sold.join(number, on="period").group_by("product_id").agg(
        first=pl.col("number").min(), last=pl.col("number").max(), times=pl.len()
    )  # fmt: skip
    before, until_now = pl.col("last") - pl.col("first"), len(periods) - 1 - pl.col("first")
    chance = (before / until_now).pow(pl.col("times") - 1).fill_nan(1.0)
    stocked = products.filter(pl.col("stock") > 0).select("product_id")
    return stocked.join(
        seen.filter(chance < LEAST_CHANCE), on="product_id", how="anti", maintain_order="left"
    )["product_id"]  # fmt: skip


def sold_out(products: pl.DataFrame, modal: pl.DataFrame, last: date) -> pl.Series:
    """Return product_id of the products whose stock is stated as 0; none where most products sold last state 0.

    Where goods that sell state a stock of 0, the column is not kept, or they are made to order. last: first day of the
    last whole period.
    """
    none = products.filter(pl.col("stock") == 0)["product_id"]
    sold = modal.filter(pl.col("period") >= last)["product_id"].unique()
    at_zero = int(sold.is_in(none.implode()).sum())
    if at_zero <= MOST_AT_ZERO * len(sold):
        return none
    log.warning(
        "%s of the %s products sold in the last period state a stock of 0, which therefore counts as not known: leave "
        "stock empty, or state the units that can be sold in a period",
        f"{at_zero:,}", f"{len(sold):,}",
    )  # fmt: skip
    return none.clear()


def departed(modal: pl.DataFrame, calendar: Calendar, none: pl.Series) -> pl.DataFrame:
    """Return product_id and since, the first day without it, of the products that have left, sorted.

    none: from sold_out. A product that sells λ times a period is silent for k of them with the chance exp(−λ k). A
    silence whose chance is below LEAST_CHANCE may be an end; the shop's own log says whether it is: where goods sell
    out and come back, or sell in bursts, most such silences end with a sale. A product has left if most of the earlier
    silences that lasted as long beyond that point have not ended, or if its stock is stated as 0. It counts as on the
    shelf after its last sale for as long as its silence is likelier than not.
    """
    periods = len(calendar.whole)
    silences = _silences(modal, calendar)
    last = silences.filter(pl.col("is_open"), pl.col("length") > 0)
    ends = last.join(_chances_of_return(silences, periods), on=("sells", "beyond")).filter(pl.col("returning") < 0.5)
    gone = last.filter(pl.col("product_id").is_in(pl.concat([ends["product_id"], none]).implode()))
    likely = (math.log(2) / pl.col("rate")).clip(0, periods).cast(pl.Int64)
    since = _numbered(calendar.all).rename({"period": "since"})
    left = gone.with_columns(number=pl.col("number") + 1 + likely).join(since, on="number")
    if left.height:
        log.info(
            "%s products have left the shelf, such as %s: no sale followed where they used to sell often, or their "
            "stock is stated as 0; state their availability in products if they are there",
            f"{left.height:,}", left["product_id"].sort().head(EXAMPLES).to_list(),
        )  # fmt: skip
    return left.select("product_id", "since").sort("product_id")


def _numbered(periods: list[date]) -> pl.DataFrame:
    """Return period and number, from 0."""
    return pl.DataFrame({"period": periods, "number": range(len(periods))})


def _silences(modal: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Return what follows each period with sales of a product.

    number: of that period. rate: the product's median lines a period in the RECENT ones up to it, the lower one of two;
    before its first sale only half of them count, which sold nothing. sells: class of rates, each twice the one before.
    length: of the silence, in whole periods. is_open: whether it lasts until now. telling: the length whose chance is
    below LEAST_CHANCE. beyond: the periods since, negative before.
    """
    numbers = modal.join(_numbered(calendar.all), on="period").select("product_id", "number", "lines")
    sold = numbers.sort("product_id", "number")
    seen = (pl.col("number") - pl.col("number").min().over("product_id") + 1).clip(RECENT // 2, RECENT)
    following = pl.col("number").shift(-1).over("product_id")
    silences = sold.rolling("number", period=f"{RECENT}i", group_by="product_id").agg(pl.col("lines").sort())
    place = (seen - 1) // 2 - (seen - pl.col("lines").list.len())
    median = pl.when(place >= 0).then(pl.col("lines").list.get(place.clip(0), null_on_oob=True)).otherwise(0)
    silences = silences.with_columns(
        rate=median.cast(pl.Float64),
        sells=median.cast(pl.Float64).clip(1, MANY).log(2).cast(pl.Int64),
        is_open=following.is_null(),
        length=following.fill_null(len(calendar.whole)) - pl.col("number") - 1,
    )
    telling = (-math.log(LEAST_CHANCE) / pl.col("rate")).ceil().clip(1, 1 + len(calendar.all)).cast(pl.Int64)
    return silences.with_columns(telling=telling).with_columns(beyond=pl.col("length") - pl.col("telling"))


def _chances_of_return(silences: pl.DataFrame, periods: int) -> pl.DataFrame:
    """Return sells, beyond, from 0, and returning: the share of silences at least so long that ended with a sale.

    Only those of products that sell alike count, and that were as long FOLLOWED periods ago. One more return counts
    than were seen, so that it takes two ends to believe in ends. A longer silence is no likelier to end with a sale
    than a shorter one.
    """
    followed = periods - 1 - FOLLOWED - pl.col("number") - pl.col("telling")
    known = silences.with_columns(most=pl.min_horizontal("beyond", followed)).filter(pl.col("most") >= 0)
    counts = known.group_by("sells", "most").agg(total=pl.len(), back=(~pl.col("is_open")).sum())
    every = silences.select(pl.col("sells").unique().sort()).join(
        pl.DataFrame({"beyond": range(periods)}, schema={"beyond": pl.Int64}), how="cross"
    )
    counts = every.join(
        counts, left_on=("sells", "beyond"), right_on=("sells", "most"), how="left", maintain_order="left"
    ).fill_null(0)
    total, back = (pl.col(name).cast(pl.Int64).cum_sum(reverse=True).over("sells") for name in ("total", "back"))
    return counts.select("sells", "beyond", returning=((back + 1) / (total + 1)).cum_min().over("sells"))
