"""The preparation: valid inputs become the canonical tables."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl

from gpu_pricer.data.assortment import AssortmentRule, best_sellers, sales_in_categories
from gpu_pricer.data.catalog import CatalogRule, build_catalog, charges_list_prices
from gpu_pricer.data.categories import CategoryRule
from gpu_pricer.data.choices.begun import begun_tables
from gpu_pricer.data.choices.choices import ChoiceRule, category_rates, total_sums
from gpu_pricer.data.choices.logged_choices import ChoicesByPeriod, logged_choices
from gpu_pricer.data.choices.period_log import PeriodLog, period_log
from gpu_pricer.data.closed_days import last_covered_day
from gpu_pricer.data.completeness import (
    CompletenessRule,
    doubts_of_begun,
    doubts_of_earlier,
    doubts_of_end,
    require_complete,
)
from gpu_pricer.data.daily_sales import daily_sales, daily_shoppers
from gpu_pricer.data.raw.inputs import Inputs
from gpu_pricer.data.raw.logged_list_prices import warn_of_unlike_list_prices, with_regular_prices
from gpu_pricer.data.raw.short_ids import with_ids_as_given
from gpu_pricer.data.shelf.price_changes import day_pairs, doubts_of_changes
from gpu_pricer.data.shelf.price_groups import (
    common_deals,
    group_names,
    group_shelf,
    lines_of_groups,
    warn_of_other_prices,
    warn_of_unread_groups,
    with_group_numbers,
)
from gpu_pricer.data.shelf.shelf import (
    KEY,
    ShelfRule,
    imputed_shelf,
    modal_prices,
    offered_shelf,
    period_context,
    with_context,
)
from gpu_pricer.data.shelf.still_sold import StillSold
from gpu_pricer.data.shelf.unit_prices import UnitPriceRule, price_pairs, with_constant_prices, with_unit_prices
from gpu_pricer.data.shelf_warnings import empty_shelf, tell_always_bought, tell_gaps, tell_off_shelf
from gpu_pricer.data.summary import summary_of
from gpu_pricer.errors import InputError
from gpu_pricer.tables.canonical import SCHEMAS
from gpu_pricer.tables.checking import check
from gpu_pricer.tables.periods import BLOCK, Calendar, Period, Split, period_blocks
from gpu_pricer.tables.reading import conform
from gpu_pricer.tables.schemas import Offers, Shelf, category_key, has_unit_price

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preparation:
    """The rules by which valid inputs become canonical tables; `split` says which periods are trained on."""

    period: Period
    split: Split
    assortment: AssortmentRule
    shelf: ShelfRule
    catalog: CatalogRule
    categories: CategoryRule
    choices: ChoiceRule
    unit_prices: UnitPriceRule
    completeness: CompletenessRule


@dataclass(frozen=True)
class Canonical:
    """The canonical tables by name, and the content of summary.json.

    tables: all but the choices, whose ids of text may be short ids. choices: parts of them, one after the other.
    """

    tables: dict[str, pl.DataFrame]
    choices: ChoicesByPeriod
    summary: dict[str, Any]

    def parts(self, name: str) -> Iterator[pl.DataFrame]:
        """Yield the parts of a table, checked, with ids as they were given."""
        for part in _joined(self.choices.parts()) if name == "choices" else [self.tables[name]]:
            table = with_ids_as_given(part)
            conformed = conform(table.lazy(), SCHEMAS[name], name, keep_others=True).collect()
            broken = check(conformed, SCHEMAS[name]).broken
            assert not broken, f"canonical {name} breaks {broken}"
            yield table


def canonical_tables(inputs: Inputs, rules: Preparation, seed: int, day: date) -> Canonical:
    """Return the canonical tables, equal for equal inputs; raise InputError if the sales leave too little to learn.

    Doubts about the log are logged as warnings, and stand in summary.json for whoever looks at the prices.
    seed: of the sample of occasions without purchase. day: of the preparation.
    """
    warn_of_unread_groups(inputs.tables.get("transactions"), inputs.tables.get("offers"))
    names = group_names(inputs.sales, inputs.tables.get("group_prices"))
    sales, is_offers = with_group_numbers(_sales(inputs, rules), names), "offers" in inputs.tables
    days = sales["time"].dt.date().unique().to_list()
    calendar = rules.period.calendar(min(days), last_covered_day(days, rules.period))
    periods = calendar.whole
    training = periods[: rules.split.training_periods(len(periods))]
    offered, modal, doubts = _offered(sales, training, inputs, rules)
    if charges_list_prices(offered, modal, calendar.recent(1)):
        offered = _at_list_prices(offered)
        inputs = replace(inputs, tables=inputs.tables | {"products": _at_list_prices(inputs.tables["products"])})
    warn_of_unlike_list_prices(sales)
    doubts = [*inputs.doubts, *doubts]
    modal, shelf_rule = with_regular_prices(modal, sales), _shelf_rule(inputs, rules)
    still = StillSold.of(offered, modal, calendar, rules.period, is_stated=is_offers)
    shown, offers = (
        find(modal, calendar.all, rules.period, shelf_rule, None if is_offers else still)
        for find in (imputed_shelf, offered_shelf)
    )
    if shown.filter(pl.col("period") == periods[-1]).is_empty():
        raise InputError(empty_shelf(sales, periods[-1]))
    prices = offers.filter(pl.col("period") <= periods[-1])
    log.info("%s products were on a shelf of %s whole periods", f"{prices['product_id'].n_unique():,}", len(periods))
    products = build_catalog(offered, modal, shown, still, calendar, rules.catalog, rules.categories)
    categories = _categories(products)
    shelf = _shelf(prices, categories, inputs, rules.period)
    whole = period_log(sales, _own(shelf), categories, periods, is_offers)
    tell_gaps(whole)
    doubts += _doubts_of_periods(whole, sales, calendar, rules, day)
    for doubt in doubts:
        log.warning("%s", doubt)
    choices = logged_choices(whole, rules.choices, seed)
    if not choices.bought:
        raise InputError(
            "some sales must be of products on the shelf, found none: bring more sales, "
            "or lower data.shelf.min_lines and raise data.shelf.carry_periods"
        )
    log.info("%s choices in %s categories", f"{choices.height:,}", f"{shelf['category_id'].n_unique():,}")
    tell_always_bought(choices)
    begun = {}
    if calendar.begun is not None:
        now = _shelf(offers.filter(pl.col("period") == calendar.begun), categories, inputs, rules.period)
        own = period_log(sales, _own(now), categories, [calendar.begun], is_offers)
        begun = begun_tables(whole, own, now, round(calendar.share * rules.period.days), rules.choices, seed)
    sums = total_sums([choices.sums[period] for period in training])
    blocks = period_blocks(sales)
    tables = {
        "products": products,
        "users": _users(inputs),
        "shelf": shelf,
        "visits": choices.visits,
        "sales": pl.concat([daily_sales(part) for part in blocks]),
        "shoppers": pl.concat([daily_shoppers(part) for part in blocks]),
        "categories": category_rates(sums, categories["category_id"], rules.choices.shrinkage),
    } | begun
    if names:
        came = pl.concat([tables[name] for name in ("visits", "begun_visits") if name in tables])
        priced = offers.join(
            offered.filter(has_unit_price(offered)), on="product_id", how="semi", maintain_order="left"
        )
        told = with_group_numbers(inputs.tables["group_prices"], names)
        tables["group_shelf"] = _group_shelf(sales, priced, came, told, rules.period)
    summary = summary_of(
        tables, choices, inputs, sales, calendar, rules.period, rules.split, rules.choices.outside_option
    ) | {"price_groups": names, "doubts": doubts}
    tell_off_shelf(summary["purchases"], summary["purchases_on_shelf"])
    return Canonical(tables, choices, summary)


def _doubts_of_periods(
    whole: PeriodLog, sales: pl.DataFrame, calendar: Calendar, rules: Preparation, day: date
) -> list[str]:
    """Return the doubts about periods that lack lines; raise InputError where too many lines are missing.

    sales: with their period, also of the one that has begun. day: of the preparation.
    """
    doubts = []
    if rules.choices.outside_option:
        doubts += require_complete(whole.lines, rules.completeness)
        doubts += doubts_of_earlier(whole.lines, rules.completeness)
    if calendar.begun is not None:
        passed = round(calendar.share * rules.period.days)
        if rules.choices.outside_option:
            begun = sales.filter(pl.col("period") == calendar.begun)
            doubts += doubts_of_begun(whole.lines, begun, calendar.begun, day, rules.completeness)
        doubts += doubts_of_end(calendar.begun, passed, rules.period.days, day)
    return doubts


def _group_shelf(
    sales: pl.DataFrame, shelf: pl.DataFrame, visits: pl.DataFrame, told: pl.DataFrame, period: Period
) -> pl.DataFrame:
    """Return the canonical group_shelf, and say how the lines agree with it; as group_shelf of price_groups."""
    paid = lines_of_groups(sales, shelf, told, period)
    deals = common_deals(paid)
    warn_of_other_prices(paid, told, deals, period)
    found = group_shelf(shelf, visits, told, deals, period)
    log.info(
        "%s prices of price groups differ from the shelf's; lines show %s deals on top of these",
        f"{found.height:,}", f"{deals.height:,}",
    )  # fmt: skip
    return found


def _joined(parts: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield the same rows in fewer parts: one ends with the first given part that brings it to BLOCK rows."""
    waiting: list[pl.DataFrame] = []
    rows = 0
    for part in parts:
        waiting.append(part)
        rows += part.height
        if rows >= BLOCK:
            yield pl.concat(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pl.concat(waiting)


def _offered(
    sales: pl.DataFrame, training: list[date], inputs: Inputs, rules: Preparation
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Return the kept products, with has_unit_price, the modal prices of their lines, and doubts about these."""
    offered = best_sellers(sales, inputs.tables["products"], training, rules.assortment)
    rule, modal, pairs, days = _unit_price_rule(inputs, rules), [], [], []
    for part in period_blocks(sales):
        lines = part.join(offered, on="product_id", how="semi", maintain_order="left")
        modal.append(modal_prices(lines))
        pairs.append(price_pairs(lines, rule.tolerance))
        days.append(day_pairs(lines))
    offered = with_unit_prices(offered, pl.concat(pairs), rule)
    priced = offered.filter(has_unit_price(offered))
    doubts = doubts_of_changes(pl.concat(days).join(priced, on="product_id", how="semi", maintain_order="left"))
    return offered, with_constant_prices(pl.concat(modal).sort(KEY), offered), doubts


def _at_list_prices(products: pl.DataFrame) -> pl.DataFrame:
    """Return the products with the list price as the price of those that state none."""
    return products.with_columns(price=pl.coalesce("price", "list_price"))


def _unit_price_rule(inputs: Inputs, rules: Preparation) -> UnitPriceRule:
    """Return the rule; what an offers table shows are unit prices, also where shoppers see different ones."""
    return replace(rules.unit_prices, min_agreement=0) if "offers" in inputs.tables else rules.unit_prices


def _sales(inputs: Inputs, rules: Preparation) -> pl.DataFrame:
    """Return the sales of the configured categories with their period; raise InputError if there are none."""
    own = [name for name in Offers.column_names() if name in inputs.sales.columns]
    sales = inputs.sales.select(own).with_columns(rules.period.start(pl.col("time")).alias("period"))
    sales = sales_in_categories(sales, inputs.tables["products"], rules.assortment)
    if sales.is_empty():
        raise InputError("some sales must be of data.assortment.categories, found none: mend these")
    return sales


def _shelf_rule(inputs: Inputs, rules: Preparation) -> ShelfRule:
    """Return the rule of the shelf; with an offers table one offer reveals a price and no price is carried over."""
    return replace(rules.shelf, min_lines=1, carry_periods=0) if "offers" in inputs.tables else rules.shelf


def _categories(products: pl.DataFrame) -> pl.DataFrame:
    """Return product_id and category_id, an Enum of all categories in order: short, and sorted as their names are."""
    keys = products.select("product_id", category_key())
    return keys.with_columns(pl.col("category_id").cast(pl.Enum(keys["category_id"].unique().sort())))


def _shelf(prices: pl.DataFrame, categories: pl.DataFrame, inputs: Inputs, period: Period) -> pl.DataFrame:
    """Return the canonical shelf: prices with their category and context, in canonical order."""
    contexts = [period_context(inputs.tables[name], period) for name in ("context", "offers") if name in inputs.tables]
    shelf = with_context(prices.join(categories, on="product_id"), contexts)
    first = [name for name in Shelf.column_names() if name in shelf.columns]
    others = [name for name in shelf.columns if name not in first]
    return shelf.select(*first, *others).sort("period", "category_id", "product_id")


def _own(shelf: pl.DataFrame) -> pl.DataFrame:
    """Return the shelf without further columns."""
    return shelf.select(Shelf.column_names())


def _users(inputs: Inputs) -> pl.DataFrame:
    """Return every user of the users table or the sales; attributes are null for users who are not in the table."""
    buyers = inputs.sales.lazy().select("user_id").unique().collect(engine="streaming")
    given = inputs.tables.get("users")
    users = buyers if given is None else buyers.join(given, on="user_id", how="full", coalesce=True)
    return users.sort("user_id")
