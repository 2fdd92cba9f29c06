"""The textbook baseline: a logit of product effects, of the log price in each category, and of promotion."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from scipy.sparse import csr_array, diags_array, hstack
from scipy.sparse.linalg import splu
from scipy.special import expit, logit

from gpu_pricer.checks import require_number
from gpu_pricer.evaluation.baselines.baseline import Predict
from gpu_pricer.evaluation.held_out.offers import Log, occasions_of, reference_prices

STEPS, SETTLED = 100, 1e-6  # of reweighted least squares; the largest change of a coefficient at which it ends
LARGEST = 30.0  # log odds: where every offer was bought, the constant, which has no prior, would be infinite
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
        offered = cells.select(total=pl.col("bought") + pl.col("not_bought"))["total"].to_numpy()
        design = _design(cells, products, categories)
        coefficient = binomial_coefficients(design, cells["bought"].to_numpy(), offered, self.spread)
        return lambda rows: expit(_design(rows, products, categories) @ coefficient)


def binomial_coefficients(design: csr_array, bought: np.ndarray, offered: np.ndarray, spread: float) -> np.ndarray:
    """Return the coefficients [K] that maximise the likelihood of bought [N] ~ Binomial(offered [N], expit(design β)).

    The prior is N(0, spread²) for all coefficients but the last one, the constant. They are found by iteratively
    reweighted least squares, from the cells' own rates (McCullagh & Nelder 1989, section 4.4). In the order of _design
    the matrix of the normal equations factorises without new entries but in the last columns: a product shares cells
    with its category and with no other product.
    """
    precision = np.append(np.full(design.shape[1] - 1, spread**-2), 0.0)
    coefficient, log_odds = np.full(design.shape[1], np.inf), logit((bought + 0.5) / (offered + 1))
    for _ in range(STEPS):
        chance, last = expit(log_odds), coefficient
        weight = offered * chance * (1 - chance)
        information = design.T @ (diags_array(weight) @ design) + diags_array(precision)
        target = design.T @ (weight * log_odds + bought - offered * chance)
        coefficient = splu(information.tocsc(), "NATURAL", options={"SymmetricMode": True}).solve(target)
        if np.abs(coefficient - last).max() < SETTLED:
            break
        log_odds = np.clip(design @ coefficient, -LARGEST, LARGEST)
    return coefficient


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
    """Return the design matrix [N, columns]: products, log price ratio by category, display, mailer, 1.

    A product that the fit did not see has zeros in the product columns, that is, an effect of 0.
    """
    price = np.log((rows["price"] / rows["reference_price"]).to_numpy())
    promotion = rows.select(pl.col("display", "mailer").fill_null(0.0)).to_numpy()
    return hstack(
        [
            _one_hot(rows["product_id"], products, np.ones(rows.height)),
            _one_hot(rows["category_id"], categories, price),
            csr_array(np.column_stack([promotion, np.ones(rows.height)])),
        ],
        format="csr",
    )


def _one_hot(ids: pl.Series, known: pl.Series, values: np.ndarray) -> csr_array:
    """Return [N, known]: each row's value in the column of its id, and no entry for an unknown id."""
    column = known.search_sorted(ids).to_numpy().clip(max=len(known) - 1)
    is_known = (known.gather(column) == ids).fill_null(False).to_numpy()
    rows = np.flatnonzero(is_known)
    return csr_array((values[is_known], (rows, column[is_known])), (len(ids), len(known)))
