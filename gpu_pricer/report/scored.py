"""A scored version as the report reads it: its cells, and the pricing problem whose solution they are."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.errors import InputError
from gpu_pricer.policy.policy import Policy
from gpu_pricer.policy.rule_columns import with_rule_columns
from gpu_pricer.pricing.problem.matching import match_products
from gpu_pricer.pricing.problem.pricing_problem import PricingProblem, problem_of
from gpu_pricer.tables.artefact import DemandArtefact
from gpu_pricer.tables.price_table import CENTS, PARTS, PER_VISITS, RESTORE, VAT_PART, collect_prices, scan_prices
from gpu_pricer.tables.version.price_version import PriceVersion
from gpu_pricer.tables.version.version_files import require_files

HALF_CENT = 0.5 / CENTS
"""Prices in currency that differ by less are the same."""


class Scored(NamedTuple):
    """A scored version in the long layout.

    folder, version: where it lies, its record. artefact, catalog, policy: what it was priced from. products: its
    products [P] in the problem's order, see Matched.products. problem: whose solution the prices are. price: int64
    cents [P, S].
    """

    folder: Path
    version: PriceVersion
    artefact: DemandArtefact
    catalog: pl.DataFrame
    policy: Policy
    products: pl.DataFrame
    problem: PricingProblem
    price: np.ndarray

    @property
    def support(self) -> np.ndarray:
        """Return the least and the largest price of each product that training saw, [P, 2] in currency."""
        return self.products.select("min_price", "max_price").to_numpy()

    @property
    def on_shelf(self) -> pl.DataFrame:
        """Return product_id and `row`, the position in the problem, of the products on the shelf."""
        ids = self.problem.products.product_id.to_frame("product_id").with_row_index("row")
        return ids.filter(pl.Series(self.problem.products.is_on_shelf))

    def cells(self) -> pl.LazyFrame:
        """Return the price table with the period's `units` and `profit` of each cell, and prices as Float64.

        Units and profit are those of all visits of the segment in a period, profit in currency.
        """
        visits = self.artefact.segments.select("segment_id", "visits")
        table = scan_prices(self.folder)
        of_period = pl.col("visits") / PER_VISITS
        money = [name for name in ("price", "today_price", *PARTS, VAT_PART) if name in table.collect_schema()]
        return table.join(visits.lazy(), on="segment_id").with_columns(
            pl.col(money).cast(pl.Float64),
            units=pl.col("expected_units").cast(pl.Float64) * of_period,
            profit=pl.col("expected_profit").cast(pl.Float64) * of_period,
        )


def scored_version(
    folder: Path, version: PriceVersion, artefact: DemandArtefact, catalog: pl.DataFrame, policy: Policy
) -> Scored:
    """Return the version in a folder; raise InputError for a layout without units and profit, and if a file is lost."""
    require_files(folder, version)
    if version.layout != "long":
        raise InputError(
            f"a report needs score.layout=long, found {folder} in another, without units and profit: score again"
        )
    matched = match_products(with_rule_columns(catalog, policy.bounds), artefact)
    problem = problem_of(artefact, matched, policy)
    prices = read_prices(folder, problem)
    return Scored(folder, version, artefact, catalog, policy, matched.products, problem, prices)


def read_prices(folder: Path, problem: PricingProblem) -> np.ndarray:
    """Return the prices of a version in the long layout, int64 cents [P, S].

    Raise InputError if a file is damaged or lost.
    """
    products, segments = problem.products.product_id, problem.segments.segment_id
    table = collect_prices(scan_prices(folder).select("product_id", "segment_id", "price"), folder)
    cells = products.to_frame("product_id").with_row_index("p").join(
        segments.to_frame("segment_id").with_row_index("s"), how="cross"
    )  # fmt: skip
    found = cells.join(table, on=["product_id", "segment_id"], how="left").sort("p", "s")
    if found["price"].null_count():
        raise InputError(f"{folder} must price every product for every segment, found some missing: {RESTORE}")
    cents = (found["price"].cast(pl.Float64) * CENTS).round().cast(pl.Int64).to_numpy()
    return cents.reshape(len(products), len(segments))
