"""What `compare` prints: the sums over two versions, and a line per category or other group."""

from typing import Any

import polars as pl
from rich import box
from rich.table import Table

from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_comparison import ADDED_UP, SUMS, Compared, Comparison
from gpu_pricer.tables.version.version_record import read_version

EXAMPLES = 3
MOST_GROUPS = 20
HEAD = ("products", "prices", "up", "down", "mean move", "mean size")


def summary_lines(before: Compared, after: Compared, found: Comparison, sources: list[str] | None) -> list[str]:
    """Return the lines on columns, segments, products, prices, units and profit.

    sources: what differs between them in words.
    """
    products = found.products
    gone, new = (products.filter(~pl.col(name))["product_id"].to_list() for name in ("is_after", "is_before"))
    sums = products.select(pl.col(ADDED_UP).sum()).row(0, named=True)
    prices = sums["prices"] or 1
    lines = [
        f"{before.folder} -> {after.folder}",
        f"columns: {_named(found.gone, 'gone')}, {_named(found.new, 'new')}",
        f"segments: {_named(found.gone_segments, 'out')}, {_named(found.new_segments, 'in')}",
        f"products: {_named(gone, 'out')}, {_named(new, 'in')}",
        f"prices: {sums['prices']:,} in both, {sums['up'] / prices:.1%} up, {sums['down'] / prices:.1%} down, "
        f"mean move {sums['move'] / prices:+z.2%}, mean size {sums['absolute_move'] / prices:.2%}",
    ]
    if is_known(products):
        lines += _money_lines(sums, read_version(before.folder), read_version(after.folder))
    if sources is not None:
        why = "; ".join(sources) or "nothing, both were priced from the same demand, catalog, policy and program"
        lines.append(f"what differs between their sources: {why}")
    return lines


def is_known(products: pl.DataFrame) -> bool:
    """Return whether units and profit of both versions are known."""
    return all(products[f"units_{end}"].count() > 0 for end in ("before", "after"))


def group_table(groups: pl.DataFrame, title: str) -> Table:
    """Return a line per group, the largest mean size of moves first; the last one says how many are left out."""
    has_money = is_known(groups)
    table = Table(title, *HEAD, *(("units", "index", "profit", "change") if has_money else ()), box=box.SIMPLE)
    size = pl.col("absolute_move") / pl.col("prices")
    ordered = groups.sort(size.fill_nan(0.0), "group", descending=[True, False], nulls_last=True)
    for row in ordered.head(MOST_GROUPS).iter_rows(named=True):
        table.add_row(row["group"], *_moves(row), *(_money(row) if has_money else ()))
    if ordered.height > MOST_GROUPS:
        table.add_row(f"{ordered.height - MOST_GROUPS} more")
    return table


def _money_lines(sums: dict[str, Any], before: PriceVersion, after: PriceVersion) -> list[str]:
    """Return the lines on units, revenue and profit; before, after: the versions whose sums they are."""
    pairs = {name: (sums[f"{name}_before"], sums[f"{name}_after"]) for name in SUMS}
    units, revenue, profit = (f"{old:,.0f} -> {new:,.0f}{_change(old, new)}" for old, new in pairs.values())
    index = f"; the units bought cost {_index(sums)} of the first's prices" if sums["base_revenue"] > 0 else ""
    is_alike = before.includes_vat == after.includes_vat
    vat = "" if is_alike else f"; only those of the {'second' if after.includes_vat else 'first'} are after VAT"
    return [
        f"expected per period: units {units}{index}",
        f"expected per period: revenue {revenue} {after.currency}, {after.profit_name} {profit} {after.currency}, each "
        f"by its own demand model{vat}",
    ]


def _moves(row: dict[str, Any]) -> list[str]:
    prices = row["prices"] or 1
    return [
        f"{row['products']:,}",
        f"{row['prices']:,}",
        *(f"{row[name] / prices:.1%}" for name in ("up", "down")),
        f"{row['move'] / prices:+z.2%}",
        f"{row['absolute_move'] / prices:.2%}",
    ]


def _money(row: dict[str, Any]) -> list[str]:
    change = row["profit_after"] - row["profit_before"]
    units = _change(row["units_before"], row["units_after"]).strip(" ()")
    return [units or "-", _index(row), f"{row['profit_after']:,.2f}", f"{change:+z,.2f}"]


def _index(sums: dict[str, Any]) -> str:
    """Return the revenue over what the same units bring at the first version's prices."""
    base = sums["base_revenue"] or 0
    return f"{sums['common_revenue'] / base:.1%}" if base > 0 else "-"


def _change(old: float, new: float) -> str:
    return f" ({new / old - 1:+z.1%})" if old > 0 else ""


def _named(names: list[str], what: str) -> str:
    more = ", …" if len(names) > EXAMPLES else ""
    return f"{len(names)} {what}" + (f" ({', '.join(names[:EXAMPLES])}{more})" if names else "")
