"""The last lines of a run: where the prices are, what they are expected to do, what that rests on, how to read them."""

import shlex
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from gpu_pricer.constraints.certificate_file import find_certificate
from gpu_pricer.policy.constraint import ANCHOR_PRICES, CURRENT_PRICES
from gpu_pricer.tables.artefact import DemandInfo, read_info, sales_age
from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.tables.periods import each_period
from gpu_pricer.tables.price_table import collect_prices, scan_prices
from gpu_pricer.tables.priced_products import is_cost_assumed
from gpu_pricer.tables.published.kept_artefacts import kept_artefact
from gpu_pricer.tables.published.publishing import CURRENT
from gpu_pricer.tables.stores.local_copy import address_of, shown
from gpu_pricer.tables.version.names import RECORD, UNPRICED
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions.appraisal.outlook import LEAST_FALL, MOST_CELLS, RISE, Outlook
from gpu_pricer.versions.appraisal.uniform_prices import UniformProfit

MOST_NAMED = 3
"""Values of a column that a line on their limits names."""

MUCH_WITHOUT_RUNG = 0.10
"""Share of the products on the shelf without a price to go to, from which on the lines say so."""


def closing_lines(
    prices: Path,
    catalog: Path,
    outlook: Outlook | None = None,
    page: Path | None = None,
    promise: Sequence[str] = (),
    doubts: Sequence[str] = (),
) -> list[str]:
    """Return the lines on the version published in `prices`, scored from the catalog; empty without a version.

    outlook: of this version, None where it is not computed. page: the report on it, None where there is none. promise:
    what became of an earlier version's. doubts: from doubts_of.
    """
    run = current_run(prices)
    if run is None:
        return []
    version, number = read_version(prices / run), published_runs(prices)[run]
    info = _demand_of(prices, version)
    often = each_period(None if info is None else info.period_days)
    return [
        "",
        f"The price table is version {number} of {address_of(prices) or prices.resolve()}",
        *_old_sales(version, info),
        *_moves(version, _has_limits(prices / run / RECORD)),
        *_beyond_moves(version),
        *_not_priced(prices / run / RECORD),
        *_without_rung(version),
        *_units_and_index(version, often),
        *_promised_profit(version, catalog, outlook, often),
        *_constraints(prices / run / RECORD, version.currency, often),
        *(f"  {doubt}" for doubt in doubts),
        *promise,
        "",
        f"Read it with {'Polars, pandas or DuckDB' if address_of(prices) is None else 'Polars or DuckDB'}:",
        *(f"  {snippet}" for snippet in reading_snippets(prices)),
        *_where_next(version, prices, page),
    ]


def _demand_of(prices: Path, version: PriceVersion) -> DemandInfo | None:
    """Return what the version's demand says of itself, None where it is not kept beside the versions."""
    path = kept_artefact(prices, version.artefact) / "demand.json"
    return read_info(path) if path.is_file() else None


def _old_sales(version: PriceVersion, info: DemandInfo | None) -> list[str]:
    """Return the line on sales that are old on the day on which the prices are set, none where they are not."""
    warning = None if info is None else sales_age(info, date.fromisoformat(version.day)).warning
    return [] if warning is None else [f"  {warning}"]


def _has_limits(record: Path) -> bool:
    """Return whether the policy limits sums over the assortment, by the certificate in a version's record."""
    certificate = find_certificate(record)
    return bool(certificate.get("constraints") or certificate.get("stock"))


def _where_next(version: PriceVersion, prices: Path, page: Path | None) -> list[str]:
    """Return the lines on the report, and on how to ask why a price is what it is."""
    report = [] if page is None else ["", f"Look at it in a browser: {page.resolve()}"]
    if version.layout != "long":
        return report
    product, segment = _dearest_move(prices / version.run)
    command = shlex.join(["gpu-pricer", "explain", str(product), str(segment), f"paths.prices={shown(prices)}"])
    return [
        *(report or [""]),
        "Ask why a price is what it is, such as the one that moves the most per visit:",
        f"  {command}",
    ]


def _dearest_move(folder: Path) -> tuple[object, object]:
    """Return the product and the segment whose price moves the most money per visit of the segment."""
    money = (pl.col("price") - pl.col("today_price")).cast(pl.Float64).abs() * pl.col("expected_units")
    cells = scan_prices(folder).select("product_id", "segment_id", money=money)
    first = cells.sort("money", "product_id", "segment_id", descending=[True, False, False]).head(1)
    return collect_prices(first, folder).select("product_id", "segment_id").row(0)


def reading_snippets(prices: Path) -> list[str]:
    """Return a line of Python for Polars, pandas and DuckDB each; it reads the whole current version.

    In an object store, which has no links, Polars and DuckDB read the Delta table.
    """
    address = address_of(prices)
    if address is not None:
        return [
            f"import polars as pl; prices = pl.scan_delta({address!r}).collect()",
            f"import duckdb; prices = duckdb.sql(\"select * from delta_scan('{address}')\")",
        ]
    prices = prices.resolve()
    current = prices / CURRENT
    query = "select * from read_parquet('{}')".format(str(current / "*.parquet").replace("'", "''"))
    return [
        f"import polars as pl; prices = pl.scan_delta({str(prices)!r}).collect()",
        f"import pandas as pd; prices = pd.read_parquet({str(current)!r})",
        f"import duckdb; prices = duckdb.sql({query!r})",
    ]


def _beyond_moves(version: PriceVersion) -> list[str]:
    """Return the line on the prices on the shelf beyond a limit on the move from today's, none if there are none."""
    count = version.tally.beyond_moves
    if not count:
        return []
    return [
        f"  {count:,} of them beyond a move limit, because a rule that outranks it demands so (a margin on the cost, a "
        "list price, a ceiling or a floor): see the values …_broken in the column binding"
    ]


def _not_priced(record: Path) -> list[str]:
    """Return the line on the products without a price, by the name of the reason, none if all have one."""
    path = record / UNPRICED
    if not path.exists():
        return []
    named = pl.read_parquet(path, columns=["reason"])["reason"].str.split(":").list.first()
    counts = named.value_counts(sort=True).rows()
    if not counts:
        return []
    told = ", ".join(f"{count:,} {name}" for name, count in counts)
    return [f"  {len(named):,} more products get no price ({told}): see {shown(path)}"]


def _without_rung(version: PriceVersion) -> list[str]:
    """Return the line on the products that no allowed price is near enough to, none if they are few."""
    tally = version.tally
    if not tally.no_rung or tally.no_rung < MUCH_WITHOUT_RUNG * tally.on_shelf:
        return []
    return [
        f"  {tally.no_rung:,} products on the shelf stay as today, because no price of the ladder lies in their bounds "
        "(no_rung in the column binding): add prices to policy.ladder, such as every cent with policy.ladder=null"
    ]


def _moves(version: PriceVersion, has_limits: bool) -> list[str]:
    """Return the lines on how many prices there are and, of those on the shelf, how many move and are held.

    has_limits: whether limits on the assortment, which the column binding does not name, move prices too.
    """
    tally, segments, moves = version.tally, version.segments, version.moves
    up, down, kept = (f"{moves.share(count):.0%}" for count in (moves.raised, moves.lowered, moves.kept))
    return [
        f"  {tally.products:,} products x {segments:,} segments = {tally.rows:,} prices in {version.currency}; of the "
        f"{tally.on_shelf:,} products on the shelf,",
        f"  {up} of the prices go up, {down} go down, {kept} stay as today; "
        f"{moves.share(moves.held):.0%} are limited by a rule for single prices (column binding)"
        + (", and limits on the assortment can move prices too" if has_limits else ""),
    ]


def _units_and_index(version: PriceVersion, often: str) -> list[str]:
    tally = version.tally
    change = f" ({tally.units_new / tally.units_today - 1:+.1%})" if tally.units_today > 0 else ""
    index = "" if tally.price_index is None else f"; the units bought cost {tally.price_index:.1%} of today's prices"
    return [
        f"  expected units {often} {tally.units_new:,.0f}, at today's prices {tally.units_today:,.0f}{change}{index}"
    ]


def _constraints(record: Path, currency: str, often: str) -> list[str]:
    """Return the lines on the limits on the assortment: whether they hold, which of them hold profit back, their cost.

    Limits for each value of a column share a line. What the prices miss of the dual bound may be due to any limit: one
    that would add less is not said to cost profit.
    """
    summary = find_certificate(record)
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for name, entry in (summary.get("constraints") or {}).items():
        limit, _, value = name.partition("[")
        groups.setdefault(limit, {})[value.removesuffix("]")] = entry
    costs = {name: rule["cost"] for name, rule in (summary.get("costs") or {}).items()}
    least = max(summary["dual_bound"] - summary["objective"], 0.0) if groups else 0.0
    lines = [_limit(name, of_values, least) for name, of_values in groups.items()] + _rationed(summary.get("stock"))
    return lines + [
        f"  {name} costs {cost:,.2f} {currency} {often}"
        for name, cost in costs.items()
        if name.startswith("constraints.")
    ]


def _rationed(stock: dict[str, Any] | None) -> list[str]:
    """Return the line on what stock cannot serve, none where it serves everything; stock: of the certificate."""
    if stock is None or not stock["rationed_products"]:
        return []
    return [
        f"  limit {' and '.join(stock['names'])}: {stock['rationed_products']:,} of {stock['limited']:,} products sell "
        f"out; {stock['rationed_units']:,.0f} units of demand stay unserved and are not counted above"
    ]


def _limit(name: str, of_values: dict[str, dict[str, Any]], least: float) -> str:
    """Return the line on a limit; of_values: entries of the certificate by value of the limit's column, "" for none.

    least: profit that a limit holds back, if it is said to.
    """
    entries = list(of_values.values())
    gains = {value: _gain_if_looser(entry) for value, entry in of_values.items()}
    dear = {value: gain for value, gain in gains.items() if gain > least}
    missed = sum(entry["violation"] > 0 for entry in entries)
    if "" in of_values:
        cost = "costs profit" if dear else "costs nothing"
        return f"  limit {name} ({_asked(entries)}): {'not reached' if missed else 'met'}; it {cost}"
    state = f"{missed} of {len(entries)} not reached" if missed else f"{len(entries)} met"
    named = ", ".join(filter(None, sorted(dear, key=lambda value: -dear[value])[:MOST_NAMED]))
    most = f", most in {named}" if len(dear) > MOST_NAMED else f", in {named}" if named else ""
    cost = f"{len(dear)} of them cost profit{most}" if dear else "none of them costs profit"
    return f"  limit {name} ({_asked(entries)}): {state}; {cost}"


def _gain_if_looser(entry: dict[str, Any]) -> float:
    """Return what a limit looser by its own size would add to the objective, by its shadow price."""
    return float(entry["shadow_price"] * abs(entry["required"]))


def _asked(entries: list[dict[str, Any]]) -> str:
    """Return what limits of one kind ask for: the amount, or the share of known prices if all ask for the same one."""
    first = entries[0]
    asked = f"{first['measure']} {first['kind']}".replace("_", " ")
    is_rate = first["measure"] == "margin_rate" and first.get("relative_to") is None
    if is_rate or (first.get("relative_to", CURRENT_PRICES) is None and first["measure"] != "price_index"):
        required, *others = {round(entry["required"], 6) for entry in entries}
        if others:
            return f"{asked} a set {'rate' if is_rate else 'amount'}"
        return f"{asked} {required:{'.1%' if is_rate else ',.2f'}}"
    bases = [entry.get("base", entry["today"]) for entry in entries]  # a version of an earlier release has no base
    shares = {
        round(entry["required"] / base, 6) if base > 0 else None for entry, base in zip(entries, bases, strict=True)
    }
    share, prices = shares.pop(), "anchor" if first.get("relative_to") == ANCHOR_PRICES else "today's"
    if shares or share is None:
        return f"{asked} a set amount"
    return f"{asked} {share:.1%} of the level at {prices} prices"


def _promised_profit(version: PriceVersion, catalog: Path, outlook: Outlook | None, often: str) -> list[str]:
    """Return the lines on the expected profit and what it rests on, and on how many costs are assumed."""
    tally = version.tally
    today, new = (f"{profit:,.2f} {version.currency}" for profit in (tally.profit_today, tally.profit_new))
    gain = f" ({tally.profit_new / tally.profit_today - 1:+.1%})" if tally.profit_today > 0 else ""
    priced = "price without VAT" if version.includes_vat else "price"
    lines = [
        f"  expected gross profit ({priced} less unit cost) {often} {new}, at today's prices {today}{gain}:",
        "  the demand model's own estimate of its own prices, not a measured gain; try some of them first",
        *_spread_and_personalisation(version, outlook),
    ]
    assumed = _assumed_costs(catalog)
    if assumed:
        lines.append(
            f"  the cost of {assumed:,} products is assumed, a configured share of their list price "
            "(data.catalog.cost_ratio): profit and prices depend on it"
        )
    if outlook is not None and outlook.published:
        lines.append(
            f"  the price response of {outlook.published:,} of {outlook.categories:,} categories is more that of "
            "published elasticities than that of the log (train.response.fit.prior_elasticity)"
        )
    if outlook is not None and outlook.inelastic:
        lines.append(
            f"  in {outlook.inelastic:,} of {outlook.categories:,} categories the model expects to lose less than "
            f"{LEAST_FALL:.0%} of the purchases if all prices rise by {RISE:.0%}: a log in which every visit buys "
            "there cannot tell, so test dearer prices there first"
        )
    return lines


def _spread_and_personalisation(version: PriceVersion, outlook: Outlook | None) -> list[str]:
    """Return the lines on the gain over the posterior draws, and on what prices by segment add."""
    if outlook is None:
        return [
            f"  no interval of the gain: it needs a run that scores, in the long layout, at most {MOST_CELLS:,} prices"
        ]
    tally, lines = version.tally, []
    if outlook.is_rationed:
        lines.append("  no interval of the gain: stock cannot serve all demand, and an interval would count all of it")
    if outlook.gain is not None and tally.profit_today > 0:
        mean, low, high = (gain / tally.profit_today for gain in outlook.gain)
        lines.append(
            f"  given how well the log identifies the price response, the gain is {mean:+.1%} on average, with a 90% "
            f"interval of {low:+.1%} to {high:+.1%}"
        )
    if outlook.uniform is not None:
        lines.append(_personalisation(tally.profit_new, outlook.uniform, version.currency))
    return lines


def _personalisation(profit: float, uniform: UniformProfit, currency: str) -> str:
    """Return the line on what prices by segment, which earn `profit`, add to one price for all segments."""
    most, least = (" at most", " at least") if uniform.is_bound else ("", "")
    line = f"  one price per product for all segments would earn{most} {uniform.profit:,.2f} {currency}"
    if uniform.is_bound and profit <= uniform.profit:
        return f"{line}, so that it is open whether prices by segment add anything"
    return f"{line}: prices by segment add{least} {profit - uniform.profit:,.2f}"


def _assumed_costs(catalog: Path) -> int:
    table = pl.read_parquet(catalog)
    return table.filter(is_cost_assumed(table)).height
