"""A panel of choices among the same products on every occasion, and its raw tables for `data=parquet`."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

FIRST_DAY = date(2000, 1, 1)
COST_RATIO = 0.6  # an assumption: the panels tell no costs, and no score depends on them
TRAINING, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class Panel:
    """N choices of households, one of J products each, sorted by household and period.

    user [N]: the household. period [N]: number of the period; a household chooses at most once in a period. stage [N]:
    TRAINING, VALIDATION or TEST; each stage's periods precede the next stage's. chosen [N]: index of the product.
    price [N, J], above 0. promotions: by column name (display, mailer) 1 where the product has it, [N, J].
    """

    name: str
    products: list[str]
    user: np.ndarray
    period: np.ndarray
    stage: np.ndarray
    chosen: np.ndarray
    price: np.ndarray
    promotions: dict[str, np.ndarray]

    def periods_of(self, stage: int) -> int:
        """Return how many periods the stage has."""
        return len(np.unique(self.period[self.stage == stage]))

    def overrides(self, folder: Path) -> list[str]:
        """Return what a user must say of the tables in `folder`: where and what they are, and how they are split.

        The rule that sets prices far from the median aside is lifted: a few choices show the price after a coupon.
        """
        return [
            "data=parquet", f"data.path={folder}", "data.occasion_period=1d", "data.choices.outside_option=false",
            "~data.outliers.price_is_near_the_median", f"split.validation_periods={self.periods_of(VALIDATION)}",
            f"split.test_periods={self.periods_of(TEST)}",
        ]  # fmt: skip

    def offers(self) -> pl.DataFrame:
        """Return the offers table, a row per choice and product: the schema Offers and the promotions."""
        count, alternatives = self.price.shape
        choice, product = (index.ravel() for index in np.indices((count, alternatives)))
        return pl.DataFrame({
            "occasion_id": choice,
            "user_id": self.user[choice],
            "product_id": pl.Series(self.products).gather(product),
            "time": [FIRST_DAY + timedelta(days=day) for day in self.period[choice].tolist()],
            "price": self.price.ravel(),
            "quantity": (self.chosen[choice] == product).astype(np.int64),
            **{name: is_on.ravel().astype(np.float64) for name, is_on in self.promotions.items()},
        })  # fmt: skip

    def write(self, folder: Path) -> None:
        """Write offers.parquet and products.parquet into a new folder."""
        folder.mkdir(parents=True)
        self.offers().write_parquet(folder / "offers.parquet")
        costs = COST_RATIO * np.median(self.price, axis=0)
        products = {"product_id": self.products, "category_id": [self.name] * len(self.products), "cost": costs}
        pl.DataFrame(products).write_parquet(folder / "products.parquet")
