"""Do the users that the model calls sensitive buy more of what is cut? Held-out weeks answer.

The protocol of Donnelly, Ruiz, Blei & Athey (2021): for every product the users are split into thirds by
predicted sensitivity, and the thirds' answers to price changes are compared in weeks that the model never saw.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from tests.bench.price_sensitivity.moves import CUT, STILL, kinds_of_weeks

REPLICATES, LEVEL = 1000, 0.95


@dataclass(frozen=True)
class Counts:
    """What U users did with J products in weeks of a CUT and in STILL weeks, by kind.

    bought, visits [U, J]. price [J]: the mean of these weeks, NaN where a product has none.
    """

    users: list
    products: list
    bought: dict[str, np.ndarray]
    visits: dict[str, np.ndarray]
    price: dict[str, np.ndarray]

    def expected(self, rate: np.ndarray, elasticity: np.ndarray, reference_price: np.ndarray) -> "Counts":
        """Return the counts with the purchases that a model expects.

        rate [U, J]: purchases per visit at the reference price [J]. elasticity [U, J]: by which their logs fall with
        price / reference price. Where one of them is NaN, nothing is expected.
        """
        moves = {kind: np.nan_to_num(price / reference_price - 1) for kind, price in self.price.items()}
        at = {kind: np.nan_to_num(rate * np.exp(-elasticity * move)) for kind, move in moves.items()}
        return replace(self, bought={kind: visits * at[kind] for kind, visits in self.visits.items()})


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
    kinds = kinds_of_weeks(shelf).filter(pl.col("period").is_in(weeks), pl.col("kind").is_in([CUT, STILL]))
    visits = visits.filter(pl.col("period").is_in(weeks)).select("user_id", "period").unique()
    bought = choices.drop_nulls("product_id").select("user_id", "period", "product_id").unique()
    users, products = (rows.unique().sort() for rows in (visits["user_id"], kinds["product_id"]))

    def table(rows: pl.DataFrame) -> np.ndarray:
        counted = np.zeros((len(users), len(products)))
        np.add.at(counted, (users.search_sorted(rows["user_id"]), products.search_sorted(rows["product_id"])), 1)
        return counted

    by_kind = {kind: kinds.filter(kind=kind) for kind in (CUT, STILL)}
    came = {kind: visits.join(rows, on="period") for kind, rows in by_kind.items()}
    buyers = {
        kind: rows.join(bought, on=["user_id", "period", "product_id"], how="semi") for kind, rows in came.items()
    }
    prices = shelf.select("period", "product_id", "price")
    return Counts(
        users.to_list(),
        products.to_list(),
        {kind: table(rows) for kind, rows in buyers.items()},
        {kind: table(rows) for kind, rows in came.items()},
        {kind: _mean_price(rows.join(prices, on=["period", "product_id"]), products) for kind, rows in by_kind.items()},
    )


def _mean_price(rows: pl.DataFrame, products: pl.Series) -> np.ndarray:
    """Return the mean price of each of the products in the rows, NaN for those without any."""
    found = rows.group_by("product_id").agg(pl.col("price").mean())
    joined = products.rename("product_id").to_frame().join(found, on="product_id", how="left", maintain_order="left")
    return joined["price"].cast(pl.Float64).fill_null(np.nan).to_numpy()


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
    return {
        kind: (of_users @ (counts.bought[kind] * is_inside), of_users @ (counts.visits[kind] * is_inside))
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
