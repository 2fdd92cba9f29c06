"""Everything that the templates read, section by section, from a scored version and what lies beside it."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from gpu_pricer.report import charts, evidence
from gpu_pricer.report.comparison import changes_against
from gpu_pricer.report.figures.demand import demand_figures
from gpu_pricer.report.figures.product import product_figures, sold_figures
from gpu_pricer.report.figures.segment import segment_figures
from gpu_pricer.report.figures.shop import with_shop_figures
from gpu_pricer.report.figures.stock import with_stock_prices
from gpu_pricer.report.headline import Intervals, head_figures
from gpu_pricer.report.market_sections import Market, market_charts, market_sections
from gpu_pricer.report.movers import top_movers
from gpu_pricer.report.packing import pack
from gpu_pricer.report.page import render_page
from gpu_pricer.report.product_table import TableLimits, table_columns_of
from gpu_pricer.report.rules import limits_of, rule_costs_of, rules_that_bind
from gpu_pricer.report.scored import HALF_CENT, Scored
from gpu_pricer.report.settings import ReportSettings
from gpu_pricer.tables.artefact import sales_age
from gpu_pricer.tables.version.stock_record import with_served_share
from gpu_pricer.tables.version.version_comparison import Compared

MOST_EXAMPLES = 5
"""Products named of each reason for which products have no price."""


class GateRow(NamedTuple):
    """A gate as the page shows it: its name, what was found and the limit, whether it is passed or accepted, and cell.

    cell: the price that a gate on single prices found, "" for other gates and in records of earlier programs.
    """

    gate: str
    found: float | str
    limit: float | str
    is_passed: bool
    accepted_for: str | None
    cell: str


class Older(NamedTuple):
    """The version that the page compares with: with its demand's visits, and those of the reported version.

    is_chosen: whether somebody asked for this comparison; else it is the version published before.
    """

    before: Compared
    after: Compared
    is_chosen: bool


class Surroundings(NamedTuple):
    """What the report reads beside the version.

    names: product_id and name. gates: their outcomes. published: when and by whom, None for a version that is not
    published. older: the version to compare with, None without one. metrics: of the held-out sales, empty without.
    bins: of the calibration, None without. intervals, uniform_profit: of the outlook, the latter the profit of one
    price list, at most if is_uniform_a_bound, None where it is not known. certificate, audit, summary (of prepare),
    unpriced: as their files say. doubts: sentences on what speaks against the prices. ledger: its rows of whole
    versions, oldest first. record: run.json of score, {} without. market: the frontiers, the stock and the competitors.
    """

    names: pl.DataFrame
    gates: Sequence[GateRow]
    published: Mapping[str, Any] | None
    older: Older | None
    metrics: dict[str, Any]
    bins: pl.DataFrame | None
    intervals: Intervals
    uniform_profit: float | None
    is_uniform_a_bound: bool
    certificate: dict[str, Any]
    audit: dict[str, Any]
    summary: dict[str, Any]
    unpriced: pl.DataFrame
    doubts: list[str]
    ledger: list[dict[str, Any]]
    record: dict[str, Any]
    market: Market


def report_page(scored: Scored, beside: Surroundings, settings: ReportSettings) -> str:
    """Return the report as one HTML page."""
    demand = demand_figures(scored.problem, scored.price, scored.support)
    rows = product_figures(scored, demand, beside.names)
    rows = with_shop_figures(rows, beside.market.shop, scored.policy, scored.artefact.info.period_days)
    sold = sold_figures(rows, beside.market.stock_prices)
    priced = with_stock_prices(sold, beside.market.stock_prices)
    movers, segments = top_movers(scored, priced, settings.movers), segment_figures(scored, demand)
    rules, costs = rules_that_bind(scored), rule_costs_of(beside.certificate)
    table = table_columns_of(scored, sold, demand, TableLimits(settings.products, settings.cells))
    around = market_sections(scored, beside.market, beside.certificate, rows, settings.movers)
    older = None
    if beside.older is not None:
        older = changes_against(beside.older.after, beside.older.before, rows, settings.movers)
    sections = {
        **beside._asdict(),
        **around._asdict(),
        "version": scored.version,
        "info": scored.artefact.info,
        "sales": sales_age(scored.artefact.info, date.fromisoformat(scored.version.day)),
        "currency": scored.version.currency,
        "head": head_figures(scored.version, with_served_share(rows, beside.market.stock_prices), beside.intervals),
        "movers": movers,
        "curves": [mover.figures for mover in movers[: settings.curves]],
        "older": older,
        "is_chosen": beside.older is not None and beside.older.is_chosen,
        "rules": rules.to_dicts(),
        "costs": costs,
        "limits": limits_of(beside.certificate),
        "segments": segments.to_dicts(),
        "models": evidence.model_rows(beside.metrics),
        "over_the_log": evidence.over_the_log(beside.metrics),
        "is_identified": evidence.is_identified(beside.metrics),
        "priced_with": evidence.priced_with(beside.metrics),
        "folder": shlex.quote(str(scored.folder)),
        "competitor_rules": scored.policy.bounds.has_competitor,
        "response": evidence.response_sources(scored.artefact.categories, rows),
        "products": {"shown": min(rows.height, settings.products), "on_shelf": rows.height},
        "quality": _quality(scored, beside, rows),
    }
    drawn = _charts(rows, rules, costs, beside, scored.version.currency)
    drawn |= market_charts(around, scored.version.currency)
    return render_page(sections | {"drawn": list(drawn)}, drawn | {"curve": charts.demand_curve()}, pack(table))


def _charts(
    rows: pl.DataFrame, rules: pl.DataFrame, costs: list[dict], beside: Surroundings, currency: str
) -> dict[str, dict[str, Any]]:
    """Return the specifications of the charts whose data there are, by the id of their place on the page."""
    found = {"moves": charts.move_histogram(rows), "rules": charts.rule_bars(rules)}
    if costs:
        found["costs"] = charts.cost_bars(costs, currency)
    elasticities = evidence.elasticity_rows(beside.metrics)
    if elasticities:
        is_over_log = elasticities[0]["which"] == evidence.OURS_OVER_LOG
        names = (evidence.OURS_OVER_LOG if is_over_log else evidence.OURS, evidence.THE_LOGS)
        found["elasticities"] = charts.intervals(elasticities, "% of the units for 1 % on the price", names)
    if beside.bins is not None:
        found["calibration"] = charts.calibration(evidence.calibration_rates(beside.bins))
    groups = evidence.fairness_rows(beside.audit)
    if groups:
        title = "Price of the basket against the mean, in %"
        found["fairness"] = charts.intervals(groups, title, ("", ""))
    return found


def _quality(scored: Scored, beside: Surroundings, rows: pl.DataFrame) -> dict[str, Any]:
    """Return what is known of the data: assumed costs, prices outside what training saw, products without a price."""
    ids = pl.col("product_id").cast(pl.String)
    reasons = beside.unpriced.group_by("reason").agg(products=pl.len(), examples=ids.head(MOST_EXAMPLES))
    outside = ~pl.col("price").is_between(pl.col("support_low") - HALF_CENT, pl.col("support_high") + HALF_CENT)
    broken = beside.summary.get("broken_rules") or {}
    return {
        "reasons": reasons.sort("products", descending=True).to_dicts(),
        "assumed": int(rows["is_cost_assumed"].sum()),
        "at_a_loss": rows.filter(pl.col("profit") < 0).height,
        "at_a_loss_today": rows.filter(pl.col("profit_today") < 0).height,
        "loss": -float(rows["profit"].clip(upper_bound=0).sum()),
        "outside": rows.filter(outside).height,
        "on_shelf": rows.height,
        "off_shelf": scored.version.tally.products - scored.version.tally.on_shelf,
        "broken": [(table, rule, count) for table, rules in broken.items() for rule, count in rules.items() if count],
    }
