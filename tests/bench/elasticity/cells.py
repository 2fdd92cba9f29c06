"""The product-weeks of Complete Journey that the regressions are fitted to: what sold, at which prices."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gpu_pricer.data.shelf.shelf import modal_prices
from gpu_pricer.data.sources.complete_journey import CompleteJourney
from gpu_pricer.tables.schemas import has_unit_price

LEAST_WEEKS, LEAST_LINES = 42, 250  # of a product: with fewer, its prices come from its sales
USUAL_OF = 5  # weeks whose median list price is the everyday price
PAID_OF, PAID_QUANTILE = 9, 0.8  # weeks to date and the quantile of their prices that is the everyday price as paid
MOST_UNITS = 100  # of a line; as `prepare` has it
FIFTHS = 5
KEY = ["product_id", "period"]
PROMOTION = ("display", "mailer")
EVERYDAY = ("everyday", "everyday_paid")  # from list prices around a week; from prices paid until it


@dataclass(frozen=True)
class Cells:
    """Product-weeks on the shelf, sorted: product_id, period, category_id, units, price, EVERYDAY, PROMOTION."""

    table: pl.DataFrame

    def split(self, everyday: str) -> np.ndarray:
        """Return the log of an everyday price, that of the price over it, and PROMOTION, [n, 4]."""
        logs = self.log(everyday, "price")
        return np.column_stack([logs[:, 0], logs[:, 1] - logs[:, 0], logs[:, 2:]])

    @property
    def effects(self) -> list[np.ndarray]:
        """Return the numbers [n] of product, and of category × week."""
        keys = (pl.col("product_id"), pl.struct("category_id", "period"))
        return [self.table.select(key.rank("dense") - 1).to_series().to_numpy().astype(np.int64) for key in keys]

    @property
    def fifth(self) -> np.ndarray:
        """Return the fifth of the products by units sold, from 0 for the fewest, of every cell [n]."""
        sold = self.table.group_by("product_id").agg(pl.col("units").sum()).sort("units", "product_id")
        rank = sold.with_row_index("rank").select("product_id", fifth=pl.col("rank") * FIFTHS // sold.height)
        return self.table.join(rank, on="product_id", maintain_order="left")["fifth"].to_numpy().astype(np.int64)

    def log(self, *names: str) -> np.ndarray:
        """Return the logs of columns, then PROMOTION, [n, K]."""
        return self.table.select(*(pl.col(name).log() for name in names), *PROMOTION).to_numpy()

    def joined(self, further: pl.DataFrame) -> "Cells":
        """Return the cells that a further table by KEY has, with its columns in place of those of the same name."""
        kept = self.table.drop(set(further.columns) - {*KEY}, strict=False)
        return Cells(kept.join(further, on=KEY, how="inner", maintain_order="left"))


def cells_of(products: pl.DataFrame, shelf: pl.DataFrame, choices: pl.DataFrame) -> Cells:
    """Return the cells of the canonical tables' products with a unit price, seen in most weeks and often bought."""
    purchases = choices.drop_nulls("product_id")
    often = purchases["product_id"].value_counts().filter(pl.col("count") >= LEAST_LINES)
    seen = shelf.filter(pl.col("price_age") == 0)["product_id"].value_counts().filter(pl.col("count") >= LEAST_WEEKS)
    fixed = products.filter(has_unit_price(products)).select("product_id")
    kept = fixed.join(often, on="product_id", how="semi").join(seen, on="product_id", how="semi")
    units = purchases.group_by(KEY).agg(units=pl.col("quantity").sum())
    listed = pl.coalesce("list_price", "price")
    usual = listed.rolling_median(USUAL_OF, center=True, min_samples=1)
    paid = pl.col("price").rolling_quantile(PAID_QUANTILE, "nearest", window_size=PAID_OF, min_samples=1)
    everyday = {
        name: of_weeks.over("product_id", order_by="period")
        for name, of_weeks in zip(EVERYDAY, (usual, paid), strict=True)
    }
    table = shelf.join(kept, on="product_id", how="semi").join(units, on=KEY, how="left").sort(KEY)
    table = table.with_columns(pl.col("units").fill_null(0.0), pl.col(*PROMOTION).fill_null(0.0), **everyday)
    return Cells(table.select(*KEY, "category_id", "units", "price", *EVERYDAY, *PROMOTION))


def lines_of(category: str) -> pl.DataFrame:
    """Return the lines of Complete Journey with period, the Monday before them."""
    rows = CompleteJourney(category, 1, 0).tables()["transactions"].rows
    lines = rows.filter(pl.col("quantity").is_between(1, MOST_UNITS), pl.col("price") > 0).collect()
    return lines.with_columns(period=pl.col("time").dt.truncate("1w").dt.date())


def halves(cells: Cells, lines: pl.DataFrame) -> list[Cells]:
    """Return for each half of the households the cells with its units and price, and as `seen` the others' price.

    lines: user_id, product_id, period, quantity, price and list_price. What a few lines say of a price errs; those of
    other households err on their own.
    """
    parts = [lines.filter(pl.col("user_id") % 2 == half) for half in (0, 1)]
    prices = [modal_prices(part).select(*KEY, "price") for part in parts]
    units = [part.group_by(KEY).agg(units=pl.col("quantity").sum().cast(pl.Float64)) for part in parts]
    return [
        cells.joined(prices[own].join(prices[1 - own].rename({"price": "seen"}), on=KEY)).joined(units[own])
        for own in (0, 1)
    ]
