"""Price families: products of a category, such as sizes and colours, that share one price."""

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.ladder import Ladder
from gpu_pricer.policy.rule_columns import FAMILY
from gpu_pricer.pricing.problem.price_limits import BindingRules, RuleLimits
from gpu_pricer.tables.price_table import BINDINGS

ALONE = -1
LEAVE = tuple(BINDINGS.index(rule) for rule in ("frozen", "override", "no_rung"))
"""Rules that fix a product's price, so that the product leaves its family."""


def shared(
    products: pl.DataFrame, limits: RuleLimits, ladders: list[Ladder], ladder: np.ndarray
) -> tuple[np.ndarray, RuleLimits]:
    """Return the family int32 [P] of each product, ALONE for none, and limits that are the same inside each family.

    products: the matched products (see Matched); ladder int [P]: the row of each product in `ladders`. A family may
    take the prices that every one of its products may take. If no such price is left, the products that are off the
    shelf leave the family. If those on the shelf have no common price, they keep today's prices as single products,
    with the rule no_common_price. In other families today's price may stay, on or off the ladder, only if all products
    have the same one. Where they have different ones, the common price can move a product that may keep its own; the
    rule family is then named at that end. Raises InputError for a family with products of several categories.
    """
    if FAMILY not in products.columns:
        return np.broadcast_to(np.int32(ALONE), products.height), limits
    family = np.full(products.height, ALONE, np.int32)
    _require_one_category(products)
    is_in_family = ~np.isin(limits.rules.inside, LEAVE)
    ends = _rung_ends(limits, ladders, ladder)
    members = _members(products, limits, is_in_family, *ends)
    is_absent = (products["availability"] == 0)[members["row"]]
    is_in_family[members.filter(is_absent & (pl.col("low") > pl.col("high")))["row"]] = False
    members = _members(products, limits, is_in_family, *ends)
    rows, common = members["row"].to_numpy(), members["low"].to_numpy() <= members["high"].to_numpy()
    low, high, may_stay = limits.low.copy(), limits.high.copy(), limits.may_stay.copy()
    rules = BindingRules(*(rule.copy() for rule in limits.rules))
    for name, array in (("low", low), ("high", high), ("may_stay", may_stay)):
        array[rows[common]] = members[name].to_numpy()[common]
    for rule, name in ((rules.at_low, "low_rule"), (rules.at_high, "high_rule")):
        rule[rows[common]] = members[name].to_numpy()[common]
    for rule, is_against in ((rules.at_low, low > limits.today), (rules.at_high, high < limits.today)):
        moved = limits.may_stay[rows] & is_against[rows] & members["has_other_today"].to_numpy() & common
        rule[rows[moved]] = BINDINGS.index("family")
    apart = rows[~common]
    low[apart] = high[apart] = limits.today[apart]
    rules.set_all(apart, "no_common_price")
    family[rows[common]] = members["family"].to_numpy()[common]
    return family, RuleLimits(limits.today, low, high, rules, may_stay)


def _rung_ends(limits: RuleLimits, ladders: list[Ladder], ladder: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest rung [P] that each product may take; low > high where it may take none."""
    low, high = limits.low.astype(np.int64), limits.high.astype(np.int64)
    for number, steps in enumerate(ladders):
        mine = ladder == number
        low[mine], high[mine] = steps.at_or_above(low[mine]), steps.at_or_below(high[mine])
    return low, high


def _members(
    products: pl.DataFrame, limits: RuleLimits, is_in_family: np.ndarray, rung_low: np.ndarray, rung_high: np.ndarray
) -> pl.DataFrame:
    """Return the products of families of at least two: row, family, and the family's limits with their rules.

    rung_low, rung_high [P]: see _rung_ends. has_other_today: whether today's prices differ within the family.
    """
    has_one_today = pl.col("today").n_unique().over("key") == 1
    table = pl.DataFrame(
        {
            "row": np.arange(products.height),
            "key": products[FAMILY],
            "low": limits.low,
            "high": limits.high,
            "low_rule": limits.rules.at_low,
            "high_rule": limits.rules.at_high,
            "may_stay": limits.may_stay,
            "today": limits.today,
            "rung_low": rung_low,
            "rung_high": rung_high,
        }
    ).filter(pl.Series(is_in_family) & products[FAMILY].is_not_null())
    table = table.with_columns(
        low=pl.when(has_one_today).then("low").otherwise("rung_low"),
        high=pl.when(has_one_today).then("high").otherwise("rung_high"),
    )
    whole = table.group_by("key").agg(
        pl.len().alias("size"),
        pl.col("row").min().cast(pl.Int32).alias("family"),
        pl.col("low").max(),
        pl.col("high").min(),
        pl.col("low_rule").get(pl.col("low").arg_max()),
        pl.col("high_rule").get(pl.col("high").arg_min()),
        pl.col("may_stay").all() & (pl.col("today").n_unique() == 1),
        has_other_today=pl.col("today").n_unique() > 1,
    )
    return table.select("row", "key").join(whole.filter(pl.col("size") > 1), on="key").sort("row")


def _require_one_category(products: pl.DataFrame) -> None:
    mixed = (
        products.drop_nulls(FAMILY)
        .group_by(FAMILY)
        .agg(pl.col("category_id").n_unique().alias("categories"))
        .filter(pl.col("categories") > 1)
    )
    if mixed.height:
        raise InputError(
            f"a price family must lie inside one category, found {mixed.height} that do not, "
            f"the first {mixed[FAMILY].sort()[0]!r}: mend bounds.family_column or the categories"
        )
