"""Small canonical tables drawn from a multinomial logit whose parameters the test knows."""

import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from gpu_pricer.tables.periods import Split

GROUPED = 6  # the first period in which groups see prices of their own
SPLIT = Split(history_periods=0, validation_periods=3, test_periods=3)  # the default configuration's


@dataclass(frozen=True)
class Drawn:
    """What the tables were drawn from: appeal [U, P] and sensitivity [P] (per unit of price / reference).

    price [T, U, P]: what each user saw in each period.
    """

    appeal: np.ndarray
    sensitivity: np.ndarray
    price: np.ndarray


def write_canonical(
    directory: Path,
    seed: int = 0,
    users: int = 300,
    categories: int = 4,
    size: int = 5,
    periods: int = 20,
    keep_zeros: float = 1.0,
    groups: int = 0,
) -> Drawn:
    """Write the tables that `prepare` would; every user visits every period.

    keep_zeros: share of the occasions without purchase that are kept. Product 0's price is always carried forward.
    groups: from period GROUPED on, users in turn are at the usual prices and in so many price groups, which see the
    products of all categories but the first at prices of their own, drawn in every period.
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
    is_grouped = np.arange(periods)[:, None] >= (GROUPED if groups else periods)
    group = np.where(is_grouped, np.arange(users) % (groups + 1), 0)
    apart = np.random.default_rng([seed, groups]).normal(0, 0.15, (periods, groups + 1, products))
    apart[:, 0], apart[:, :, category == 0] = 0.0, 0.0
    of_groups = (price[:, None] * np.exp(apart)).round(2)
    drawn = Drawn(appeal, sensitivity, of_groups[np.arange(periods)[:, None], group])
    picked = picked_products(rng, drawn, category, np.median(price, axis=0), display)
    is_kept = (picked >= 0) | (rng.random(picked.size) < keep_zeros).reshape(picked.shape)
    tables = {
        "products": products_table(category, price[-1], base),
        "users": pl.DataFrame({"user_id": np.arange(users), "age": ["old", "young"] * (users // 2)}),
        "shelf": shelf_table(category, days, price, base, display),
        "choices": choices_table(picked, is_kept, days).with_columns(outside_rate=pl.lit(keep_zeros)),
        "visits": pl.DataFrame({"user_id": np.arange(users)})
        .join(pl.DataFrame({"period": days}), how="cross")
        .sort("period", "user_id")
        .with_columns(price_group=pl.Series(group.ravel(), dtype=pl.UInt16)),
        "categories": pl.DataFrame({"category_id": named(np.arange(categories))}).with_columns(
            choices_per_purchase=pl.lit(1.0), units_per_choice=pl.lit(1.0)
        ),
    }
    if groups:
        tables["group_shelf"] = group_shelf_table(days, price, of_groups)
    directory.mkdir(parents=True)
    for name, table in tables.items():
        table.write_parquet(directory / f"{name}.parquet")
    summary = {
        "currency": "USD",
        "period_days": 7,
        "outside_option": True,
        "protected": ["age"],
        "split": asdict(SPLIT),
    }
    (directory / "summary.json").write_text(json.dumps(summary))
    return drawn


def picked_products(
    rng: np.random.Generator, drawn: Drawn, category: np.ndarray, reference: np.ndarray, display: np.ndarray
) -> np.ndarray:
    """Return the product that each user picks, int [T, G, U], -1 for none. category, reference [P]; display [T, P]."""
    users = len(drawn.appeal)
    picked = np.empty((len(display), category[-1] + 1, users), int)
    for w in range(len(display)):
        utility = drawn.appeal - drawn.sensitivity * (drawn.price[w] / reference - 1) + 0.5 * display[w]
        for g in range(category[-1] + 1):
            columns = np.flatnonzero(category == g)
            noisy = np.concatenate([np.zeros((users, 1)), utility[:, columns]], axis=1)
            picked[w, g] = np.concatenate([[-1], columns])[(noisy + rng.gumbel(size=noisy.shape)).argmax(axis=1)]
    return picked


def choices_table(picked: np.ndarray, is_kept: np.ndarray, days: list[date]) -> pl.DataFrame:
    """Return a row per user, category and period that is kept, with what was picked; picked, is_kept [T, G, U]."""
    period, category, user = np.nonzero(is_kept)
    product = picked[is_kept]
    return pl.DataFrame({
        "user_id": user, "period": pl.Series(days).gather(period), "category_id": named(category),
        "product_id": pl.Series(product).replace(-1, None), "weight": 1.0, "size": np.ones(len(user), np.int32),
        "quantity": (product >= 0).astype(np.int32),
    })  # fmt: skip


def products_table(category: np.ndarray, price: np.ndarray, base: np.ndarray) -> pl.DataFrame:
    """Return the catalog: a row per product with its category, price and everyday price, [P] each."""
    ids = np.arange(len(category))
    return pl.DataFrame({
        "product_id": ids, "category_id": named(category), "price": price, "list_price": 2 * base,
        "cost": 0.6 * base, "cost_source": "given", "availability": 1.0, "brand": [f"b{i % 3}" for i in ids],
    })  # fmt: skip


def shelf_table(
    category: np.ndarray, days: list[date], price: np.ndarray, base: np.ndarray, display: np.ndarray
) -> pl.DataFrame:
    """Return a row per period and product: price, display [T, P], base [P]."""
    periods, products = price.shape
    ids = np.arange(products)
    return pl.DataFrame({
        "period": pl.Series(days).gather(np.repeat(np.arange(periods), products)), "product_id": np.tile(ids, periods),
        "category_id": named(np.tile(category, periods)), "price": price.ravel(),
        "list_price": np.tile(2 * base, periods), "price_age": np.tile(np.where(ids == 0, 3, 0), periods),
        "display": display.ravel(), "mailer": 0.0,
    })  # fmt: skip


def group_shelf_table(days: list[date], price: np.ndarray, of_groups: np.ndarray) -> pl.DataFrame:
    """Return the prices of groups [T, 1 + groups, P] from GROUPED on that differ from the usual ones [T, P]."""
    period, group, product = np.nonzero(of_groups != price[:, None])
    later = period >= GROUPED
    period, group, product = period[later], group[later], product[later]
    return pl.DataFrame({
        "period": pl.Series(days).gather(period), "price_group": pl.Series(group, dtype=pl.UInt16),
        "product_id": product, "price": of_groups[period, group, product],
    })  # fmt: skip


def named(category: np.ndarray) -> pl.Series:
    """Return the categories' ids."""
    return pl.Series([f"c{g}" for g in category], dtype=pl.String)
