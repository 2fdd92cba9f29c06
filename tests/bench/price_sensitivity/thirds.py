"""Do the users that the model calls sensitive buy more of what is cut? Held-out weeks answer.

The protocol of Donnelly, Ruiz, Blei & Athey (2021): for every product the users are split into thirds by
predicted sensitivity, and the thirds' answers to price changes are compared in weeks that the model never saw.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from tests.bench.price_sensitivity.moves import CUT, STILL, kinds_of_weeks

REPLICATES, LEVEL = 1000, 0.95


@dataclass(frozen=True)
class Counts:
    """What U users did with J products in W weeks of which some are weeks of a CUT, and some STILL weeks.

    came [U, W]: whether users came. kinds [J, W]: whether it was such a week of a product, by kind. price [J, W]: NaN
    off the shelf. bought [U, J]: by kind, in how many weeks.
    """

    users: list
    products: list
    came: np.ndarray
    kinds: dict[str, np.ndarray]
    price: np.ndarray
    bought: dict[str, np.ndarray]

    @property
    def visits(self) -> dict[str, np.ndarray]:
        """Return in how many weeks of a kind users came, [U, J]."""
        return {kind: self.came.astype(float) @ is_kind.T for kind, is_kind in self.kinds.items()}

    def with_purchases(self, probability: Iterable[np.ndarray]) -> "Counts":
        """Return the counts with the purchases that are expected at a probability [U, J] for each week."""
        bought = {kind: np.zeros((len(self.users), len(self.products))) for kind in self.kinds}
        for week, of_week in enumerate(probability):
            for kind, is_kind in self.kinds.items():
                bought[kind] += self.came[:, week, None] * is_kind[:, week] * of_week
        return replace(self, bought=bought)


@dataclass(frozen=True)
class LogRatio:
    """The log ratio of the buying lifts of the most and the least sensitive third, and its interval.

    slope, slope_low, slope_high: the ratio over the expected one, and its interval.
    """

    log_ratio: float
    low: float
    high: float
    slope: float
    slope_low: float
    slope_high: float


def counts_of(shelf: pl.DataFrame, choices: pl.DataFrame, visits: pl.DataFrame, weeks: list) -> Counts:
    """Return what happened in the weeks; the tables are the canonical ones, of these and of earlier weeks."""
    judged = kinds_of_weeks(shelf).filter(pl.col("period").is_in(weeks))
    visits = visits.filter(pl.col("period").is_in(weeks)).select("user_id", "period").unique()
    bought = choices.drop_nulls("product_id").select("user_id", "period", "product_id").unique()
    periods = pl.Series(sorted(weeks), dtype=shelf.schema["period"])
    users, products = (rows.unique().sort() for rows in (visits["user_id"], judged["product_id"]))
    came = np.zeros((len(users), len(periods)), bool)
    came[users.search_sorted(visits["user_id"]), periods.search_sorted(visits["period"])] = True

    def places(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        return products.search_sorted(rows["product_id"]).to_numpy(), periods.search_sorted(rows["period"]).to_numpy()

    price = np.full((len(products), len(periods)), np.nan)
    on_shelf = shelf.filter(pl.col("period").is_in(weeks))
    price[places(on_shelf)] = on_shelf["price"].to_numpy()
    kinds, counted = {}, {}
    for kind in (CUT, STILL):
        rows = judged.filter(kind=kind)
        kinds[kind], counted[kind] = np.zeros(price.shape, bool), np.zeros((len(users), len(products)))
        kinds[kind][places(rows)] = True
        buyers = bought.join(rows, on=["period", "product_id"], how="semi").join(
            visits, on=["user_id", "period"], how="semi"
        )
        np.add.at(counted[kind], (users.search_sorted(buyers["user_id"]), places(buyers)[0]), 1)
    return Counts(users.to_list(), products.to_list(), came, kinds, price, counted)


def log_ratio_of_lifts(counts: Counts, expected: Counts, sensitivity: np.ndarray, seed: int) -> LogRatio:
    """Return the log ratio of the lifts, and its interval for resampled users and products.

    expected: the counts with the purchases that a model expects. sensitivity [U, J]: by which each product's users are
    split; users with NaN are left out, ties are split at random. A third's lift is its purchases per visit in weeks of
    a cut over those in still weeks. The ratio of the lifts is common to all products (Mantel & Haenszel 1959), so that
    each product is compared with itself.
    """
    rng = np.random.default_rng(seed)
    third = thirds(sensitivity, rng)
    users, products = third.shape
    of_users, of_products = (
        np.vstack([np.ones(count), rng.multinomial(count, np.full(count, 1 / count), size=REPLICATES)])
        for count in (users, products)
    )

    def log_ratios(part: Counts) -> np.ndarray:
        """Return the common log ratio, and those of the draws."""
        most, least = (_sums(part, third == number, of_users) for number in (2, 0))
        return _common_log_ratio(most, least, of_products)

    values = log_ratios(counts)
    return LogRatio(*_with_interval(values), *_with_interval(values / log_ratios(expected)))


def thirds(sensitivity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return 0, 1 or 2 for the least, middle and most sensitive third of every product's users; -1 for NaN."""
    known = ~np.isnan(sensitivity)
    order = np.lexsort((rng.random(sensitivity.shape), np.where(known, sensitivity, np.inf)), axis=0)
    rank = np.empty(order.shape, np.int64)
    np.put_along_axis(rank, order, np.arange(len(order))[:, None], axis=0)
    return np.where(known, 3 * rank // np.maximum(known.sum(axis=0), 1), -1)


def _with_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the first of the values [B], and the ends of the interval that the others show."""
    low, high = np.nanquantile(values[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(values[0]), float(low), float(high)


def _sums(counts: Counts, is_inside: np.ndarray, of_users: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return by kind of week the purchases and the visits [B, J] of the users inside, counted of_users [B, U] times."""
    visits = counts.visits
    return {
        kind: (of_users @ (counts.bought[kind] * is_inside), of_users @ (visits[kind] * is_inside))
        for kind in (CUT, STILL)
    }


def _common_log_ratio(most: dict, least: dict, of_products: np.ndarray) -> np.ndarray:
    """Return the common log ratio [B] of B draws of products, of_products [B, J]."""
    (most_cut, most_cut_visits), (most_still, most_still_visits) = most[CUT], most[STILL]
    (least_cut, least_cut_visits), (least_still, least_still_visits) = least[CUT], least[STILL]
    total = np.maximum(most_cut + most_still + least_cut + least_still, 1)
    visits = [most_cut_visits, least_still_visits, least_cut_visits, most_still_visits]
    is_seen = np.logical_and.reduce([count > 0 for count in visits])
    first, second, third, fourth = (np.where(is_seen, count, 1) for count in visits)
    exposure = np.sqrt(first * second / (third * fourth))  # the ratio of odds that visits alone would give, halved
    weight = of_products * is_seen / total
    above = (weight * most_cut * least_still / exposure).sum(axis=1)
    below = (weight * least_cut * most_still * exposure).sum(axis=1)
    return np.log(np.where((above > 0) & (below > 0), above / np.maximum(below, 1e-300), np.nan))
