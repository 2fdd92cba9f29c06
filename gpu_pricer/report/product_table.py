"""The columns of the table of products, as a page carries them."""

from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.policy.rule_words import rule_words
from gpu_pricer.report.figures.demand import DemandFigures
from gpu_pricer.report.figures.product import DIRECTIONS
from gpu_pricer.report.scored import Scored
from gpu_pricer.tables.price_table import CENTS, PARTS, VAT_PART

STEPS = 65_535
"""Steps between no units and the most units of a demand curve."""


class TableLimits(NamedTuple):
    """How much of a version fits into a page: the most products, and the most prices by segment."""

    products: int
    cells: int


def table_columns_of(
    scored: Scored, rows: pl.DataFrame, demand: DemandFigures, limits: TableLimits
) -> dict[str, np.ndarray | list]:
    """Return the columns of the first products of product_figures.

    Money is in cents, as text ids and names are lists. `category`, `binding`, `low_rule`, `high_rule` and `direction`
    are positions in the lists categories, rules and directions. stock, cover (in days) and competitor (0: unknown) are
    absent where the shop knows none. prices [P, S] are absent where they do not fit.
    curve [P, POINTS] counts STEPS of curve_most [P].
    """
    shown = rows.head(limits.products)
    at = shown["row"].to_numpy()
    categories = shown["category_id"].unique().sort().to_list()
    rules = sorted({name for column in ("binding", "low_rule", "high_rule") for name in shown[column].unique()})
    curve, most = demand.curve_units[at], demand.curve_units[at].max(axis=1, initial=0.0)
    columns: dict[str, np.ndarray | list] = {
        "id": shown["product_id"].cast(pl.String).to_list(),
        "name": shown["name"].fill_null("").to_list(),
        "categories": categories,
        "rules": [rule_words(name) for name in rules],
        "directions": list(DIRECTIONS),
        "segments": scored.problem.segments.segment_id.cast(pl.String).to_list(),
        "category": _positions(shown["category_id"], categories),
        "direction": _positions(shown["direction"], list(DIRECTIONS)),
        **{name: _positions(shown[name], rules) for name in ("binding", "low_rule", "high_rule")},
        **{name: _cents(shown[name]) for name in _MONEY},
        **{name: _floats(shown[name]) for name in _FLOATS},
        **{name: _cents(shown[name]) for name in (*PARTS, VAT_PART) if name in shown.columns},
        "curve_low": _cents(pl.Series(demand.curve_price[at, 0])),
        "curve_high": _cents(pl.Series(demand.curve_price[at, -1])),
        "curve_most": most.astype(np.float32),
        "curve": np.round(STEPS * curve / np.maximum(most, 1e-30)[:, None]).astype(np.uint16),
        "assumed": shown["is_cost_assumed"].to_numpy().astype(np.uint8),
        **{name: _floats(shown[name]) for name in ("stock", "cover") if shown["stock"].is_not_null().any()},
        **{name: _cents(shown[name].fill_null(0.0)) for name in ("competitor",) if shown[name].is_not_null().any()},
    }
    if at.size * scored.price.shape[1] <= limits.cells:
        columns["prices"] = scored.price[at].astype(np.int32)
    return columns


_MONEY = ("today", "cost", "price", "low", "high", "allowed_low", "allowed_high", "support_low", "support_high")
_FLOATS = ("move", "units", "units_today", "profit", "profit_today", "money", "elasticity")


def _positions(values: pl.Series, names: list[str]) -> np.ndarray:
    """Return the position of each value among the names, uint16."""
    found = values.cast(pl.String).replace_strict(names, np.arange(len(names)), return_dtype=pl.UInt16)
    return found.cast(pl.UInt16).to_numpy()  # without names, polars gives no type


def _cents(amount: pl.Series) -> np.ndarray:
    return (amount.cast(pl.Float64) * CENTS).round().clip(-(2**31) + 1, 2**31 - 1).cast(pl.Int32).to_numpy()


def _floats(values: pl.Series) -> np.ndarray:
    return values.cast(pl.Float32).fill_null(float("nan")).to_numpy()
