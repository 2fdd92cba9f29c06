"""What a category's own log says of its price elasticity: a Poisson regression that shares nothing with our model.

The same regression of the units that the artefact expects says what the log would show if the artefact were right.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import norm

from tests.bench.elasticity.implied import Response

COVARIATES = ("log_price", "display", "mailer")
STEPS, SETTLED = 100, 1e-9
LEVEL = 0.95


@dataclass(frozen=True)
class Cells:
    """The C cells (product and week on the shelf) of a category and the H households that visit.

    design [C, K]: the COVARIATES, then a dummy for every product and for every week but the first. week [C]: number of
    the cell's week. bought [H, C]: the units that the household bought. visits [H, W]: 1 where it visited in the week.
    """

    design: np.ndarray
    week: np.ndarray
    bought: np.ndarray
    visits: np.ndarray

    @property
    def exposure(self) -> np.ndarray:
        """Return how many households visited in the week of every cell, [C]."""
        return self.visits.sum(axis=0)[self.week]


@dataclass(frozen=True)
class Elasticity:
    """An elasticity and the ends of its interval."""

    elasticity: float
    low: float
    high: float

    @classmethod
    def of(cls, coefficient: float, scores: np.ndarray) -> "Elasticity":
        """Return a coefficient with the interval that its scores [n] give, by independent parts of the log."""
        half = norm.ppf((1 + LEVEL) / 2) * np.sqrt((scores**2).sum())
        return cls(*(float(coefficient + shift) for shift in (0, -half, half)))

    def holds(self, value: float) -> bool:
        """Return whether a value lies inside the interval."""
        return self.low <= value <= self.high


def regression_elasticities(shelf: pl.DataFrame, choices: pl.DataFrame, visits: pl.DataFrame) -> dict[str, Elasticity]:
    """Return the elasticity of units in every category of the canonical tables, by category.

    Units of product j in week t ~ Poisson(visits_t · exp(level_j + effect_t + e·ln price + d·display + m·mailer)).
    There is one regression for each category, weeks without a sale included (Santos Silva & Tenreyro 2006). The
    interval is that of the sandwich covariance with households as clusters (Liang & Zeger 1986).
    """
    return {category: fitted_elasticity(cells_of(rows, choices, visits)) for category, rows in _by_category(shelf)}


def expected_elasticities(
    response: Response, shelf: pl.DataFrame, choices: pl.DataFrame, visits: pl.DataFrame
) -> dict[str, float]:
    """Return by category what the same regressions find where units are those that a response expects.

    Both elasticities then belong to the same prices and shelves. Products that the response does not know are left out.
    """
    found = {}
    for category, rows in _by_category(shelf):
        log_units = response.log_units(rows)
        cells, is_known = cells_of(rows, choices, visits), np.isfinite(log_units)
        exposure = cells.exposure[is_known]
        units = exposure * np.exp(log_units[is_known])
        found[category] = float(poisson_coefficients(cells.design[is_known], units, exposure)[0])
    return found


def _by_category(shelf: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for (category,), rows in shelf.sort("product_id", "period").group_by("category_id", maintain_order=True):
        yield str(category), rows


def cells_of(shelf: pl.DataFrame, choices: pl.DataFrame, visits: pl.DataFrame) -> Cells:
    """Return the cells of the shelf of one category."""
    weeks = shelf["period"].unique().sort()
    visits = visits.filter(pl.col("period").is_in(weeks.implode()))
    who = visits["user_id"].unique().sort()
    week, product = (shelf[name].rank("dense").to_numpy().astype(int) - 1 for name in ("period", "product_id"))
    covariates = shelf.select(pl.col("price").log().alias("log_price"), "display", "mailer").to_numpy()
    dummies = np.eye(product.max() + 1)[product], np.eye(len(weeks))[week][:, 1:]
    came, bought = np.zeros((len(who), len(weeks))), np.zeros((len(who), len(week)))
    came[who.search_sorted(visits["user_id"]), weeks.search_sorted(visits["period"])] = 1
    purchases = choices.join(
        shelf.select("period", "product_id").with_row_index("cell"), on=["period", "product_id"]
    ).filter(pl.col("user_id").is_in(who.implode()))
    bought[who.search_sorted(purchases["user_id"]), purchases["cell"].to_numpy()] = purchases["quantity"].to_numpy()
    return Cells(np.column_stack([covariates, *dummies]), week, bought, came)


def fitted_elasticity(cells: Cells) -> Elasticity:
    """Return the coefficient of the log price and its interval."""
    exposure = cells.exposure
    coefficient = poisson_coefficients(cells.design, cells.bought.sum(axis=0), exposure)
    rate = np.exp(cells.design @ coefficient)
    curvature = np.linalg.pinv((cells.design * (exposure * rate)[:, None]).T @ cells.design, hermitian=True)
    scores = (cells.bought - cells.visits[:, cells.week] * rate) @ cells.design @ curvature  # by household, [H, K]
    return Elasticity.of(coefficient[0], scores[:, 0])


def poisson_coefficients(design: np.ndarray, units: np.ndarray, exposure: np.ndarray) -> np.ndarray:
    """Return the β [K] of the largest likelihood of units [C] ~ Poisson(exposure [C] · exp(design [C, K] β)).

    It is found by iteratively reweighted least squares.
    """
    expected = (units + exposure * units.sum() / exposure.sum()) / 2
    coefficient = np.zeros(design.shape[1])
    for _ in range(STEPS):
        target = np.log(expected / exposure) + (units - expected) / expected
        root = np.sqrt(expected)
        last, coefficient = coefficient, np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
        expected = exposure * np.exp(design @ coefficient)
        if np.abs(coefficient - last).max() < SETTLED:
            break
    return coefficient
