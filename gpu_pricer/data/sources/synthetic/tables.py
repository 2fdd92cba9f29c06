"""The drawn market as raw tables that follow the input contract."""

from datetime import date

import numpy as np
import polars as pl

from gpu_pricer.data.sources.synthetic.history import MarketHistory
from gpu_pricer.data.sources.synthetic.market import SyntheticMarket
from gpu_pricer.data.sources.synthetic.price_groups import GroupHistory
from gpu_pricer.data.sources.synthetic.sales import DAYS, Sales

FIRST_PRODUCT, FIRST_USER = 100_001, 500_001
TIERS = np.array(["value", "standard", "premium"])
AGES = np.array(["18-34", "35-49", "50-64", "65+"])
DEPARTMENTS = np.array(["GROCERY", "DAIRY", "HOUSEHOLD", "DRINKS"])


def product_ids(market: SyntheticMarket, rng: np.random.Generator) -> np.ndarray:
    """Return product ids [P] in an order that tells nothing about the category."""
    return FIRST_PRODUCT + rng.permutation(len(market.category))


def user_ids(market: SyntheticMarket) -> np.ndarray:
    """Return user ids [U]."""
    return FIRST_USER + np.arange(len(market.user_type))


def category_ids(market: SyntheticMarket) -> np.ndarray:
    """Return the category id of each product [P]."""
    return np.array([f"C{category:03d}" for category in range(len(market.category_start) - 1)])[market.category]


def transactions_table(
    market: SyntheticMarket,
    history: MarketHistory,
    groups: GroupHistory,
    sales: Sales,
    ids: np.ndarray,
    start: date,
) -> pl.DataFrame:
    """Return one line per user, product and visit, at the product's price of the week in currency.

    ids [P]: the product ids. start: the first day of the log. With several groups there is the column price_group.
    """
    day, group = DAYS * sales.week + sales.day, groups.of_user[sales.user]
    lines = pl.DataFrame(
        {
            "user_id": user_ids(market)[sales.user],
            "product_id": ids[sales.product],
            "time": _dates(start, day),
            "quantity": sales.quantity,
            "price": groups.price[sales.week, group, sales.product] / 100,
            "list_price": history.list_price[sales.week, sales.product] / 100,
        }
    )
    if groups.price.shape[1] > 1:
        is_own = pl.Series(sales.week >= groups.first_week)
        lines = lines.with_columns(price_group=pl.when(is_own).then(pl.Series(group)))
    return lines.sort("time", "user_id", "product_id")


def group_prices_table(groups: GroupHistory, ids: np.ndarray, start: date) -> pl.DataFrame:
    """Return every price of every group, from the first week in which it has its own; ids [P]: the product ids."""
    weeks, count, products = groups.price.shape
    week, group, product = np.indices((weeks - groups.first_week, count, products)).reshape(3, -1)
    week += groups.first_week
    return pl.DataFrame(
        {
            "price_group": group,
            "product_id": ids[product],
            "time": _dates(start, DAYS * week),
            "price": groups.price[week, group, product] / 100,
        }
    )


def products_table(market: SyntheticMarket, history: MarketHistory, ids: np.ndarray) -> pl.DataFrame:
    """Return the products on the day of pricing, sorted by id; ids [P]: the product ids.

    Today's price and cost are the last week's regular price and cost, in currency.
    """
    return pl.DataFrame(
        {
            "product_id": ids,
            "category_id": category_ids(market),
            "department": DEPARTMENTS[market.category % len(DEPARTMENTS)],
            "price": history.list_price[-1] / 100,
            "list_price": history.list_price[-1] / 100,
            "cost": history.cost[-1] / 100,
            "availability": history.on_shelf[-1].astype(np.float64),
            "brand_tier": TIERS[market.traits[:, 0].astype(np.int64) + 1],
            "quality": np.round(market.traits[:, 1], 3),
            "size": np.round(market.traits[:, 2], 3),
        }
    ).sort("product_id")


def users_table(market: SyntheticMarket, rng: np.random.Generator) -> pl.DataFrame:
    """Return user attributes: income and household size depend on the type, the age band a little."""
    kind, count = market.user_type, len(market.user_type)
    household = rng.normal(0.0, 1.0, len(market.sensitivity_rank))[kind]
    age = -0.4 * market.sensitivity_rank[kind] + rng.standard_normal(count)
    return pl.DataFrame(
        {
            "user_id": user_ids(market),
            "income": np.round(50.0 * np.exp(-0.35 * market.sensitivity_rank[kind] + rng.normal(0.0, 0.3, count)), 1),
            "household_size": np.clip(np.rint(2.5 + household + rng.normal(0.0, 0.5, count)), 1, 6).astype(np.int64),
            "age_band": AGES[np.digitize(age, [-0.7, 0.0, 0.7])],
        }
    )


def context_table(history: MarketHistory, ids: np.ndarray, start: date) -> pl.DataFrame:
    """Return display, mailer and cost (in currency) of every product-week on the shelf.

    ids [P]: the product ids. start: the first day of the log.
    """
    week, product = np.nonzero(history.on_shelf[:-1])
    return pl.DataFrame(
        {
            "product_id": ids[product],
            "time": _dates(start, DAYS * week),
            "display": history.display[week, product].astype(np.float64),
            "mailer": history.mailer[week, product].astype(np.float64),
            "cost": history.cost[week, product] / 100,
        }
    ).sort("time", "product_id")


def _dates(start: date, day: np.ndarray) -> np.ndarray:
    return np.datetime64(start, "D") + day
