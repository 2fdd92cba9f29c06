"""The columns of a catalog that a policy's rules read, under names that do not depend on the shop."""

from collections.abc import Iterable

import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.anchor import DAYS_SINCE_CHANGE
from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.conditions import evaluate_condition
from gpu_pricer.policy.pack_sizes import PACK_CEILING, PACK_FLOOR, pack_limits
from gpu_pricer.tables.price_units import in_one_unit
from gpu_pricer.tables.priced_products import PricedProducts, is_cost_assumed
from gpu_pricer.tables.vat import VAT_RATE

LIST_PRICE, COMPETITOR, ANCHOR, FLOOR, CEILING = (
    "rule_list_price",
    "rule_competitor",
    "rule_anchor",
    "rule_floor",
    "rule_ceiling",
)
MONEY_RULES = (LIST_PRICE, COMPETITOR, ANCHOR, FLOOR, CEILING, PACK_FLOOR, PACK_CEILING)
IS_FROZEN, IS_COST_ASSUMED, IS_RESTING = "rule_is_frozen", "rule_is_cost_assumed", "rule_is_resting"
FAMILY = "rule_family"
"""Names of columns: those of MONEY_RULES hold money or null; then come whether today's price stays, whether the cost is
assumed, and whether the price changed too recently; then a family id or null."""

OPTIONAL = ("cost_source", "has_unit_price", VAT_RATE)
"""Columns of PricedProducts that the catalog of a caller may lack."""


def with_rule_columns(catalog: pl.DataFrame, bounds: Bounds) -> pl.DataFrame:
    """Return the catalog's columns that every pricing needs, with the rule columns that the rules in force need.

    A competitor's price in another unit than today's counts as unknown.
    InputError where the catalog lacks a column, or a column of prices holds something else than money.
    """
    money: dict[str, list[str]] = {}
    if bounds.below_list_price:
        money[LIST_PRICE] = ["list_price"]
    if bounds.has_competitor:
        money[COMPETITOR] = bounds.competitor_columns
    if bounds.price_anchor is not None:
        money[ANCHOR] = [bounds.price_anchor.catalog_column]
    for rule, column in ((FLOOR, bounds.floor_column), (CEILING, bounds.ceiling_column)):
        if column is not None:
            money[rule] = [column]
    require_columns(catalog, bounds.columns)
    amounts = {rule: [_money(catalog, name) for name in names] for rule, names in money.items()}
    if bounds.has_competitor:
        known = (pl.when(in_one_unit(theirs, pl.col("price"))).then(theirs) for theirs in amounts[COMPETITOR])
        amounts[COMPETITOR] = list(known)
    rules: list[pl.Expr | pl.Series] = [
        competitor_price(values, bounds).alias(rule) for rule, values in amounts.items()
    ]
    if bounds.min_days_between_changes is not None:
        rules.append(_is_resting(catalog, bounds.min_days_between_changes))
    if bounds.packs is not None:
        rules += pack_limits(catalog, bounds.packs).get_columns()
    if bounds.family_column is not None:
        rules.append(pl.col(bounds.family_column).alias(FAMILY))
    if bounds.min_margin_rate is not None and "cost_source" in catalog.columns:
        rules.append(is_cost_assumed(catalog).alias(IS_COST_ASSUMED))
    rules += [pl.col(name) for name in ("has_unit_price", VAT_RATE) if name in catalog.columns]
    table = catalog.select(*(name for name in PricedProducts.column_names() if name not in OPTIONAL), *rules)
    if bounds.frozen is not None:
        table = table.with_columns(evaluate_condition("bounds.frozen", bounds.frozen, catalog).alias(IS_FROZEN))
    return table


def competitor_price(prices: Iterable[pl.Expr], bounds: Bounds) -> pl.Expr:
    """Return the competitors' price that the rules compare with, the cheapest of `prices` or their mean."""
    return (pl.min_horizontal if bounds.competitor_of == "cheapest" else pl.mean_horizontal)(prices)


def require_columns(catalog: pl.DataFrame, columns: list[str]) -> None:
    """Raise InputError unless the catalog has the columns."""
    missing = [name for name in columns if name not in catalog.columns]
    if missing:
        raise InputError(
            f"the policy needs the columns {', '.join(missing)} of the catalog, found only "
            f"{', '.join(catalog.columns)}: add them to paths.catalog, or mend policy.bounds"
        )


def _is_resting(catalog: pl.DataFrame, days: int) -> pl.Expr:
    """Return whether a product's price changed less than `days` days ago; null counts as long ago."""
    dtype = catalog.schema[DAYS_SINCE_CHANGE]
    if not (dtype.is_numeric() or dtype == pl.Null):
        raise InputError(f"{DAYS_SINCE_CHANGE} must be a number of days, found {dtype}: convert the catalog's column")
    return (pl.col(DAYS_SINCE_CHANGE) < days).fill_null(False).alias(IS_RESTING)


def _money(catalog: pl.DataFrame, name: str) -> pl.Expr:
    """Return the column as Float64; InputError unless every value is null or above 0."""
    dtype = catalog.schema[name]
    if not (dtype.is_numeric() or dtype == pl.Null):
        raise InputError(f"{name} must be an amount of money for the policy's rules, found {dtype}: convert the column")
    amounts = catalog[name].cast(pl.Float64)
    bad = catalog.filter(~(amounts.is_finite() & (amounts > 0)).fill_null(True))
    if bad.height:
        example = bad.select("product_id", name).row(0)
        raise InputError(
            f"{name} must be above 0 or null, found {bad.height} products where it is not, "
            f"the first {example}: mend the catalog"
        )
    return pl.col(name).cast(pl.Float64)
