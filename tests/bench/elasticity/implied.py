"""What a regression would find if units answered prices as the artefact says."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import logsumexp

from gpu_pricer.network.model.price_bend import bent, steepness
from gpu_pricer.tables.artefact import DemandArtefact, read_artefact
from gpu_pricer.tables.artefact.demand_of_units import at_prices
from tests.bench.elasticity.cells import KEY, Cells
from tests.bench.elasticity.poisson import projected

COLUMNS = ("product_id", "category_id", "reference_price", "ratio", "quantity_share", "dissimilarity")


@dataclass(frozen=True)
class Response:
    """How the units of P products answer prices: the nested logit of each segment that an artefact touches today.

    products [P]: COLUMNS; ratio: today's price over the reference, quantity_share: the part of units per choice in the
    slope, dissimilarity: of the category. appeal, slope [S, P]: of the segments at today's prices; −d utility /
    d(price / reference). visits [S]. bend: of choices, see gpu_pricer/network/model/price_bend.py; units per choice
    fall with the log of the price. shelf: KEY and price of all that was offered.
    """

    products: pl.DataFrame
    appeal: np.ndarray
    slope: np.ndarray
    visits: np.ndarray
    bend: float
    shelf: pl.DataFrame

    @classmethod
    def read(cls, work: Path) -> "Response":
        """Return the response of the artefact in a work folder, at the prices of its tables."""
        products, shelf = (pl.read_parquet(work / "data" / f"{name}.parquet") for name in ("products", "shelf"))
        artefact = read_artefact(work / "demand")
        return cls.of(artefact, products.select("product_id", "price"), shelf, artefact.info.bend)

    @classmethod
    def of(cls, artefact: DemandArtefact, today: pl.DataFrame, shelf: pl.DataFrame, bend: float) -> "Response":
        """Return the response that the artefact touches; today: product_id and price; shelf: KEY and price."""
        joined = artefact.products.join(today, on="product_id", how="left", maintain_order="left")
        ratio = (joined["price"] / joined["reference_price"]).fill_null(1.0).to_numpy()
        known = artefact.products.with_columns(ratio=ratio).with_row_index("row").drop_nulls("product_id")
        known = known.with_columns(dissimilarity=artefact.dissimilarity_of(known["category_id"]))
        now, row, visits = at_prices(artefact, ratio), known["row"].to_numpy(), artefact.segments["visits"].to_numpy()
        appeal, slope = (now.factors[name][:, row].astype(np.float64) for name in ("appeal", "sensitivity"))
        category = (known["category_id"].rank("dense") - 1).to_numpy()
        chosen = visits[:, None] * np.exp(_logit(appeal, category, known["dissimilarity"].to_numpy()))
        share = known["quantity_sensitivity"] / pl.Series((chosen * slope).sum(0) / chosen.sum(0))
        found = known.with_columns(quantity_share=share.fill_nan(0.0).clip(0, 1))
        return cls(found.select(*COLUMNS), appeal, slope, visits, bend, shelf.select(*KEY, "price"))

    def log_units(self, rows: pl.DataFrame) -> np.ndarray:
        """Return the log of the units of rows with KEY and price, [n], NaN where a product is not known.

        Whatever else was on the shelf of the category in the period, at its price there, takes its part of the visits.
        """
        asked = self.shelf.join(rows.select(*KEY, asked="price"), on=KEY, how="left")
        places = self.products.with_row_index("place")
        offered = asked.join(places, on="product_id").with_columns(price=pl.coalesce("asked", "price"))
        place = offered["place"].to_numpy()
        group = offered.select(pl.struct("category_id", "period").rank("dense") - 1).to_series().to_numpy()
        utility = self.appeal[:, place] - self.slope[:, place] * _fall(offered, self.bend)
        chosen = _logit(utility, group, offered["dissimilarity"].to_numpy())
        told = offered.select(*KEY, log_units=logsumexp(chosen, axis=0, b=self.visits[:, None]))
        return rows.join(told, on=KEY, how="left", maintain_order="left")["log_units"].fill_null(np.nan).to_numpy()


def _fall(offered: pl.DataFrame, bend: float) -> np.ndarray:
    """Return by what slopes are multiplied where prices are not today's, [n], for rows of products and prices."""
    ratio, share, reference, price = (
        offered[name].to_torch().double() for name in ("ratio", "quantity_share", "reference_price", "price")
    )
    at = price / reference
    choices = (bent(at - 1, bend) - bent(ratio - 1, bend)) / steepness(ratio - 1, bend)
    return ((1 - share) * choices + share * ratio * (at / ratio).log()).numpy()


def _logit(utility: np.ndarray, group: np.ndarray, dissimilarity: np.ndarray) -> np.ndarray:
    """Return log probabilities [S, n] of nested logits with these utilities.

    group [n]: numbers of the choice sets. dissimilarity [n]: of the categories.
    """
    log_sum = np.log(np.stack([np.bincount(group, own) for own in np.exp(utility)]))[:, group]
    nest = dissimilarity * log_sum
    return utility - log_sum + nest - np.logaddexp(0, nest)


def implied_elasticity(cells: Cells, response: Response, mean: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Return the coefficients [K] of covariates [n, K] in a regression of the response's log units on them.

    mean [n]: the expected units by which the regression weighs the cells. Products that the artefact does not have are
    left out.
    """
    log_units = response.log_units(cells.table)
    is_kept = (mean > 0) & np.isfinite(log_units)
    weight, kept = mean[is_kept], Cells(cells.table.filter(is_kept))
    within = projected(np.column_stack([log_units, covariates])[is_kept], weight, kept.effects)
    root = np.sqrt(weight)[:, None]
    return np.asarray(np.linalg.lstsq(root * within[:, 1:], root[:, 0] * within[:, 0], rcond=None)[0])
