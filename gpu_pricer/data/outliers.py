"""Outliers: named, configurable rules that plausible lines keep; other lines are treated as invalid."""

from dataclasses import dataclass
from typing import Protocol

import polars as pl

from gpu_pricer.checks import require_number


class OutlierRule(Protocol):
    """Anything that can say of every line whether it is plausible."""

    def holds(self) -> pl.Expr:
        """An expression over the lines: true where the line is plausible."""
        ...


@dataclass(frozen=True)
class QuantityAtMost:
    """Nobody buys more than limit units on one line: more is a weight, a volume or a mistake."""

    limit: float

    def __post_init__(self) -> None:
        require_number("limit", self.limit, above=0)

    def holds(self) -> pl.Expr:
        """True where the quantity does not exceed the limit."""
        return pl.col("quantity") <= self.limit


@dataclass(frozen=True)
class PriceNearMedian:
    """The price lies within [median/ratio, median·ratio] of its product's median price."""

    ratio: float

    def __post_init__(self) -> None:
        require_number("ratio", self.ratio, above=1)

    def holds(self) -> pl.Expr:
        """True where the price is near the median over the product's lines with a positive price."""
        price = pl.when(pl.col("price").is_finite() & (pl.col("price") > 0)).then(pl.col("price"))
        median = price.median().over("product_id")
        return price.is_between(median / self.ratio, median * self.ratio)
