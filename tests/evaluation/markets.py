"""Small synthetic markets for tests, and policies to price them under."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.data.synthetic import (
    Assortment,
    Baskets,
    DrawnMarket,
    Manager,
    People,
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
        baskets=Baskets(second_choice=0.15, extra_units=[0.05, 0.5]),
    )


def with_confounding(source: Synthetic, strength: float) -> Synthetic:
    return replace(source, manager=replace(source.manager, confounding=strength))


def policy(endings: list[float] | None = None) -> Policy:
    return a_policy(ladder=None if endings is None else Ladder(endings=endings, prices=None))


def weekly_log(drawn: DrawnMarket) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Shelf and choices as `prepare` would write them, had it seen every price."""
    history, products = drawn.history, drawn.truth.products
    week, product = np.nonzero(history.on_shelf[:-1])
    shelf = pl.DataFrame(
        {
            "period": np.datetime64(START, "D") + 7 * week,
            "category_id": products["category_id"].gather(product),
            "product_id": products["product_id"].gather(product),
            "price": history.price[week, product] / 100,
        }
    )
    choices = drawn.tables["transactions"].select(
        pl.col("time").dt.truncate("1w").alias("period"), "product_id", pl.col("quantity").cast(pl.Float64)
    )
    return shelf, choices
