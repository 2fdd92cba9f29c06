"""A log of sales, one period at a time: what is found in a period needs the lines of no other.

So no step holds more of a log than its lines, which are slices of one table, and what it makes of one period.
"""

from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from gpu_pricer.data.choices.choices import purchases_from_offers, purchases_on_shelf, visits_of, zeros_from_offers
from gpu_pricer.tables.periods import by_period


@dataclass(frozen=True)
class PeriodLog:
    """The lines of a log and the shelves that they were bought from.

    lines: by the first day of a period, in order. shelves: period, product_id, category_id of the period, and price.
    category_of: product_id and category_id of all products. is_offers: whether the lines are of an offers table.
    """

    lines: dict[date, pl.DataFrame]
    shelves: dict[date, pl.DataFrame]
    category_of: pl.DataFrame
    is_offers: bool

    @property
    def categories(self) -> pl.Series:
        """The categories that are ever on the shelf, in order."""
        return pl.concat([shelf["category_id"].unique() for shelf in self.shelves.values()]).unique().sort()

    @property
    def without_shelf(self) -> list[date]:
        """The periods in which no product is on the shelf, in order."""
        return [period for period, shelf in self.shelves.items() if shelf.is_empty()]

    def visits(self) -> pl.DataFrame:
        """Return the visits that found a shelf, as visits_of does."""
        gaps = set(self.without_shelf)
        return pl.concat([visits_of(part.clear() if period in gaps else part) for period, part in self.lines.items()])

    def purchases(self, period: date) -> pl.DataFrame:
        """Return the purchases of a period, sorted by occasion and product where they are of transactions."""
        found = purchases_from_offers if self.is_offers else purchases_on_shelf
        return found(self.lines[period], self.shelves[period])

    def buyers(self, period: date) -> pl.DataFrame:
        """Return category_id and user_id of the visits of a period that bought from a category that is on the shelf.

        What they bought need not be on the shelf itself: it was no occasion without purchase all the same.
        """
        own = self.category_of.lazy().join(self.shelves[period].lazy(), on="category_id", how="semi")
        bought = self.lines[period].lazy().join(own, on="product_id")
        return bought.select("category_id", "user_id").unique().collect(engine="in-memory")

    def zeros_shown(self, period: date) -> pl.DataFrame:
        """Return the occasions of an offers table in a period that bought nothing of a category that they saw."""
        return zeros_from_offers(self.lines[period], self.shelves[period])

    def first_days(self, days: int) -> "PeriodLog":
        """Return the log of the first days of each period."""
        passed = (pl.col("time").dt.date() - pl.col("period")).dt.total_days()
        lines = {period: part.filter(passed < days) for period, part in self.lines.items()}
        return replace(self, lines=lines)


def period_log(
    sales: pl.DataFrame, shelf: pl.DataFrame, category_of: pl.DataFrame, periods: list[date], is_offers: bool
) -> PeriodLog:
    """Return the log of the given periods; sales and shelf: with their period, sorted by it."""
    lines, shelves = by_period(sales), by_period(shelf)
    return PeriodLog(
        {period: lines.get(period, sales.clear()) for period in periods},
        {period: shelves.get(period, shelf.clear()) for period in periods},
        category_of,
        is_offers,
    )
