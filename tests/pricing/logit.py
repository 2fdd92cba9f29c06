"""A slow float64 oracle of a small artefact: the expected profit of a category for a segment at given prices."""

import itertools
from dataclasses import dataclass

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Dense:
    """a and b [S, P] of an artefact, in float64, by the design's formulas."""

    appeal: np.ndarray
    sensitivity: np.ndarray
    segment_id: list

    def index(self, segment):
        return self.segment_id.index(segment)

    def segments(self):
        return sorted((segment, i) for i, segment in enumerate(self.segment_id))


def dense_demand(artefact):
    f = {name: factor.astype(np.float64) for name, factor in artefact.factors.items()}
    segment_id = artefact.segments["segment_id"].to_list()
    if "appeal" in f:
        return Dense(f["appeal"], f["sensitivity"], segment_id)
    score = f["segment_sensitivity"] @ f["product_sensitivity"].T
    return Dense(f["segment_appeal"] @ f["product_appeal"].T, np.log1p(np.exp(score)), segment_id)


def _inputs(artefact, catalog, names):
    known = artefact.products.with_row_index("row").select("product_id", "row", "reference_price", "availability",
                                                           "units_per_choice")  # fmt: skip
    rows = known.join(catalog.select("product_id", "cost"), on="product_id").filter(pl.col("product_id").is_in(names))
    assert rows.height == len(names)
    return rows.sort("product_id")


def category_value(artefact, catalog, s, names, price):
    """Profit per visit of segment s from products, sorted by name, at prices [n] or [..., n] in currency."""
    demand, rows = dense_demand(artefact), _inputs(artefact, catalog, names)
    row = rows["row"].to_numpy()
    utility = demand.appeal[s, row] - demand.sensitivity[s, row] * (price / rows["reference_price"].to_numpy() - 1)
    odds = np.exp(utility) * rows["availability"].to_numpy()
    total = odds.sum(-1, keepdims=True)
    chance = odds / (total ** (1 - _dissimilarity(artefact, names)) + total)
    return (chance * rows["units_per_choice"].to_numpy() * (price - rows["cost"].to_numpy())).sum(-1)


def _dissimilarity(artefact, names):
    """The dissimilarity of the category of the products."""
    if artefact.categories is None:
        return 1.0
    known = artefact.products.filter(pl.col("product_id").is_in(names)).join(artefact.categories, on="category_id")
    return known["dissimilarity"].unique().item() if known.height else 1.0


def best_of(artefact, catalog, s, names, rungs):
    """The highest profit over every combination of rungs in cents, a list per product."""
    every = np.array(list(itertools.product(*rungs)), float) / 100
    return category_value(artefact, catalog, s, names, every).max()
