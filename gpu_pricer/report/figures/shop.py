"""What the shop's tables say of each product on the shelf: its stock, the days it lasts, and what a competitor asks."""

import polars as pl

from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.rule_columns import competitor_price

STOCK, COMPETITOR = "stock", "competitor"


def shop_columns(policy: Policy) -> list[str]:
    """Return the columns of a catalog that say how much there is of a product and what competitors ask for it."""
    return [*stock_columns(policy), *policy.bounds.competitor_columns]


def stock_columns(policy: Policy) -> list[str]:
    """Return the columns that limit the units of each product; without such limits the column that would."""
    limits = [str(limit.at_most) for limit in policy.active_constraints.values() if limit.per is not None]
    return list(dict.fromkeys(limits)) or [STOCK]


def with_shop_figures(rows: pl.DataFrame, shop: pl.DataFrame, policy: Policy, period_days: int) -> pl.DataFrame:
    """Return product_figures with what the shop says, null where it says nothing.

    stock: the units that can be sold in a period. cover, cover_today: the days that these last at the new and at
    today's prices. competitor: the competitors' price that the policy compares with, the cheapest or their mean.

    shop: product_id and those of shop_columns that there are.
    """
    stock = [name for name in stock_columns(policy) if name in shop.columns]
    competitors = [name for name in policy.bounds.competitor_columns if name in shop.columns]
    nothing = pl.lit(None, pl.Float64)
    found = shop.select(
        "product_id",
        (pl.min_horizontal(stock) if stock else nothing).alias(STOCK),
        (competitor_price(map(pl.col, competitors), policy.bounds) if competitors else nothing).alias(COMPETITOR),
    )
    return rows.join(found, on="product_id", how="left", maintain_order="left").with_columns(
        cover=_days(pl.col("units"), period_days), cover_today=_days(pl.col("units_today"), period_days)
    )


def _days(units: pl.Expr, period_days: int) -> pl.Expr:
    """Return how many days the stock lasts at so many units a period; null without sales."""
    return pl.when(units > 0).then(period_days * pl.col(STOCK) / units)
