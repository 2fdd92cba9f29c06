"""Small canonical tables drawn from a multinomial logit whose parameters the test knows."""

import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.tables.periods import Split

SPLIT = Split(history_periods=0, validation_periods=3, test_periods=3)  # the default configuration's


@dataclass(frozen=True)
class Drawn:
    """What the tables were drawn from: appeal [U, P] and sensitivity [P] (per unit of price / reference)."""

    appeal: np.ndarray
    sensitivity: np.ndarray


def write_canonical(
    directory: Path,
    seed: int = 0,
    users: int = 300,
    categories: int = 4,
    size: int = 5,
    periods: int = 20,
    keep_zeros: float = 1.0,
) -> Drawn:
    """Write the tables that `prepare` would; every user visits every period.

    keep_zeros: share of the occasions without purchase that are kept. Product 0's price is always carried forward.
    """
    rng = np.random.default_rng(seed)
    products = categories * size
    category = np.repeat(np.arange(categories), size)
    appeal = rng.normal(-2.0, 0.7, products) + 0.5 * rng.normal(size=(users, 3)) @ rng.normal(size=(3, products))
    sensitivity = rng.uniform(1.5, 3.5, products)
    base = rng.uniform(1, 6, products).round(2)
    days = [date(2024, 1, 1) + timedelta(weeks=w) for w in range(periods)]
    price = (base * np.exp(rng.normal(0, 0.15, (periods, products)))).round(2)
    display = (rng.random((periods, products)) < 0.1).astype(float)
    reference = np.median(price, axis=0)
    choices = []
    for w, day in enumerate(days):
        utility = appeal - sensitivity * (price[w] / reference - 1) + 0.5 * display[w]
        for g in range(categories):
            columns = np.flatnonzero(category == g)
            noisy = np.concatenate([np.zeros((users, 1)), utility[:, columns]], axis=1)
            pick = (noisy + rng.gumbel(size=noisy.shape)).argmax(axis=1)
            choices.append(
                pl.DataFrame({
                    "user_id": np.arange(users), "period": [day] * users, "category_id": [f"c{g}"] * users,
                    "product_id": [None if k == 0 else int(columns[k - 1]) for k in pick],
                }, schema_overrides={"product_id": pl.Int64})
            )  # fmt: skip
    directory.mkdir(parents=True)
    ids = np.arange(products)
    pl.DataFrame({
        "product_id": ids, "category_id": [f"c{g}" for g in category], "price": price[-1], "list_price": base,
        "cost": 0.6 * base, "cost_source": "given", "availability": 1.0, "brand": [f"b{i % 3}" for i in ids],
    }).write_parquet(directory / "products.parquet")  # fmt: skip
    pl.DataFrame({"user_id": np.arange(users), "age": ["old", "young"] * (users // 2)}).write_parquet(
        directory / "users.parquet"
    )
    pl.DataFrame({
        "period": pl.Series(days).gather(np.repeat(np.arange(periods), products)), "product_id": np.tile(ids, periods),
        "category_id": [f"c{g}" for g in np.tile(category, periods)], "price": price.ravel(),
        "list_price": np.tile(base, periods), "price_age": np.tile(np.where(ids == 0, 3, 0), periods),
        "display": display.ravel(), "mailer": 0.0,
    }).write_parquet(directory / "shelf.parquet")  # fmt: skip
    drawn = pl.concat(choices)
    kept = drawn["product_id"].is_not_null() | pl.Series(rng.random(drawn.height) < keep_zeros)
    drawn.filter(kept).with_columns(
        weight=pl.lit(1.0),
        size=pl.lit(1, pl.Int32),
        quantity=pl.when(pl.col("product_id").is_null()).then(0).otherwise(1),
        outside_rate=pl.lit(keep_zeros),
    ).write_parquet(directory / "choices.parquet")
    visits = pl.DataFrame({"user_id": np.arange(users)}).join(pl.DataFrame({"period": days}), how="cross")
    visits.write_parquet(directory / "visits.parquet")
    pl.DataFrame({
        "category_id": [f"c{g}" for g in range(categories)], "choices_per_purchase": 1.0, "units_per_choice": 1.0
    }).write_parquet(directory / "categories.parquet")  # fmt: skip
    (directory / "summary.json").write_text(
        json.dumps(
            {"currency": "USD", "period_days": 7, "outside_option": True, "protected": ["age"], "split": asdict(SPLIT)}
        )
    )
    return Drawn(appeal, sensitivity)
