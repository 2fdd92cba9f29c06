"""Zeros: a sample of the occasions without purchase of a log of transactions.

They are too many for memory, so a sample of each category's is kept together with the rate at which it was drawn. One
half of the sample is spread evenly over the occasions. The other half goes to users who bought of the category before,
in proportion to how often: few users buy most of what is sold, and an even sample would have only a handful of their
zeros. The even half bounds the weight 1 / rate of a zero at twice that of an even sample (a defensive mixture:
Hesterberg 1995). A rate depends on what was known before the occasion alone, never on what was bought there, so a
purchase has one too, and the conditional likelihood of the sample stays exact (choices.py).

Zeros are drawn systematically (Madow 1949): the rates are summed over the visits, by period and within a period by
rate, and a zero is drawn wherever the sum, from a random start, passes a whole number. So the sample is as large as the
rates say in every period and for every kind of user, not only in all of them together.

It is kept as numbers of visits and rates, 6 bytes each, because there are up to three for each line of the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from gpu_pricer.data.choices.choices import ChoiceRule
from gpu_pricer.data.choices.purchase_habits import Habits, VisitsByUser

EVEN = 0.5  # of the sample; the weight of a zero is at most 1 / EVEN times that of an even sample


@dataclass(frozen=True)
class RatedVisits:
    """Visits that looked at a category: rows [n] of the table of visits, ascending, and log of their rates [n]."""

    rows: np.ndarray
    log_rate: np.ndarray

    def between(self, first: int, last: int) -> "RatedVisits":
        """Return those of the rows first … last - 1."""
        part = slice(*np.searchsorted(self.rows, (first, last)))
        return RatedVisits(self.rows[part], self.log_rate[part])


@dataclass(frozen=True)
class SampledZeros:
    """The sampled occasions without purchase, and the rates of the occasions with one.

    visits: from visits_of. categories: [G], in order. zeros, buying: for each category the sampled visits without a
    purchase of it, and all visits with one. ends: by period, the first row of its visits and the row after its last.
    product_id: the type of a product's id, which an occasion without purchase has none of.
    """

    visits: pl.DataFrame
    categories: pl.Series
    zeros: list[RatedVisits]
    buying: list[RatedVisits]
    ends: dict[date, tuple[int, int]]
    product_id: pl.DataType

    def of(self, period: date) -> pl.DataFrame:
        """Return the sampled occasions of a period; within a category they keep the order of the visits."""
        return self._occasions(self.zeros, period).with_columns(
            pl.lit(None, dtype=self.product_id).alias("product_id"),
            pl.lit(0.0).alias("quantity"),
            pl.lit(1.0).alias("weight"),
        )

    def rated(self, purchases: pl.DataFrame, period: date) -> pl.DataFrame:
        """Return the purchases of a period with outside_rate, the rate at which zeros like their occasion are kept."""
        rates = self._occasions(self.buying, period).drop("period")
        return purchases.join(rates, on=("user_id", "category_id"), how="left", maintain_order="left")

    def _occasions(self, visits: list[RatedVisits], period: date) -> pl.DataFrame:
        """Return category_id and outside_rate beside the columns of those of a category's visits [G] in the period."""
        kept = [part.between(*self.ends.get(period, (0, 0))) for part in visits]
        log_rate = np.concatenate([part.log_rate for part in kept])
        return self.visits[np.concatenate([part.rows for part in kept])].with_columns(
            self.categories.gather(np.repeat(np.arange(len(kept)), [len(part.rows) for part in kept])).alias(
                "category_id"
            ),
            pl.Series("outside_rate", np.exp(log_rate.astype(np.float32))),
        )


@dataclass(frozen=True)
class OpenVisits:
    """The visits of the periods whose shelf has a category, as runs of rows of the table of visits.

    begins, counts [T]: the first row and the number of rows of each period; 0 rows where the category is not there.
    period [V]: the period of each row.
    """

    begins: np.ndarray
    counts: np.ndarray
    period: np.ndarray

    def contains(self, rows: np.ndarray) -> np.ndarray:
        """Return whether each of the rows [n] is one of them, [n]."""
        return self.counts[self.period[rows]] > 0

    def drawn_evenly(self, apart: np.ndarray, log_rate: np.float16, start: float) -> RatedVisits:
        """Return a systematic sample of the visits without those `apart`, all at one rate.

        apart: ascending rows. start: in [0, 1). The sample's own size decides the work.
        """
        ends = np.cumsum(self.counts)
        skipped = self.begins - (ends - self.counts)
        place = apart - skipped[self.period[apart]]
        rate, available = float(np.exp(np.float64(log_rate))), int(ends[-1]) - len(apart)
        number = ((np.arange(int(available * rate) + 1) + start) / rate).astype(np.int64)
        number = number[number < available]
        at = number + np.searchsorted(place - np.arange(len(place)), number, side="right")
        rows = at + skipped[np.searchsorted(ends, at, side="right")]
        return RatedVisits(rows.astype(np.uint32), np.full(len(rows), log_rate))


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
    buyers: for each period of the shelves, from buying_visits. visits: from visits_of. shelves: category_id and
    product_id, by period.
    """
    categories = pl.concat([shelf["category_id"].unique() for shelf in shelves.values()]).unique().sort()
    ends = _ends(visits, list(shelves))
    open_now = (categories.is_in(shelf["category_id"].unique().implode()) for shelf in shelves.values())
    is_open = np.array([column.to_numpy() for column in open_now]).T
    counts = np.array([last - first for first, last in ends.values()])
    period, begins = np.repeat(np.arange(len(counts), dtype=np.uint16), counts), np.cumsum(counts) - counts
    opened = [OpenVisits(begins, counts * is_open[g], period) for g in range(len(categories))]
    buying = _by_category(buyers, list(ends.values()), len(categories), visits.height)
    buying = [rows[part.contains(rows)] for rows, part in zip(buying, opened, strict=True)]
    bought = np.array([len(rows) for rows in buying])
    available = is_open @ counts - bought
    required = np.maximum(np.ceil(rule.zeros_per_purchase * bought).astype(np.int64), rule.min_zeros)
    kept = available if available.sum() <= rule.keep_all_below else np.minimum(required, available)
    by_user, drawn = VisitsByUser.of(visits), []
    for g, part in enumerate(opened):
        habits = by_user.habits(buying[g] if kept[g] < available[g] else buying[g][:0])
        drawn.append(_drawn(part, buying[g], habits, kept[g], np.random.default_rng([seed, g])))
    shelf = next(iter(shelves.values()))
    zeros, rated = ([pair[k] for pair in drawn] for k in (0, 1))
    return SampledZeros(visits, categories, zeros, rated, ends, shelf.schema["product_id"])


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


def _drawn(
    opened: OpenVisits, buying: np.ndarray, habits: Habits, count: int, rng: np.random.Generator
) -> tuple[RatedVisits, RatedVisits]:
    """Return the drawn zeros of a category, about `count`, and the visits that bought from it, with their rates.

    buying: the rows of the visits that bought, ascending. habits: of the users who had bought before. A rate is what
    its rounded logarithm says, so that it can be kept exactly in 2 bytes.
    """
    is_zero = ~habits.is_buying & opened.contains(habits.rows)
    even, by_habit = _rates(count, opened.counts.sum() - len(buying), habits.share, is_zero)
    of_habit = _drawn_by_rate(habits.rows[is_zero], by_habit[is_zero], opened.period, rng.random())
    apart = np.sort(np.concatenate([buying.astype(np.uint32), habits.rows[is_zero]]))
    others = opened.drawn_evenly(apart, even, rng.random()) if count else RatedVisits(apart[:0], by_habit[:0])
    rows = np.concatenate([of_habit.rows, others.rows])
    order = np.argsort(rows)
    zeros = RatedVisits(rows[order], np.concatenate([of_habit.log_rate, others.log_rate])[order])
    of_buying = np.full(len(buying), even)
    of_buying[np.searchsorted(buying, habits.rows[habits.is_buying])] = by_habit[habits.is_buying]
    return zeros, RatedVisits(buying.astype(np.uint32), of_buying)


def _rates(count: int, available: int, share: np.ndarray, is_zero: np.ndarray) -> tuple[np.float16, np.ndarray]:
    """Return log of the chance of a visit to be among `count` of `available` zeros, were it one, float16.

    The first is that of a user who never bought before; those of habits [n] follow their share [n]. is_zero [n]: which
    of them are zeros.
    """
    total = share[is_zero].sum(dtype=np.float64)
    even = count * (EVEN if total else 1.0) / available if 0 < count < available else 1.0
    by_habit = even + count * (1.0 - EVEN) * share / (total or 1.0)
    return np.float16(np.log(even)), np.log(np.minimum(by_habit, 1.0)).astype(np.float16)


def _drawn_by_rate(rows: np.ndarray, log_rate: np.ndarray, period: np.ndarray, start: float) -> RatedVisits:
    """Return a systematic sample of the rows [n] at their rates [n]; period [V]: of every visit; start: in [0, 1)."""
    by_rate = np.argsort(log_rate.view(np.uint16), kind="stable")
    order = by_rate[np.argsort(period[rows[by_rate]], kind="stable")]
    passed = np.floor(np.cumsum(np.exp(log_rate[order], dtype=np.float64)) + start)
    drawn = order[np.diff(passed, prepend=0) > 0]
    return RatedVisits(rows[drawn], log_rate[drawn])
