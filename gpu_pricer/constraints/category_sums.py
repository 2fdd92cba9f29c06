"""What each category adds to the constraints' sums, in a version's record, so that events on some need no others."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from gpu_pricer.constraints.linear_constraints import SUMS
from gpu_pricer.constraints.subproblems import SalesSums
from gpu_pricer.errors import InputError, first_line
from gpu_pricer.pricing.problem.pricing_problem import ProblemProducts
from gpu_pricer.tables.files.disk_errors import write_table
from gpu_pricer.tables.files.replacing import replacing_file

CATEGORY_SUMS = "category_sums.parquet"
"""A row per category and constraint that covers it, and one per category without a constraint, for all its sales:
product_id (of the category's first product), constraint, SUMS at the version's prices, the same at today's prices with
the suffix _today and at the anchor's with the suffix _anchor, and bound, in the rows without a constraint."""

SUFFIXES = ("_today", "_anchor", "")
"""Of the columns of CategorySums.today, anchor and new."""

COLUMNS = [f"{name}{suffix}" for suffix in SUFFIXES for name in SUMS]
OF_ANCHOR = [name for name in COLUMNS if "anchor" in name]
"""Columns that are left out where no limit is relative to the anchor, and in older records."""


class CategorySums(NamedTuple):
    """The parts of G categories in the sums that K constraints limit, and in the dual bound.

    today, anchor, new: the sales at today's prices, at the anchor's, None where no limit is relative to them, and at
    the version's; bound [G]: the most that a category can add to the Lagrangian at the multipliers of the certificate,
    in currency.
    """

    today: SalesSums
    anchor: SalesSums | None
    new: SalesSums
    bound: np.ndarray


@dataclass(frozen=True)
class KnownCategories:
    """Categories that are as they were when an earlier version was priced.

    record: the folder of its record. is_known bool [G]: which of a problem's categories they are.
    """

    record: Path
    is_known: np.ndarray

    def read(self, products: ProblemProducts, names: list[str]) -> CategorySums:
        """Return the recorded parts of the known categories, 0 for the others; the units of products are 0.

        products: of the problem; names: of its K constraints. InputError where the record lacks a known category.
        """
        rows = self._rows(products, names)
        values = np.zeros((len(SUFFIXES), len(self.is_known), len(names) + 1, len(SUMS)))
        bound, place = np.zeros(len(self.is_known)), (rows["category"].to_numpy(), rows["place"].to_numpy())
        for sums, suffix in zip(values, SUFFIXES, strict=True):
            sums[place] = rows.select(f"{name}{suffix}" for name in SUMS).to_numpy()
        totals = rows.filter(pl.col("constraint").is_null())
        bound[totals["category"].to_numpy()] = totals["bound"].to_numpy()
        units = np.zeros(len(products.cost))
        today, anchor, new = (SalesSums(sums[:, -1], sums[:, :-1], units) for sums in values)
        return CategorySums(today, anchor, new, bound)

    def _rows(self, products: ProblemProducts, names: list[str]) -> pl.DataFrame:
        """Return the record's rows of the known categories, with the numbers of category and constraint as `place`."""
        path, known = self.record / CATEGORY_SUMS, np.flatnonzero(self.is_known)
        categories = first_products(products)[known].to_frame("product_id").with_columns(category=pl.Series(known))
        places = pl.DataFrame({"constraint": [*names, None], "place": [*range(len(names) + 1)]})
        places = places.cast({"constraint": pl.String})
        try:
            table = pl.read_parquet(path)
            table = table.with_columns(pl.lit(0.0).alias(name) for name in OF_ANCHOR if name not in table.columns)
            rows = table.select("product_id", "constraint", "bound", *COLUMNS).join(categories, on="product_id")
            rows = rows.join(places, on="constraint", how="left", nulls_equal=True)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError(f"{path} must be what `gpu-pricer score` wrote, found: {first_line(error)}") from error
        found = rows.filter(pl.col("constraint").is_null()).height
        if found != len(known) or rows["place"].null_count():
            raise InputError(f"{path} must have the sums of {len(known)} unchanged categories once, found {found}")
        return rows


def first_products(products: ProblemProducts) -> pl.Series:
    """Return the id of each category's first product [G]."""
    return products.product_id.gather(products.category_start[:-1])


def write_category_sums(sums: CategorySums, products: ProblemProducts, names: list[str], record: Path) -> None:
    """Write the parts of the problem's categories into the record of a version; names: of the K constraints."""
    known = zip(SUFFIXES, (sums.today, sums.anchor, sums.new), strict=True)
    values = {s: np.concatenate([at.covered, at.total[:, None]], axis=1) for s, at in known if at is not None}
    is_covered = np.any([(at != 0).any(axis=2) for at in values.values()], axis=0)
    is_covered[:, -1] = True
    category, place = np.nonzero(is_covered)
    columns: dict[str, pl.Series | np.ndarray] = {
        "product_id": first_products(products)[category],
        "constraint": pl.Series([*names, None], dtype=pl.String)[place],
    }
    for suffix, at in values.items():
        columns |= {f"{name}{suffix}": at[category, place, m] for m, name in enumerate(SUMS)}
    bound = np.where(place == len(names), sums.bound[category], np.nan)
    with replacing_file(record / CATEGORY_SUMS) as fresh:
        write_table(pl.DataFrame(columns).with_columns(bound=pl.Series(bound).fill_nan(None)), fresh)
