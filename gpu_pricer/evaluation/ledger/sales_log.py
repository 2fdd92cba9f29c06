"""The log that promises are compared with: what was sold and who came."""

from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gpu_pricer.errors import UNREADABLE, InputError, first_line
from gpu_pricer.tables.schemas import category_key


class SalesLog(NamedTuple):
    """What was sold and who came.

    sales: day, product_id (text), price, units, squared_units (sum over lines). shoppers: day, users. visits: period
    (first day) and visits, of the whole periods that have visits. products: product_id (text, unique) and category_id
    of all products whose sales the log can hold; `prepare` sets aside the lines of others.
    """

    sales: pl.DataFrame
    shoppers: pl.DataFrame
    visits: pl.DataFrame
    products: pl.DataFrame

    @property
    def first_day(self) -> date:
        """The first day of the log."""
        return self.shoppers["day"].min()  # type: ignore[return-value]

    @property
    def last_day(self) -> date:
        """The last day of the log."""
        return self.shoppers["day"].max()  # type: ignore[return-value]

    def visits_of(self, first: date, last: date, period_days: int) -> float:
        """Return the visits from the first to the last day, both included.

        A visit is a user in a period; a user who comes on several days of it counts for each of them with the share
        that this has on average.
        """
        of_periods = float(self.visits["visits"].sum()) / self._shoppers_of_whole_periods(period_days)
        return float(self._users(first, last) * of_periods)

    def _shoppers_of_whole_periods(self, period_days: int) -> float:
        first = pl.lit(self.visits["period"].min())
        start = first + pl.duration(days=(pl.col("day") - first).dt.total_days() // period_days * period_days)
        counted = self.shoppers.with_columns(period=start).join(self.visits, on="period", how="semi")
        return float(counted["users"].sum())

    def _users(self, first: date, last: date) -> float:
        return float(self.shoppers.filter(pl.col("day").is_between(first, last))["users"].sum())


def read_sales_log(directory: Path) -> SalesLog:
    """Return the sales in a folder of canonical tables; InputError where they are not there."""
    try:
        sales, shoppers, visits, products = (
            pl.read_parquet(directory / f"{name}.parquet") for name in ("sales", "shoppers", "visits", "products")
        )
    except UNREADABLE as error:
        raise InputError(
            f"{directory} must hold what `gpu-pricer prepare` writes, found: {first_line(error)}: run it again"
        ) from error
    visits = visits.group_by("period").agg(visits=pl.len()).sort("period")
    products = products.select(pl.col("product_id").cast(pl.String), category_key()).unique("product_id")
    return SalesLog(sales.cast({"product_id": pl.String}), shoppers, visits, products)
