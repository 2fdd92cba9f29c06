"""Zeros: a sample of the occasions without purchase of a log of transactions.

They are too many for memory, so a sample of each category's is kept together with its sampling rate. It is kept as
numbers of visits, 4 bytes each, because there are as many of them as lines in the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from gpu_pricer.data.choices import ChoiceRule


@dataclass(frozen=True)
class SampledZeros:
    """The sampled occasions without purchase.

    visits: user_id, period, sorted by period. categories: [G], in order. rows: for each category the sampled rows of
    the visits, ascending. ends: by period, the first row of its visits and the row after its last. rates: category_id
    and outside_rate, the share of a category's occasions without purchase that is kept. product_id: the type of a
    product's id, which an occasion without purchase has none of.
    """

    visits: pl.DataFrame
    categories: pl.Series
    rows: list[np.ndarray]
    ends: dict[date, tuple[int, int]]
    rates: pl.DataFrame
    product_id: pl.DataType

    def of(self, period: date) -> pl.DataFrame:
        """Return the sampled occasions of a period; within a category they keep the order of the visits."""
        first, last = self.ends.get(period, (0, 0))
        rows = [kept[slice(*np.searchsorted(kept, (first, last)))] for kept in self.rows]
        return self.visits[np.concatenate(rows)].with_columns(
            self.categories.gather(np.repeat(np.arange(len(rows)), [len(kept) for kept in rows])).alias("category_id"),
            pl.lit(None, dtype=self.product_id).alias("product_id"),
            pl.lit(0.0).alias("quantity"),
            pl.lit(1.0).alias("weight"),
        )


def buying_visits(buyers: pl.DataFrame, visits: pl.DataFrame, categories: pl.Series) -> pl.DataFrame:
    """Return category and visit, the numbers of the categories and visits of a period that have a purchase.

    buyers: category_id and user_id, at least once each pair. visits: of the period. categories: in order.
    """
    index = pl.DataFrame({"category_id": categories}).with_row_index("category")
    pairs = buyers.select("category_id", "user_id").unique().join(index, on="category_id")
    return pairs.join(visits.with_row_index("visit"), on="user_id").select("category", "visit")


def sampled_zeros(
    buyers: Sequence[pl.DataFrame],
    visits: pl.DataFrame,
    shelves: dict[date, pl.DataFrame],
    rule: ChoiceRule,
    seed: int,
) -> SampledZeros:
    """Return the sampled occasions without purchase.

    An occasion without purchase is a visit that bought nothing of a category in a period whose shelf has the category.
    buyers: for each period of the shelves, from buying_visits. visits: user_id, period, sorted. shelves: category_id
    and product_id, by period.
    """
    categories = pl.concat([shelf["category_id"].unique() for shelf in shelves.values()]).unique().sort()
    ends = _ends(visits, list(shelves))
    open_now = (categories.is_in(shelf["category_id"].unique().implode()) for shelf in shelves.values())
    is_open = np.array([column.to_numpy() for column in open_now]).T
    counts = np.array([last - first for first, last in ends.values()])
    buying = _by_category(buyers, list(ends.values()), len(categories), visits.height)
    bought = np.array([len(rows) for rows in buying])
    available = is_open @ counts - bought
    required = np.maximum(np.ceil(rule.zeros_per_purchase * bought).astype(np.int64), rule.min_zeros)
    kept = available if available.sum() <= rule.keep_all_below else np.minimum(required, available)
    rows = [
        _draw(np.repeat(is_open[g], counts), buying[g], count, np.random.default_rng([seed, g]))
        for g, count in enumerate(kept)
    ]
    rate = np.divide(kept, available, out=np.ones(len(kept)), where=kept > 0)
    rates = pl.DataFrame({"category_id": categories, "outside_rate": rate})
    shelf = next(iter(shelves.values()))
    return SampledZeros(visits, categories, rows, ends, rates, shelf.schema["product_id"])


def _ends(visits: pl.DataFrame, periods: list[date]) -> dict[date, tuple[int, int]]:
    """Return the first row of the visits of each period, and the row after its last."""
    counts = dict(visits.group_by("period").len().rows())
    last = np.cumsum([counts.get(period, 0) for period in periods])
    return {period: (int(end) - counts.get(period, 0), int(end)) for period, end in zip(periods, last, strict=True)}


def _by_category(
    buyers: Sequence[pl.DataFrame], ends: list[tuple[int, int]], categories: int, visits: int
) -> list[np.ndarray]:
    """Return for each category the rows of the visits that bought from it, ascending."""
    pairs = [
        part["category"].to_numpy().astype(np.int64) * visits + part["visit"].to_numpy() + first
        for part, (first, _) in zip(buyers, ends, strict=True)
    ]
    both = np.concatenate(pairs)
    both.sort()
    borders = np.searchsorted(both, np.arange(1, categories) * visits)
    return [part % visits for part in np.split(both, borders)]


def _draw(is_zero: np.ndarray, buyers: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the sorted rows of `count` visits that could have bought but did not; every subset is equally likely."""
    is_zero[buyers] = False
    drawn = rng.choice(np.flatnonzero(is_zero), count, replace=False, shuffle=False)
    return np.sort(drawn.astype(np.uint32))
