"""The part of a long log on which baselines are fitted and judged, so that this takes seconds."""

import logging
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.evaluation.baselines.occasion_totals import buys_always
from gpu_pricer.evaluation.held_out.offers import OCCASION, Log, occasions_of, offers_of

SEED = 0  # always the same sample, so that runs with different seeds compare the same baselines
PAIR = ["user_id", "category_id"]
OFFER = [*OCCASION, "product_id"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """How much of the log the baselines learn from and are judged on.

    training_offers, held_out_offers: about how many offers at most. users: of how many users at most, both times.
    zeros_per_purchase: offers that were not bought, for each purchase from which the baselines learn.
    """

    training_offers: int
    held_out_offers: int
    users: int
    zeros_per_purchase: float

    def __post_init__(self) -> None:
        for name in ("training_offers", "held_out_offers", "users"):
            require_integer(f"evaluate.sample.{name}", getattr(self, name), 1)
        require_number("evaluate.sample.zeros_per_purchase", self.zeros_per_purchase, above=0)

    def training(self, sales: Log, periods: list[date]) -> pl.DataFrame:
        """Return the offers of offers_of in these periods, or a sample whose weights sum to about as much.

        A sample has purchases of drawn users, and for each of them zeros_per_purchase offers of the same category that
        were not bought. Their weights sum to those of all such offers, category by category: the occasions without
        purchase in a log may be few and of great weight, and a category whose few are missed would look as if it were
        bought at every visit. A further column, sampled_odds, is the factor by which drawing multiplied the odds of a
        purchase: a logistic model learns more from it than from weights (case-control sampling within strata: Scott &
        Wild 1986). Where every occasion buys, the offers of an occasion belong together; the sample is then of all
        offers of some users in some categories.
        """
        occasions = occasions_of(sales, periods)
        shelves = sales.shelf.group_by("period", "category_id").agg(size=pl.len())
        sizes = occasions.join(shelves, on=["period", "category_id"], maintain_order="left")
        if sizes["size"].sum() <= self.training_offers:
            return offers_of(sales, periods)
        rng = np.random.default_rng(SEED)
        drawn = self._users(occasions["user_id"], rng)
        log.info("baselines learn from offers of %d users", drawn.height)
        if buys_always(sales):
            chosen = _pairs(
                sizes.join(drawn, on="user_id", how="semi"), pl.col("size").sum(), self.training_offers, rng
            )
            kept = sales.choices.join(chosen, on=PAIR, how="semi", maintain_order="left")
            return offers_of(replace(sales, choices=kept), periods)
        sales = replace(sales, choices=sales.choices.join(drawn, on="user_id", how="semi", maintain_order="left"))
        rows, places = _offers_in_place(occasions.join(drawn, on="user_id", how="semi"), sales.shelf)
        return self._purchases_and_zeros(_bought(sales, periods), rows, places, rng)

    def _purchases_and_zeros(
        self, bought: pl.DataFrame, rows: pl.DataFrame, places: pl.Series, rng: np.random.Generator
    ) -> pl.DataFrame:
        """Return the sample of `training`; bought: offers from _bought, rows and places: all, from _offers_in_place."""
        share = min(1.0, self.training_offers / (1 + self.zeros_per_purchase) / max(bought.height, 1))
        kept = bought.filter(pl.Series(rng.random(bought.height) < share)).with_columns(weight=1 / share, bought=True)
        strata = _strata(rows, kept, self.zeros_per_purchase)
        zeros = _zeros(rows, places, strata, rng).join(bought, on=OFFER, how="anti", maintain_order="left")
        odds = strata.select("category_id", sampled_odds=share * pl.col("mass") / pl.col("count"))
        found = pl.concat([kept, zeros.select(kept.columns)]).sort(OFFER)
        return found.join(odds, on="category_id", how="left", maintain_order="left")

    def held_out(self, offers: pl.DataFrame) -> pl.DataFrame:
        """Return the offers, or all offers of some users in some categories."""
        if offers.height <= self.held_out_offers:
            return offers
        rng = np.random.default_rng(SEED)
        of_users = offers.join(self._users(offers["user_id"], rng), on="user_id", how="semi", maintain_order="left")
        chosen = _pairs(of_users, pl.len(), self.held_out_offers, rng)
        found = of_users.join(chosen, on=PAIR, how="semi", maintain_order="left")
        log.info("baselines are judged on %d offers of %d users", found.height, found["user_id"].n_unique())
        return found

    def _users(self, users: pl.Series, rng: np.random.Generator) -> pl.DataFrame:
        """Return the column user_id of at most `users` of the users."""
        known = users.unique().sort()
        return known.gather(np.sort(rng.permutation(len(known))[: self.users])).to_frame()


def _pairs(rows: pl.DataFrame, size: pl.Expr, offers: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return pairs of user and category, drawn until they have about that many offers; size: the offers of rows."""
    pairs = rows.group_by(PAIR).agg(size=size).sort(PAIR)
    pairs = pairs[rng.permutation(pairs.height)]
    return pairs.filter((pl.col("size").cum_sum() <= offers) | (pl.int_range(pl.len()) == 0)).select(PAIR)


def _bought(sales: Log, periods: list[date]) -> pl.DataFrame:
    """Return the offers of these periods that were bought: OFFER, sorted."""
    bought = sales.purchases.filter(pl.col("period").is_in(periods))
    return bought.join(sales.shelf, on=["period", "product_id"], how="semi").sort(OFFER)


def _offers_in_place(occasions: pl.DataFrame, shelf: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Return the occasions sorted by category, user and period, with place and size; and product_id by place.

    The products that an occasion could choose from lie at `size` places from `place` on.
    """
    places = shelf.select("period", "category_id", "product_id").sort("period", "category_id", "product_id")
    shelves = places.with_row_index("place").group_by("period", "category_id").agg(pl.col("place").min(), size=pl.len())
    rows = occasions.join(shelves, on=["period", "category_id"]).sort("category_id", "user_id", "period")
    return rows, places["product_id"]


def _strata(rows: pl.DataFrame, kept: pl.DataFrame, per_purchase: float) -> pl.DataFrame:
    """Return category_id, mass (weight of all offers) and count, how many of them to draw, in the order of the rows."""
    mass = rows.group_by("category_id", maintain_order=True).agg(mass=(pl.col("weight") * pl.col("size")).sum())
    purchases = kept.group_by("category_id").agg(purchases=pl.len())
    count = (per_purchase * pl.col("purchases").fill_null(0)).round().cast(pl.Int64).clip(1)
    found = mass.join(purchases, on="category_id", how="left", maintain_order="left")
    return found.select("category_id", "mass", count=count)


def _zeros(rows: pl.DataFrame, places: pl.Series, strata: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Return offers drawn from each stratum in proportion to their weights, with the weight that each stands for.

    Draws at even steps through the sorted rows spread over users and periods. Offers that were bought are among them.
    """
    mass, count = strata["mass"].to_numpy(), strata["count"].to_numpy()
    stratum = np.repeat(np.arange(len(count)), count)
    step = np.arange(len(stratum)) - (np.cumsum(count) - count)[stratum] + rng.random(len(stratum))
    at = (np.cumsum(mass) - mass)[stratum] + step * (mass / count)[stratum]
    reach = (rows["weight"] * rows["size"]).cum_sum().to_numpy()
    drawn = rows[np.minimum(np.searchsorted(reach, at, side="right"), rows.height - 1)]
    place = drawn["place"].to_numpy() + rng.integers(0, drawn["size"].to_numpy())
    weight = pl.Series((mass / count)[stratum])
    return drawn.with_columns(places.gather(place), weight=weight, bought=pl.lit(False))
