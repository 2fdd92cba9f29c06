"""The past in the canonical tables, for users and occasions that training never saw."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.tables.canonical import read_canonical

TABLES = ("shelf", "choices", "visits")


@dataclass(frozen=True)
class Past:
    """The sales log of the canonical tables.

    shelf: from read_canonical. purchases: user_id, product_id, period. visits: user_id, period.
    periods: first days of the shelf's periods, ascending. period_days: length of a period.
    """

    shelf: pl.DataFrame
    purchases: pl.DataFrame
    visits: pl.DataFrame
    periods: list[date]
    period_days: int

    def start(self, day: pl.Expr) -> pl.Expr:
        """Return the first day of the period that a day lies in."""
        first = pl.lit(self.periods[0])
        return first + pl.duration(days=(day - first).dt.total_days() // self.period_days * self.period_days)

    def index(self, period: pl.Series) -> pl.Series:
        """Return how many periods come before each of n periods, [n]; gaps in the log do not count."""
        known = pl.Series(self.periods).search_sorted(period, side="left")
        later = ((period - self.periods[-1]).dt.total_days() // self.period_days - 1).clip(lower_bound=0)
        return known.cast(pl.Int64) + later

    def calendar(self, count: int) -> list[date]:
        """Return the first days of `count` periods, continued beyond the log if need be."""
        days = range(count - len(self.periods))
        return [*self.periods, *(self.periods[-1] + timedelta(days=self.period_days * (i + 1)) for i in days)][:count]

    def with_lines(self, lines: pl.DataFrame, known: pl.Series) -> "Past":
        """Return the past with the lines (user_id, product_id, period) added that it does not hold yet.

        As in `prepare`, a line of a product off the shelf counts as a visit and not as a purchase, and so does one of a
        product that is not known. After the end of the log all known products count as on the shelf.
        """
        lines = lines.filter(pl.col("period") >= self.periods[0]).unique()
        of_known = lines.filter(pl.col("product_id").is_in(known.implode()))
        on_shelf = of_known.join(self.shelf.select("product_id", "period"), on=("product_id", "period"), how="semi")
        bought = pl.concat([on_shelf, of_known.filter(pl.col("period") > self.periods[-1])])
        return Past(
            shelf=self.shelf,
            purchases=pl.concat([self.purchases, bought.select(self.purchases.columns)]).unique(),
            visits=pl.concat([self.visits, lines.select(self.visits.columns)]).unique(),
            periods=self.periods,
            period_days=self.period_days,
        )


def read_past(directory: Path, period_days: int) -> Past:
    """Return the past of the canonical tables in the directory; InputError where a table is missing."""
    missing = [name for name in TABLES if not (directory / f"{name}.parquet").is_file()]
    if missing:
        raise InputError(
            f"canonical tables must lie in {directory}, found no {', '.join(missing)}: run `gpu-pricer prepare` first"
        )
    shelf = read_canonical(directory, "shelf")
    choices, visits = (pl.read_parquet(directory / f"{name}.parquet") for name in ("choices", "visits"))
    bought = choices.filter(pl.col("product_id").is_not_null())
    bought = bought.join(shelf, on=("product_id", "period"), how="semi").select("user_id", "product_id", "period")
    periods = shelf["period"].unique().sort().to_list()
    return Past(shelf, bought.unique(), visits.select("user_id", "period"), periods, period_days)
