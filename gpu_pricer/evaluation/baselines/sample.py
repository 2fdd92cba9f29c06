"""The part of a long log on which baselines are fitted and judged, so that this takes seconds."""

import logging
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from gpu_pricer.checks import require_integer, require_number
from gpu_pricer.evaluation.held_out.offers import OCCASION, Log, offers_of

SEED = 0  # always the same users, so that runs with different seeds compare the same baselines

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """How much of the log the baselines learn from and are judged on.

    training_offers, held_out_offers: about how many offers at most; beyond that, users are drawn.
    zeros_per_purchase: before users are left out of the training offers, at most so many of the offers that were not
    bought are left out that this many remain per purchase; each stands for more of them by its weight. All purchases of
    the drawn users are kept.
    """

    training_offers: int
    held_out_offers: int
    zeros_per_purchase: float

    def __post_init__(self) -> None:
        for name in ("training_offers", "held_out_offers"):
            require_integer(f"evaluate.sample.{name}", getattr(self, name), 1)
        require_number("evaluate.sample.zeros_per_purchase", self.zeros_per_purchase, above=0)

    def training(self, sales: Log, periods: list[date]) -> pl.DataFrame:
        """Return the offers of offers_of in these periods, or a sample whose weights sum to about as much."""
        offers, purchases = _size(sales, periods)
        if offers <= self.training_offers:
            return offers_of(sales, periods)
        zeros, rng = offers - purchases, np.random.default_rng(SEED)
        share = min(1.0, max(self.zeros_per_purchase * purchases, self.training_offers - purchases) / zeros)
        users = min(1.0, self.training_offers / (purchases + share * zeros))
        log.info("baselines learn from %.1f %% of the users and %.1f %% of their zeros", 100 * users, 100 * share)
        drawn = _drawn(sales.choices["user_id"], users, rng).to_frame()
        rows = offers_of(replace(sales, choices=sales.choices.join(drawn, on="user_id", how="semi")), periods)
        is_kept = pl.Series(rng.random(rows.height) < share)
        return rows.filter(is_kept | rows["bought"]).with_columns(
            weight=pl.when("bought").then("weight").otherwise(pl.col("weight") / share)
        )

    def held_out(self, offers: pl.DataFrame) -> pl.DataFrame:
        """Return the offers, or all offers of some users."""
        if offers.height <= self.held_out_offers:
            return offers
        share = self.held_out_offers / offers.height
        log.info("baselines are judged on %.0f %% of the users", 100 * share)
        users = _drawn(offers["user_id"], share, np.random.default_rng(SEED)).to_frame()
        return offers.join(users, on="user_id", how="semi", maintain_order="left")


def _size(sales: Log, periods: list[date]) -> tuple[int, int]:
    """Return how many offers of these periods the log has, and how many of them were bought."""
    sizes = sales.shelf.group_by("period", "category_id").agg(size=pl.len())
    occasions = sales.choices.filter(pl.col("period").is_in(periods)).select(OCCASION).unique()
    offers = int(occasions.join(sizes, on=["period", "category_id"])["size"].sum())
    return offers, sales.purchases.filter(pl.col("period").is_in(periods)).height


def _drawn(users: pl.Series, share: float, rng: np.random.Generator) -> pl.Series:
    """Return a share of the distinct users, at least one."""
    known = users.unique().sort()
    return known.gather(rng.permutation(len(known))[: max(1, round(share * len(known)))])
