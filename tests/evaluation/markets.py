"""Small synthetic markets for tests, and policies to price them under."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.data.sources.synthetic import (
    Assortment,
    Baskets,
    DrawnMarket,
    Manager,
    People,
    PriceGroups,
    Synthetic,
    Tastes,
)
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.policy import Policy
from tests.markets import a_policy

START = date(2025, 1, 6)


def small_source(truth: Path | str = "unused", seed: int = 0) -> Synthetic:
    return Synthetic(
        seed=seed,
        start=START.isoformat(),
        weeks=12,
        currency="USD",
        truth=str(truth),
        people=People(users=300, types=3, visit_rate=[0.5, 0.9]),
        assortment=Assortment(
            categories=5,
            products=30,
            margin=[0.36, 0.48],
            margin_spread=0.08,
            part_time=0.2,
            gap_rate=0.05,
            new_rate=0.0,
        ),
        tastes=Tastes(
            buying_rate=[0.1, 0.3],
            dissimilarity=[1.0, 1.0],
            sensitivity=3.0,
            sensitivity_spread=0.4,
            taste_spread=0.4,
            season=0.25,
            display=0.25,
            mailer=0.12,
            shock=0.5,
            shared_shock=0.5,
        ),
        manager=Manager(
            promotion_rate=0.1,
            promotion_depth=[0.1, 0.35],
            move_rate=0.04,
            move_size=0.06,
            display_rate=[0.03, 0.5],
            confounding=0.2,
            cost_spread=0.0,
            pass_through=1.0,
        ),
        groups=PriceGroups(count=0, formed_by="type", first_week=6, spread=0.07, wobble=0.03, renewal=0.2),
        baskets=Baskets(second_choice=0.15, extra_units=[0.05, 0.5], quantity_sensitivity=0.0),
    )


def with_confounding(source: Synthetic, strength: float) -> Synthetic:
    return replace(source, manager=replace(source.manager, confounding=strength))


def policy(endings: list[float] | None = None) -> Policy:
    return a_policy(ladder=None if endings is None else Ladder(endings=endings, prices=None))


def weekly_log(drawn: DrawnMarket) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return shelf and choices as `prepare` would write them if it saw every price and every user in every week."""
    history, products = drawn.history, drawn.truth.products
    week, product = np.nonzero(history.on_shelf[:-1])
    shelf = pl.DataFrame(
        {
            "period": np.datetime64(START, "D") + 7 * week,
            "category_id": products["category_id"].gather(product),
            "product_id": products["product_id"].gather(product),
            "price": history.price[week, product] / 100,
            "price_age": np.zeros(len(week), np.int64),
            "display": history.display[week, product].astype(np.float64),
            "mailer": history.mailer[week, product].astype(np.float64),
            "cost": history.cost[week, product] / 100,
        }
    )
    bought = (
        drawn.tables["transactions"]
        .join(products.select("product_id", "category_id"), on="product_id")
        .select(
            "user_id",
            pl.col("time").dt.truncate("1w").alias("period"),
            "category_id",
            "product_id",
            weight=1.0 / pl.len().over("user_id", pl.col("time").dt.truncate("1w"), "category_id"),
            quantity=pl.col("quantity").cast(pl.Float64),
        )
    )
    key = ["user_id", "period", "category_id"]
    users = drawn.truth.user_segments.select("user_id")
    every = users.join(shelf.select("period", "category_id").unique(), how="cross")
    nothing = every.join(bought, on=key, how="anti").with_columns(weight=pl.lit(1.0), quantity=pl.lit(0.0))
    choices = pl.concat([bought, nothing], how="diagonal").with_columns(outside_rate=pl.lit(1.0))
    return shelf, choices
