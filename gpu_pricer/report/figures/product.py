"""One row per product on the shelf: what its price does, what that moves, and which rule holds it."""

import numpy as np
import polars as pl

from gpu_pricer.report.figures.demand import DemandFigures
from gpu_pricer.report.scored import Scored
from gpu_pricer.tables.price_table import BINDINGS, CENTS, PARTS, VAT_PART, collect_prices
from gpu_pricer.tables.priced_products import is_cost_assumed
from gpu_pricer.tables.version.stock_record import with_served_share

UP, DOWN, KEPT, MIXED = "up", "down", "kept", "mixed"
DIRECTIONS = (UP, DOWN, KEPT, MIXED)
"""How a product's price moves: equally in all segments where it moves, or up in some and down in others."""


def product_figures(scored: Scored, demand: DemandFigures, names: pl.DataFrame) -> pl.DataFrame:
    """Return a row per product on the shelf, those with the most money moved first.

    names: product_id, `name` for people. Columns: row (position in the problem), product_id, name, category_id,
    has_limits (whether the policy limits the whole assortment), today, cost, is_cost_assumed, price (mean over units;
    over segments without any), low, high (over segments), move (price / today − 1), direction, raised, lowered (numbers
    of segments), units, profit (of a period), units_today, profit_today, money (units × |price − today|), money_up,
    money_down (its parts), binding (the rule that sets most segments' prices), allowed_low, allowed_high, low_rule,
    high_rule, support_low, support_high, elasticity, and the means of PARTS, and of the VAT, over units where the
    version has them.
    """
    sums = _sums(scored)
    fixed = _facts(scored, demand)
    rows = fixed.join(sums, on="product_id", maintain_order="left")
    rows = rows.join(names.select("product_id", "name"), on="product_id", how="left", maintain_order="left")
    move = pl.col("price") / pl.col("today") - 1
    return rows.with_columns(move=move, direction=_direction()).sort("money", "product_id", descending=[True, False])


def sold_figures(rows: pl.DataFrame, limits: pl.DataFrame | None) -> pl.DataFrame:
    """Return rows of product_figures, whose units, profit and money are then those of what stock can serve.

    limits: see read_unit_limits.
    """
    counted = {"units": ["units", "profit", "money", "money_up", "money_down"]}
    counted["units_today"] = ["units_today", "profit_today"]
    for units, columns in counted.items():
        rows = with_served_share(rows, limits, units).with_columns(pl.col(columns) * pl.col("served")).drop("served")
    return rows.sort("money", "product_id", descending=[True, False])


def _sums(scored: Scored) -> pl.DataFrame:
    """Return product_id and what the cells of each product add up to."""
    price, today, units = pl.col("price"), pl.col("today_price"), pl.col("units")
    gain = units * (price - today)
    parts = [name for name in (*PARTS, VAT_PART) if name in scored.cells().collect_schema()]
    cells = scored.cells().group_by("product_id").agg(
        *(_mean(name).alias(name) for name in ("price", *parts)),
        low=price.min(),
        high=price.max(),
        raised=(price > today).sum(),
        lowered=(price < today).sum(),
        units=units.sum(),
        profit=pl.col("profit").sum(),
        money_up=gain.clip(lower_bound=0).sum(),
        money_down=(-gain).clip(lower_bound=0).sum(),
        binding=pl.col("binding").cast(pl.String).mode().sort().first(),
    )  # fmt: skip
    return cells.with_columns(money=pl.col("money_up") + pl.col("money_down")).pipe(collect_prices, scored.folder)


def _mean(name: str) -> pl.Expr:
    """Return the mean of a column over the units of a group, over its rows where it has no units."""
    units, value = pl.col("units"), pl.col(name)
    return pl.when(units.sum() > 0).then((value * units).sum() / units.sum()).otherwise(value.mean())


def _facts(scored: Scored, demand: DemandFigures) -> pl.DataFrame:
    """Return what does not depend on the segment, of the products on the shelf."""
    limits, products = scored.problem.limits, scored.problem.products
    columns = {
        "category_id": scored.products["category_id"],
        "has_limits": bool(scored.policy.active_constraints),
        "today": products.today / CENTS,
        "cost": products.cost,
        "is_cost_assumed": _is_cost_assumed(scored),
        "units_today": demand.units_today,
        "profit_today": demand.profit_today,
        "elasticity": pl.Series(demand.elasticity).fill_nan(None),
        "allowed_low": limits.low / CENTS,
        "allowed_high": limits.high / CENTS,
        "low_rule": pl.Series([BINDINGS[rule] for rule in limits.rules.at_low.tolist()], dtype=pl.String),
        "high_rule": pl.Series([BINDINGS[rule] for rule in limits.rules.at_high.tolist()], dtype=pl.String),
        "support_low": scored.support[:, 0],
        "support_high": scored.support[:, 1],
    }
    row = np.arange(len(products.today), dtype=np.uint32)
    return scored.on_shelf.join(pl.DataFrame({"row": row} | columns), on="row", maintain_order="left")


def _is_cost_assumed(scored: Scored) -> pl.Series:
    """Return whether the cost of each product [P] is a configured share of its list price and not given."""
    known = scored.catalog.select("product_id", is_assumed=is_cost_assumed(scored.catalog))
    found = scored.products.select("product_id").join(known, on="product_id", how="left", maintain_order="left")
    return found["is_assumed"].fill_null(False)


def _direction() -> pl.Expr:
    raised, lowered = pl.col("raised") > 0, pl.col("lowered") > 0
    words = pl.when(raised & lowered).then(pl.lit(MIXED)).when(raised).then(pl.lit(UP))
    return words.when(lowered).then(pl.lit(DOWN)).otherwise(pl.lit(KEPT))


def product_names(catalog: pl.DataFrame, label: list[str]) -> pl.DataFrame:
    """Return product_id and name: the values of the label's columns of a catalog, joined; "" without any."""
    if not label:
        return catalog.select("product_id", name=pl.lit(""))
    parts = [pl.col(name).cast(pl.String) for name in label]
    return catalog.select("product_id", name=pl.concat_str(parts, separator=" · ", ignore_nulls=True))
