"""The sheet: a row per product that people look at, with what the price does, why, and what was decided."""

import polars as pl

from gpu_pricer.report.figures.demand import demand_figures
from gpu_pricer.report.figures.product import product_figures, sold_figures
from gpu_pricer.report.movers import reason_of
from gpu_pricer.report.scored import Scored
from gpu_pricer.review.sheet_file import MARK
from gpu_pricer.tables.version.names import RECORD
from gpu_pricer.tables.version.stock_record import read_unit_limits

OFF_SHELF = "Not on the shelf now: the price is what it would sell for beside the others."
TO_FILL = ("decision", "price", "note")
"""The columns of the sheet in which people answer: accept, reject or override, the price of an override, and why."""


def figures_of(scored: Scored, proposals: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Return a row per product, those with the most money moved first, sorted by id where none is.

    proposals: from read_proposals. names: product_id, `name`. Columns: product_id as text, `row` (position in the
    problem), and those of sold_figures, null for products off the shelf; today, low and high are never null.
    """
    demand = demand_figures(scored.problem, scored.price, scored.support)
    figures = sold_figures(product_figures(scored, demand, names), read_unit_limits(scored.folder / RECORD))
    figures = figures.with_columns(pl.col("product_id").cast(pl.String))
    rows = scored.problem.products.product_id.cast(pl.String).to_frame("product_id").with_row_index("row")
    table = rows.join(figures.drop("row", "today", "low", "high", "category_id"), on="product_id", how="left")
    category = scored.products.select(pl.col("product_id").cast(pl.String), "category_id")
    table = table.join(category, on="product_id").join(
        proposals.select("product_id", "today", "low", "high", "move"), on="product_id", suffix="_most"
    )
    named = names.select(pl.col("product_id").cast(pl.String), named="name")
    table = table.join(named, on="product_id", how="left").with_columns(name=pl.coalesce("name", "named")).drop("named")
    return table.sort(pl.col("money").fill_null(0.0), "product_id", descending=[True, False])


def reason_words(row: dict) -> str:
    """Return why a product's price moves, from its row of figures_of."""
    return OFF_SHELF if row["direction"] is None else reason_of(row)


def sheet_of(figures: pl.DataFrame, standing: pl.DataFrame) -> pl.DataFrame:
    """Return the sheet of the products that are asked about or decided, in the order of `figures`.

    figures: from figures_of. standing: Standing.products.
    """
    chosen = standing.filter(pl.col("state").is_not_null()).drop("category_id", "today", "low", "high", "move")
    table = figures.join(chosen.rename({"price": "decided_price"}), on="product_id", maintain_order="left")
    reasons = pl.Series("reason", [reason_words(row) for row in table.iter_rows(named=True)], dtype=pl.String)
    earlier = pl.format("{} by {} on {}", "earlier", "earlier_who", pl.col("earlier_when").str.head(10))
    return table.with_columns(reasons).select(
        "product_id",
        "name",
        "category_id",
        "state",
        today_price="today",
        new_price=pl.coalesce(pl.col("price"), (pl.col("low") + pl.col("high")) / 2).round(2),
        lowest_price="low",
        highest_price="high",
        change=(pl.coalesce("price", (pl.col("low") + pl.col("high")) / 2) / pl.col("today") - 1).round(4),
        units_change=(pl.col("units") - pl.col("units_today")).round(2),
        profit_change=(pl.col("profit") - pl.col("profit_today")).round(2),
        money_moved=pl.col("money").round(2),
        reason="reason",
        earlier=pl.when(pl.col("earlier").is_not_null()).then(earlier),
        decision="decision",
        price="decided_price",
        note="note",
        who="who",
        when="when",
        proposal=pl.lit(MARK) + pl.col("proposal"),
    )
