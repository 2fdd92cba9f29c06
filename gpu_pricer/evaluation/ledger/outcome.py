"""The ledger: the promise of each publication beside what was sold while its prices were in force.

A promise is for the visits that the demand model expects in a period. It is scaled to the visits that came, so that a
week with few shoppers does not count as a broken promise. Its interval holds the chance of single purchases (a compound
Poisson sum, whose dispersion is that of the log's lines), the drift of the market before the prices came into force
(see market_drift), and the posterior of the price response. The interval of the outcome holds the chance alone.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from gpu_pricer.evaluation.ledger.intervals import normal_interval, predicted_interval
from gpu_pricer.evaluation.ledger.judged import COUNTS, with_counts
from gpu_pricer.evaluation.ledger.market_drift import market_drift, sales_of_categories
from gpu_pricer.evaluation.ledger.sales_log import SalesLog
from gpu_pricer.evaluation.ledger.words import verdict
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.tables.published.promises import PROMISED, InForce, Promise


def ledger_of(promises: Sequence[tuple[InForce, Promise]], log: SalesLog, least_applied: float) -> pl.DataFrame:
    """Return the ledger: a row for each publication that was in force in the log, and each of its categories.

    version, run, since, days (in force in the log), currency, category_id (null: all together), visits (that came),
    visits_share (of those expected); for each measure (units, revenue, profit) promised_ (for the expected visits),
    expected_ (for those that came) with its 90 % interval <measure>_low and _high, and actual_ with
    actual_<measure>_low and _high; applied (share of the units sold at the version's prices, null without sales),
    judged (share of the promised units whose products count in the row, on both sides; see with_counts), verdict.

    least_applied: share of the units below which nothing is said of the promise. Products that the log does not know
    any more count on neither side, see products_left_out.
    """
    of_categories = sales_of_categories(log)
    tables = [
        _version_ledger(in_force, known, log, of_categories, least_applied)
        for in_force, promise in promises
        if _days(in_force, log) > 0 and not (known := _of_known_products(promise, log)).products.is_empty()
    ]
    return pl.concat(tables) if tables else pl.DataFrame()


def products_left_out(promises: Sequence[tuple[InForce, Promise]], log: SalesLog) -> int:
    """Return how many products of the publications that were in force in the log it does not know any more.

    What was sold of a product that is taken out of the products table is not in the log, not even that of earlier days.
    """
    lost = [
        promise.products.filter(~pl.col("product_id").is_in(log.products["product_id"].implode()))["product_id"]
        for in_force, promise in promises
        if _days(in_force, log) > 0
    ]
    return pl.concat(lost).n_unique() if lost else 0


def _of_known_products(promise: Promise, log: SalesLog) -> Promise:
    """Return what is promised of the products that the log knows."""
    known = pl.col("product_id").is_in(log.products["product_id"].implode())
    return promise._replace(products=promise.products.filter(known))


def _days(in_force: InForce, log: SalesLog) -> int:
    """Return on how many days of the log the prices of a publication were in force."""
    end = log.last_day + timedelta(days=1)
    return (min(in_force.until or end, end) - max(in_force.since, log.first_day)).days


def _version_ledger(
    in_force: InForce, promise: Promise, log: SalesLog, of_categories: pl.DataFrame, least_applied: float
) -> pl.DataFrame:
    days, first = _days(in_force, log), max(in_force.since, log.first_day)
    last = first + timedelta(days=days - 1)
    visits, periods = log.visits_of(first, last, promise.period_days), days / promise.period_days
    is_in_force, scale = pl.col("day").is_between(first, last), visits / promise.visits
    sold = _sold(log.sales.filter(is_in_force), promise)
    promise = promise._replace(products=with_counts(promise.products, sold, scale, least_applied))
    lines = _lines(log.sales, promise)
    found = _promised(promise).join(_sums(lines, is_in_force), on="group", how="left")
    chance = _dispersion(lines, found["group"])
    drift = market_drift(log, of_categories, promise, in_force.since, periods)
    drifting = np.array([drift[name] for name in found["group"]])
    columns: dict[str, np.ndarray] = {}
    for k, measure in enumerate(PROMISED):
        per_period = found[measure].to_numpy()
        mean, spread = scale * per_period, _spread(promise, found["group"], measure)
        per_unit = scale * found["units"].to_numpy() if measure == "profit" else mean
        variance = chance[:, k] * per_unit + mean**2 * (spread**2 + drifting)
        interval = normal_interval if measure == "profit" else predicted_interval
        low, high = interval(mean, variance)
        actual = found[f"actual_{measure}"].fill_null(0.0).to_numpy()
        ends = normal_interval(actual, found[f"squared_{measure}"].fill_null(0.0).to_numpy())
        columns |= {
            f"promised_{measure}": periods * per_period,
            f"expected_{measure}": mean,
            f"{measure}_low": low,
            f"{measure}_high": high,
            f"actual_{measure}": actual,
            f"actual_{measure}_low": ends[0] if measure == "profit" else np.maximum(ends[0], 0.0),
            f"actual_{measure}_high": ends[1],
        }
    applied = found.select(pl.col("applied") / pl.col("actual_units"))["applied"].to_list()
    table = found.select(
        version=pl.lit(in_force.number),
        run=pl.lit(in_force.run),
        since=pl.lit(in_force.since),
        days=pl.lit(days),
        currency=pl.lit(in_force.currency),
        category_id=pl.when(pl.col("group") != "").then("group"),
        visits=pl.lit(visits),
        visits_share=pl.lit(scale / periods),
        judged="judged",
    ).with_columns(pl.Series(name, values) for name, values in columns.items())
    profit = table.select("actual_profit", "profit_low", "profit_high").rows()
    verdicts = [
        verdict(actual, (low, high), share, least_applied)
        for (actual, low, high), share in zip(profit, applied, strict=True)
    ]
    return table.with_columns(applied=pl.Series(applied, dtype=pl.Float64), verdict=pl.Series(verdicts))


def _promised(promise: Promise) -> pl.DataFrame:
    """Return group, the measures of a period, and judged; group "" is all categories together."""
    share = pl.col("units").filter("counts").sum() / pl.col("units").sum()
    judged = pl.when(pl.col("counts").all()).then(1.0).otherwise(share)
    products = _twice(promise.products.select("category_id", *COUNTS, *PROMISED))
    return (
        products.group_by("group", maintain_order=True)
        .agg(pl.col(PROMISED).filter("counts").sum(), judged=judged)
        .sort("group")
    )


def _sold(sales: pl.DataFrame, promise: Promise) -> pl.DataFrame:
    """Return product_id, sold_units and applied of the promise's products that were sold, see with_counts."""
    known = sales.join(promise.products.select("product_id", "prices"), on="product_id")
    return known.group_by("product_id").agg(sold_units=pl.col("units").sum(), applied=_applied().sum())


def _applied() -> pl.Expr:
    """The units of a line if it was sold at one of the version's prices, else 0."""
    cents = (pl.col("price") * CENTS).round().cast(pl.Int64)
    return pl.when(pl.col("prices").list.contains(cents)).then("units").otherwise(0.0)


def _lines(sales: pl.DataFrame, promise: Promise) -> pl.DataFrame:
    """Return the sales of the promise's products by group, with what each adds to the sums of each measure."""
    known = promise.products.select("product_id", "category_id", *COUNTS, "cost", "net_share", "prices")
    kept = pl.col("price") * pl.col("net_share")
    margin = kept - pl.col("cost")
    lines = sales.join(known, on="product_id").select(
        "category_id",
        *COUNTS,
        "day",
        actual_units=pl.col("units"),
        actual_revenue=pl.col("units") * kept,
        actual_profit=pl.col("units") * margin,
        squared_units=pl.col("squared_units"),
        squared_revenue=pl.col("squared_units") * kept**2,
        squared_profit=pl.col("squared_units") * margin**2,
        applied=_applied(),
    )
    return _twice(lines).filter("counts").drop("counts")


def _twice(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows under their category as `group`, and under "", all together; `counts`: whether they do there."""
    groups = (pl.col("category_id"), pl.lit(""))
    return pl.concat(
        table.with_columns(group=group, counts=counts) for group, counts in zip(groups, COUNTS, strict=True)
    ).drop("category_id", *COUNTS)


def _sums(lines: pl.DataFrame, is_counted: pl.Expr) -> pl.DataFrame:
    return lines.filter(is_counted).group_by("group", maintain_order=True).agg(pl.all().exclude("day").sum())


def _dispersion(lines: pl.DataFrame, group: pl.Series) -> np.ndarray:
    """Return the variance by chance of units and revenue over their means, and of profit over units, [n, 3].

    Groups without sales have that of all together.
    """
    over = {"units": "units", "revenue": "revenue", "profit": "units"}
    ratios = [(pl.col(f"squared_{name}") / pl.col(f"actual_{by}")).alias(name) for name, by in over.items()]
    found = _sums(lines, pl.lit(True)).select("group", *ratios)
    every = found.filter(pl.col("group") == "").select(*over)
    rest = every.row(0) if every.height else (1.0, 1.0, 1.0)
    rows = group.to_frame("group").join(found, on="group", how="left", maintain_order="left").select(*over)
    return rows.with_columns(pl.col(name).fill_null(value) for name, value in zip(over, rest, strict=True)).to_numpy()


def _spread(promise: Promise, group: pl.Series, measure: str) -> np.ndarray:
    return np.array([promise.spread.get(name, {}).get(measure, 0.0) for name in group])
