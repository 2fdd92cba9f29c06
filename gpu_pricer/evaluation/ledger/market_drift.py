"""The drift of the market: how far the demand of coming periods may lie from the level that was learned.

It is measured on the units per visit of whole categories, over all products of the log, those that have come and gone
included. A product that comes takes its buyers mostly from its category, so its launch is no drift of demand; measured
on the promised products alone, every launch would be one.
"""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.evaluation.ledger.intervals import drift
from gpu_pricer.evaluation.ledger.sales_log import SalesLog
from gpu_pricer.tables.published.promises import Promise

MOST_PERIODS = 26
"""Periods before a version from which the drift of demand is estimated."""

LEAST_STRETCHES = 8
"""Stretches of which a variance is taken; with fewer it would be too uncertain to rest an interval on."""


class Deviations(NamedTuple):
    """Demand of n groups in T periods over its mean.

    ratio [n, T]: the group's units per visit over their mean; by_chance [n, T]: the variance of the ratio by chance;
    counts bool [n, T]: whether the group was sold from the first day of the period on.
    """

    ratio: np.ndarray
    by_chance: np.ndarray
    counts: np.ndarray

    def in_stretches(self, length: int) -> "Deviations":
        """Return the deviations of the means of so many consecutive periods, the oldest ones that are left over out."""
        groups, periods = self.ratio.shape
        ratio, by_chance, counts = (values[:, periods % length :].reshape(groups, -1, length) for values in self)
        return Deviations(ratio.mean(axis=2), by_chance.sum(axis=2) / length**2, counts.min(axis=2))


def sales_of_categories(log: SalesLog) -> pl.DataFrame:
    """Return category_id, day, units and squared_units of all sales, summed over each category's products."""
    return _summed(log.sales, log.products)


def market_drift(
    log: SalesLog, of_categories: pl.DataFrame, promise: Promise, since: date, periods: float
) -> dict[str, float]:
    """Return by category_id of a promise, and "" for all together, the relative variance of demand over some periods.

    It is the variance beyond chance of the units per visit, from one stretch of the MOST_PERIODS whole periods before
    `since` to the next. of_categories: from sales_of_categories, found once per log. periods: for how long the prices
    are in force. A stretch is as long, but no longer than leaves LEAST_STRETCHES, and at least one period: over a
    longer time demand varies no more than over such a stretch, unless it goes one way. A category's periods count from
    the day of its first sale. All together are the mean of the categories, weighted by their promised units, so that a
    category that comes is no drift either. A category that was not sold for two periods has the weighted mean of the
    drift of the others. 0 where nothing is known.
    """
    promised = promise.products.group_by("category_id").agg(pl.col("units").sum()).sort("category_id")
    weight = promised["units"].to_numpy()
    deviations = _deviations(log, of_categories, promise, since, promised["category_id"])
    if deviations is None:
        return dict.fromkeys(["", *promised["category_id"]], 0.0)
    each = _longest(deviations, periods)
    is_known = ~np.isnan(each)
    [total] = _longest(_weighted(deviations, weight), periods)
    others = total
    if weight[is_known].any():
        others = float(np.average(each[is_known], weights=weight[is_known]))
    found = np.nan_to_num([total, *np.where(is_known, each, others)])
    return dict(zip(["", *promised["category_id"]], found.tolist(), strict=True))


def _longest(deviations: Deviations, periods: float) -> np.ndarray:
    """Return the drift [n] over the longest stretches that `periods` and each group's history allow, NaN for none."""
    length = np.minimum(max(int(periods), 1), np.maximum(deviations.counts.sum(axis=1) // LEAST_STRETCHES, 1))
    found = np.full(len(length), np.nan)
    for each in np.unique(length):
        rows = length == each
        found[rows] = drift(*Deviations(*(values[rows] for values in deviations)).in_stretches(int(each)))
    return found


def _weighted(deviations: Deviations, weight: np.ndarray) -> Deviations:
    """Return the mean deviations [1, T] of the groups that count in each period, weight [n]."""
    weights = np.where(deviations.counts, weight[:, None], 0.0)
    whole = weights.sum(axis=0)
    counts = whole > 0
    shares = np.divide(weights, whole, out=np.zeros_like(weights), where=counts)
    ratio = np.sum(shares * deviations.ratio, axis=0)
    by_chance = np.sum(shares**2 * deviations.by_chance, axis=0)
    return Deviations(ratio[None], by_chance[None], counts[None])


def _deviations(
    log: SalesLog, of_categories: pl.DataFrame, promise: Promise, since: date, category_id: pl.Series
) -> Deviations | None:
    """Return the deviations of n categories in the whole periods before a day, None for fewer than two periods."""
    days = promise.period_days
    before = log.visits.filter(pl.col("period") <= since - timedelta(days=days)).tail(MOST_PERIODS)
    if before.height < 2:
        return None
    first = before["period"].min()
    index = (pl.col("day") - pl.lit(first)).dt.total_days() // days
    lines = _of_promise(log, of_categories, promise).filter(pl.col("day") < since)
    categories = category_id.to_frame("category_id")
    cells = before.select(index=(pl.col("period") - pl.lit(first)).dt.total_days() // days, start="period")
    sold = lines.group_by("category_id", index.alias("index"), maintain_order=True).agg(pl.col("units").sum())
    known = lines.group_by("category_id", maintain_order=True).agg(
        begins=pl.col("day").min(), dispersion=pl.col("squared_units").sum() / pl.col("units").sum()
    )
    grid = (
        categories.join(known, on="category_id", how="left", maintain_order="left")
        .join(cells, how="cross", maintain_order="left_right")
        .join(sold, on=["category_id", "index"], how="left", maintain_order="left")
        .select(
            pl.col("units", "dispersion").fill_null(0.0), counts=(pl.col("start") >= pl.col("begins")).fill_null(False)
        )
    )
    units, dispersion, counts = (grid[name].to_numpy().reshape(-1, before.height) for name in grid.columns)
    visits = before["visits"].to_numpy()
    rate = units / visits
    mean = rate.sum(axis=1, where=counts, keepdims=True) / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    counts &= mean > 0
    mean = np.where(mean > 0, mean, 1.0)
    return Deviations(rate / mean, dispersion * units / visits**2 / mean**2, counts)


def _of_promise(log: SalesLog, of_categories: pl.DataFrame, promise: Promise) -> pl.DataFrame:
    """Return the sales of categories; a product that has another category in the promise counts in that one."""
    promised = promise.products.select("product_id", promised="category_id")
    products = log.products.join(promised, on="product_id", how="left").select(
        "product_id", category_id=pl.coalesce("promised", "category_id"), logged="category_id"
    )
    if products["category_id"].equals(products["logged"]):
        return of_categories
    return _summed(log.sales, products.drop("logged"))


def _summed(sales: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    lines = sales.join(products, on="product_id", maintain_order="left")
    return lines.group_by("category_id", "day", maintain_order=True).agg(pl.col("units", "squared_units").sum())
