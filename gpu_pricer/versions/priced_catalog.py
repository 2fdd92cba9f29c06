"""The catalog as a policy reads it, with what the rules that count days need of the history of prices."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy import Policy
from gpu_pricer.policy.anchor import ANCHOR_PRICE, DAYS_SINCE_CHANGE
from gpu_pricer.policy.bounds import Bounds
from gpu_pricer.policy.conditions import evaluate_condition
from gpu_pricer.policy.pack_sizes import PackSizes, packs_in_disorder
from gpu_pricer.policy.rule_columns import require_columns
from gpu_pricer.tables.canonical import read_summary
from gpu_pricer.tables.checking import FEW
from gpu_pricer.tables.delta_log import current_run
from gpu_pricer.tables.price_table import CENTS
from gpu_pricer.tables.price_units import FAR, in_one_unit
from gpu_pricer.tables.priced_products import read_catalog
from gpu_pricer.tables.published.price_copy import bring_version
from gpu_pricer.tables.version.price_grid import read_grid
from gpu_pricer.tables.version.price_history import (
    EarlierPrices,
    anchor_prices,
    continued_history,
    days_since_change,
    earlier_prices,
)

log = logging.getLogger(__name__)


class ShardPart(NamedTuple):
    """What one shard is of all that a version prices, for a process that reads its products alone.

    artefact, catalog: fingerprints of the whole ones; unpriced: the products without a price of the whole catalog;
    first_category: the number of categories before the shard; categories: the ids of its first and of its last
    category, in the order of text; demand_rows: the artefact's rows that it needs, from the first to one before the
    last.
    """

    artefact: str
    catalog: str
    unpriced: int
    first_category: int
    categories: tuple[str, str]
    demand_rows: tuple[int, int]


class PricedCatalog(NamedTuple):
    """The catalog to price, the day on which its prices are set, and their history up to that day.

    day: None for today. history: None if no rule counts days. part: set if the catalog has the products of one
    shard alone.
    """

    catalog: pl.DataFrame
    day: date | None = None
    history: pl.DataFrame | None = None
    part: ShardPart | None = None


def read_priced_catalog(
    path: Path, policy: Policy, prices: Path, day: date, where: pl.Expr | None = None, columns: Sequence[str] = ()
) -> PricedCatalog:
    """Return the catalog with the columns that the policy's rules and constraints read, and further `columns`.

    prices: the published table, whose history the rules that count days continue. where: see read_catalog.
    """
    for name, rate in policy.bounds.steep_increases.items():
        log.warning("policy.bounds.%s=%g lets a price rise by %.0f %%; 0.3 is 30 %%", name, rate, 100 * rate)
    catalog = read_catalog(path, [*policy.columns, *columns], where)
    earlier = None if policy.bounds.days_needed is None else _published_prices(prices)
    return continued_catalog(catalog, policy, earlier, day)


def _published_prices(prices: Path) -> EarlierPrices | None:
    """Return the prices up to the published version, None if nothing is published."""
    run = current_run(prices)
    return None if run is None else earlier_prices(bring_version(prices, run))


def warn_of_idle_rules(catalog: pl.DataFrame, bounds: Bounds) -> None:
    """Log each rule of a policy that chooses products by the catalog and finds none in it.

    InputError where the catalog lacks a column that a rule reads.
    """
    require_columns(catalog, bounds.columns)
    if bounds.frozen is not None and not evaluate_condition("bounds.frozen", bounds.frozen, catalog).any():
        log.warning("policy.bounds.frozen=%r freezes nothing: it holds for no product of the catalog", bounds.frozen)
    columns = {"floor_column": bounds.floor_column, "ceiling_column": bounds.ceiling_column}
    if bounds.price_anchor is not None:
        columns["anchor.column"] = bounds.price_anchor.column
    named = {name: [column] for name, column in columns.items() if column is not None}
    if bounds.has_competitor:
        named["competitor_columns"] = bounds.competitor_columns
        _tell_far_competitors(catalog, bounds)
    if bounds.below_list_price:
        named["below_list_price"] = ["list_price"]
    for name, rule in named.items():
        if all(catalog[column].null_count() == catalog.height for column in rule):
            told = ", ".join(rule)
            log.warning("policy.bounds.%s limits no price: %s is null for every product of the catalog", name, told)
    if bounds.packs is not None:
        _tell_packs(catalog, bounds.packs)
    family = bounds.family_column
    members = catalog.select("category_id", family=family).drop_nulls("family") if family is not None else None
    if members is not None and not members.is_duplicated().any():
        log.warning("policy.bounds.family_column=%s joins no prices: no two products of a category share one", family)


def _tell_packs(catalog: pl.DataFrame, packs: PackSizes) -> None:
    """Warn where no two packs of a line differ in size, and where today's prices break the order of sizes."""
    sizes, broken = packs_in_disorder(catalog, packs)
    if not sizes:
        log.warning(
            "policy.bounds.pack_sizes limits no price: no two products of a category with the same %s differ in %s",
            packs.line, packs.size,
        )  # fmt: skip
    elif broken:
        log.warning(
            "policy.bounds.pack_sizes: for %s of %s packs with a smaller one today's prices break the order, and new "
            "ones may break it too, though by no more; look whether %s is in one unit within each %s; where it is, set "
            "one of the two prices with policy.overrides",
            f"{broken:,}", f"{sizes:,}", packs.size, packs.line,
        )  # fmt: skip


def _tell_far_competitors(catalog: pl.DataFrame, bounds: Bounds) -> None:
    """Raise InputError if most of a competitor's prices are far from today's; warn of those that are if few are."""
    for column in (name for name in bounds.competitor_columns if catalog.schema[name].is_numeric()):
        known = catalog.select("product_id", "price", theirs=pl.col(column).cast(pl.Float64)).drop_nulls()
        known = known.filter(pl.col("theirs").is_finite() & (pl.col("theirs") > 0))  # rule_columns refuses others
        far = known.filter(~in_one_unit(pl.col("theirs"), pl.col("price")))
        if far.is_empty():
            continue
        product, price, theirs = far.row(0)
        found = (
            f"{far.height:,} of {known.height:,} products with a {column} more than {FAR:g} times above or below "
            f"today's price, the first {product} at {theirs:,.2f} beside {price:,.2f}"
        )
        if far.height > max(known.height / 2, FEW):
            raise InputError(
                f"competitors' prices must be in the unit of today's prices, found {found}: state both in one currency "
                "unit, for one unit of sale"
            )
        log.warning("%s: they count as unknown; mend them", found)


def warn_of_segment_prices(catalog: Path, prices: Path) -> None:
    """Log what a prepared catalog and its log do not say while the published prices are personalised.

    Where sales tell today's prices, most shoppers pay others. Where the log names no price group, users count as seeing
    prices that they did not see. One file of the published version is looked at.
    """
    summary = read_summary(catalog.parent) or {}
    count, is_silent = summary.get("products_priced_by_sales", 0), summary.get("price_groups") == []
    run = current_run(prices) if count or is_silent else None
    files = [] if run is None else sorted((prices / run).glob("*.parquet"))
    if not files:
        return
    grid = read_grid(files[0])
    low, high = grid.price.min(axis=1), grid.price.max(axis=1)
    several = np.flatnonzero(low < high)
    if not len(several):
        return
    first = several[0]
    if count:
        log.warning(
            "today's price of %s products is the most frequent in the sales of their last period, found several prices "
            "for a product in %s, such as %s from %.2f to %.2f: state one in the column price of products",
            f"{count:,}", run, grid.product_id[int(first)], low[first] / CENTS, high[first] / CENTS,
        )  # fmt: skip
    if is_silent:
        log.warning(
            "prices of %s differ between segments, and no line of the log says whose price it was at: where shoppers "
            "pay these prices, bring the column price_group and the table group_prices (gpu-pricer history), or demand "
            "is learned from prices that they did not see",
            run,
        )


def continued_catalog(catalog: pl.DataFrame, policy: Policy, earlier: EarlierPrices | None, day: date) -> PricedCatalog:
    """Return a catalog that was read, with what the rules that count days need of it and of the history before."""
    days = policy.bounds.days_needed
    if days is None:
        return PricedCatalog(catalog, day)
    history = continued_history(earlier, catalog, day, days)
    first = history.join(catalog.select("product_id"), on="product_id", how="semi").group_by("product_id").min()
    short = first.filter(pl.col("since") > day - timedelta(days)).height
    if short:
        log.info(
            "the history of prices begins less than %d days before %s for %s of %s products: their first known price "
            "counts", days, day, f"{short:,}", f"{first.height:,}",
        )  # fmt: skip
    return PricedCatalog(with_history_columns(catalog, policy, history, day), day, history)


def columns_of_history(catalog: pl.DataFrame, policy: Policy, history: pl.DataFrame, day: date) -> list[str]:
    """Return the columns that with_history_columns added to a catalog, none of those that the catalog brought.

    history, day: those that the catalog was priced with.
    """
    bare = catalog.drop(ANCHOR_PRICE, DAYS_SINCE_CHANGE, strict=False)
    made = with_history_columns(bare, policy, history, day)
    return [name for name in made.columns if name not in bare.columns and made[name].equals(catalog[name])]


def with_history_columns(catalog: pl.DataFrame, policy: Policy, history: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return the catalog with the columns that rules read from the history; columns that the catalog brings stay."""
    anchor, missing = policy.bounds.price_anchor, [n for n in policy.bounds.columns if n not in catalog.columns]
    if ANCHOR_PRICE in missing and anchor is not None and anchor.days is not None:
        found = anchor_prices(history, day - timedelta(anchor.days)).rename({"price": ANCHOR_PRICE})
        catalog = catalog.join(found, on="product_id", how="left", maintain_order="left")
    if DAYS_SINCE_CHANGE in missing:
        found = days_since_change(history, day).rename({"days": DAYS_SINCE_CHANGE})
        catalog = catalog.join(found, on="product_id", how="left", maintain_order="left")
    return catalog
