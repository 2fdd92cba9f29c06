"""Which products are on the shelf although they seldom sell, and which are not although they sold recently.

In the long tail of an assortment most products are on sale all the time and bought once in months. Sales alone cannot
distinguish such a product from one that has left; its stock can, unless its own sales contradict it. Nor can sales
distinguish a product that is new, or not launched yet, from one that seldom sells; the day of its launch can.
"""

import logging
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from gpu_pricer.data.shelf.departures import departed, sold_out
from gpu_pricer.tables.checking import EXAMPLES
from gpu_pricer.tables.periods import Calendar, Period

log = logging.getLogger(__name__)

NEW = 4
"""Periods after its launch in which a product counts as on the shelf, unless its silence says otherwise."""
LEAST_CHANCE = 0.01
"""Of a silence as long as a product's last one: where it is less likely, the product has left, whatever its stock."""


@dataclass(frozen=True)
class StillSold:
    """What the stock, the launches and the silences of products say of the shelf.

    staying: product_id of the products that are on the shelf since their launch or first sale: those in stock, see
    in_stock, and the new ones. off_shelf: product_id of those that are not on the shelf now. left: product_id and
    since, the first day without it, of those that have left, see departures.py. launched: product_id and on_sale, the
    first day of its first whole period, of the products whose launch is known.
    """

    staying: pl.Series
    off_shelf: pl.Series
    left: pl.DataFrame
    launched: pl.DataFrame

    @classmethod
    def of(
        cls, products: pl.DataFrame, modal: pl.DataFrame, calendar: Calendar, period: Period, is_stated: bool
    ) -> "StillSold":
        """Return what is known of products, from their product_id, stock and launched, null where unknown.

        modal: product_id, period, and lines, the number of sales lines, of every period in which a product was sold.
        is_stated: whether offers state the shelf, so that neither silences nor a stock of 0 remove a product from it.
        """
        stock = products.select("product_id", "stock")
        launched = _launched(products, modal, period)
        length = timedelta(days=period.days)
        age = calendar.whole[-1] + length - pl.col("on_sale")  # in the period to price
        new = launched.filter(age.is_between(-length, NEW * length))["product_id"]
        to_come = launched.filter(age < -length)["product_id"]
        staying = pl.concat([in_stock(products, modal, calendar.all), new]).unique(maintain_order=True)
        if is_stated:
            out = stock["product_id"].clear()
            left = departed(stock.clear(), modal.clear(), calendar, out)
        else:
            out = sold_out(stock, modal, calendar.whole[-1])
            left = departed(stock, modal, calendar, out)
        off_shelf = pl.concat([out, left["product_id"].cast(out.dtype), to_come]).unique()
        return cls(staying.filter(~staying.is_in(off_shelf.implode())), off_shelf, left, launched)

    def until_left(self, shelf: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a shelf, product_id and period, before products left."""
        rows = shelf.join(self.left, on="product_id", how="left", maintain_order="left")
        return rows.filter(pl.col("since").is_null() | (pl.col("period") < pl.col("since"))).drop("since")


def _launched(products: pl.DataFrame, modal: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return product_id and on_sale of the products whose launch is known; warn of those that sold before it."""
    launch = pl.col("launched")
    start = period.start(launch)
    whole = pl.when(launch.dt.date() == start).then(start).otherwise(start + pl.duration(days=period.days))
    first = modal.group_by("product_id").agg(first=pl.col("period").min())
    known = (
        products.select("product_id", "launched")
        .drop_nulls("launched")
        .join(first, on="product_id", how="left", maintain_order="left")
    )
    early = known.filter(pl.col("first") < start)
    if early.height:
        log.warning(
            "%s of %s products with a launch were sold before it, such as %s: their launch counts as not known; state "
            "the first day on sale as launched in products",
            f"{early.height:,}", f"{known.height:,}", early["product_id"].sort().head(EXAMPLES).to_list(),
        )  # fmt: skip
    return known.join(early, on="product_id", how="anti", maintain_order="left").select("product_id", on_sale=whole)


def in_stock(products: pl.DataFrame, sold: pl.DataFrame, periods: list[date]) -> pl.Series:
    """Return product_id of the products with a stock above 0 whose last silence is no sign that they have left.

    sold: product_id and period of every period in which a product was sold. periods: all of the log, in order.
    If n periods with sales lie anywhere in the T periods after a product's first one, all of them are among the first t
    with probability (t / T)ⁿ (Solow 1993, "Inferring extinction from sighting data").
    """
    number = pl.DataFrame({"period": periods, "number": range(len(periods))})
    seen = sold.join(number, on="period").group_by("product_id").agg(
        first=pl.col("number").min(), last=pl.col("number").max(), times=pl.len()
    )  # fmt: skip
    before, until_now = pl.col("last") - pl.col("first"), len(periods) - 1 - pl.col("first")
    chance = (before / until_now).pow(pl.col("times") - 1).fill_nan(1.0)
    stocked = products.filter(pl.col("stock") > 0).select("product_id")
    return stocked.join(
        seen.filter(chance < LEAST_CHANCE), on="product_id", how="anti", maintain_order="left"
    )["product_id"]  # fmt: skip
