"""A sales log of any number of lines, written week by week, in the memory of one part of it."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

FIRST_DAY = date(2025, 1, 6)
"""A Monday."""
LINES_PER_FILE = 1_000_000
LINES_PER_USER = 100
CATEGORY_SIZE = 50
ELASTICITY = -2.0
CUT, CUT_SHARE = 0.75, 0.1
"""The price of a product on promotion, as a share of its everyday price, and the share of products that are."""


@dataclass(frozen=True)
class LogSize:
    """How large a log is; users come with the lines, one for LINES_PER_USER of them."""

    lines: int
    products: int
    weeks: int = 26

    @property
    def users(self) -> int:
        """Return the number of users."""
        return max(self.lines // LINES_PER_USER, 1)


def write_log(size: LogSize, folder: Path, seed: int = 0) -> None:
    """Write products.parquet and the folder transactions.parquet, whose files hold LINES_PER_FILE lines at most.

    The popularity of the products follows Zipf's law; every week other products are on promotion, and units answer
    their prices with ELASTICITY. A user buys in every week, about four lines of it.
    """
    rng = np.random.default_rng(seed)
    everyday = np.round(np.exp(rng.normal(1.2, 0.7, size.products)), 2) + 0.05
    popularity = rng.permutation(1.0 / (np.arange(size.products) + 10.0))
    _write_products(size, everyday, folder)
    lines = folder / "transactions.parquet"
    lines.mkdir(parents=True)
    for week in range(size.weeks):
        share = np.where(rng.random(size.products) < CUT_SHARE, CUT, 1.0)
        price = np.round(everyday * share, 2)
        weight = np.cumsum(popularity * share**ELASTICITY)
        count = size.lines * (week + 1) // size.weeks - size.lines * week // size.weeks
        for part, first in enumerate(range(0, count, LINES_PER_FILE)):
            product = np.searchsorted(weight, rng.random(min(LINES_PER_FILE, count - first)) * weight[-1])
            _part(size, week, product, price, everyday, rng).write_parquet(lines / f"{week:03}-{part:03}.parquet")


def _write_products(size: LogSize, everyday: np.ndarray, folder: Path) -> None:
    number = np.arange(size.products)
    pl.DataFrame(
        {
            "product_id": number,
            "category_id": number // CATEGORY_SIZE,
            "cost": np.round(everyday * 0.6, 2),
        }
    ).with_columns(pl.col("product_id", "category_id").cast(pl.String)).write_parquet(folder / "products.parquet")


def _part(
    size: LogSize, week: int, product: np.ndarray, price: np.ndarray, everyday: np.ndarray, rng: np.random.Generator
) -> pl.DataFrame:
    """Return the lines of a part of a week, one for each entry of `product`."""
    user = rng.integers(size.users, size=len(product))
    table = pl.DataFrame(
        {
            "user_id": user,
            "product_id": product,
            "day": (user + week) % 7,  # a user shops on one day of a week
            "quantity": 1 + rng.poisson(0.2, len(product)),
            "price": price[product],
            "list_price": everyday[product].round(2),
        }
    )
    monday = FIRST_DAY + timedelta(weeks=week)
    return table.select(
        pl.col("user_id", "product_id").cast(pl.String),
        (pl.lit(monday) + pl.duration(days=pl.col("day"))).cast(pl.Date).alias("time"),
        "quantity",
        "price",
        "list_price",
    )
