"""The textbook baseline: a logit of product effects, of the log price in each category, and of promotion."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from scipy.sparse import csr_array, hstack, vstack
from sklearn.linear_model import LogisticRegression

from gpu_pricer.checks import require_number
from gpu_pricer.evaluation.baselines.baseline import Predict
from gpu_pricer.evaluation.held_out.offers import Log, occasions_of, reference_prices

SETTLED = {"tol": 1e-7, "max_iter": 1000}
CELL = ("period", "category_id", "product_id")
VALUES = ("price", "reference_price", "display", "mailer")


@dataclass(frozen=True)
class Logit:
    """A logit without user effects, so that all offers of a product and period form one binomial cell.

    spread: prior standard deviation of every coefficient; its purpose is to keep the effects of products that were
    never bought finite.
    """

    spread: float

    def __post_init__(self) -> None:
        require_number("logit.spread", self.spread, above=0)

    def fit(self, offers: pl.DataFrame, sales: Log) -> Predict:
        """Return the predictor that maximises the likelihood of the cells of the offers."""
        weight = pl.col("weight")
        cells = offers.group_by(CELL, maintain_order=True).agg(
            *(pl.col(name).first() for name in VALUES),
            bought=(weight * pl.col("bought")).sum(),
            not_bought=(weight * ~pl.col("bought")).sum(),
        )
        return self.fit_cells(cells)

    def fit_cells(self, cells: pl.DataFrame) -> Predict:
        """Return the predictor that maximises the likelihood of cells.

        cells: a row per product and period with the columns of CELL and VALUES, and the number of offers that were
        bought and not_bought.
        """
        products, categories = (cells[name].unique().sort() for name in ("product_id", "category_id"))
        design = _design(cells, products, categories)
        outcomes = np.repeat([1, 0], cells.height)
        weights = np.concatenate([cells["bought"].to_numpy(), cells["not_bought"].to_numpy()])
        is_some = weights > 0  # most cells were never bought
        model = LogisticRegression(C=self.spread**2, solver="newton-cg", **SETTLED)
        rows = vstack([design, design], format="csr")[is_some]
        model.fit(rows, outcomes[is_some], sample_weight=weights[is_some])
        return lambda rows: model.predict_proba(_design(rows, products, categories))[:, 1]


def logged_cells(sales: Log, periods: list[date]) -> pl.DataFrame:
    """Return the cells, as in fit_cells, of all offers of these periods, whatever sample of them a baseline gets."""
    shelves = occasions_of(sales, periods).group_by("period", "category_id")
    occasions = shelves.agg(pl.col("weight").sort().sum())  # sorted, since parallel sums differ in their last bits
    bought = sales.purchases.group_by("period", "product_id").agg(bought=pl.len().cast(pl.Float64))
    return (
        sales.shelf.join(occasions, on=["period", "category_id"], maintain_order="left")
        .join(reference_prices(sales.shelf, periods), on="product_id", maintain_order="left")
        .join(bought, on=["period", "product_id"], how="left", maintain_order="left")
        .with_columns(pl.col("bought").fill_null(0.0))
        .select(*CELL, *VALUES, "bought", not_bought=pl.col("weight") - pl.col("bought"))
    )


def _design(rows: pl.DataFrame, products: pl.Series, categories: pl.Series) -> csr_array:
    """Return the design matrix [N, columns]: products, log price ratio by category, display, mailer.

    A product that the fit did not see has zeros in the product columns, that is, an effect of 0.
    """
    price = np.log((rows["price"] / rows["reference_price"]).to_numpy())
    promotion = rows.select(pl.col("display", "mailer").fill_null(0.0)).to_numpy()
    return hstack(
        [
            _one_hot(rows["product_id"], products, np.ones(rows.height)),
            _one_hot(rows["category_id"], categories, price),
            csr_array(promotion),
        ],
        format="csr",
    )


def _one_hot(ids: pl.Series, known: pl.Series, values: np.ndarray) -> csr_array:
    """Return [N, known]: each row's value in the column of its id, and no entry for an unknown id."""
    column = known.search_sorted(ids).to_numpy().clip(max=len(known) - 1)
    is_known = (known.gather(column) == ids).fill_null(False).to_numpy()
    rows = np.flatnonzero(is_known)
    return csr_array((values[is_known], (rows, column[is_known])), (len(ids), len(known)))
