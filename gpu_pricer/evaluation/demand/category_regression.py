"""Poisson regressions of the units sold, one per category, with effects of products and of the category's periods.

Cells without a sale count as zeros (Santos Silva & Tenreyro 2006). The effects are taken out by weighted least squares
in every step (Correia, Guimaraes & Zylkin 2020).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from gpu_pricer.network.response.grid.two_way_effects import TwoWayEffects

STEPS = 60
LONGEST_STEP = 2.0
LEAST, MOST = 1e-6, 1e3
"""Expected units of a cell over the mean of all: what separates a cell from sales would otherwise run away without end.

The information of such cells is too little to identify anything."""
MOST_MISSING = 0.5
SETTLED = 1e-7  # a category whose coefficients and logs of expected units all move by less takes no further step
NEARLY_SETTLED, AS_SOLD = 1e-3, 1e-3  # of the last step, and of expected over sold units: else a search has failed
WHOLE = 0.999  # share of a coefficient's direction that is left of it where the information is inverted
LEAST_INFORMATION = 0.01  # about a coefficient: with less its standard error is above 10


@dataclass(frozen=True)
class Cells:
    """n cells, products in periods, of G categories, sorted by category.

    covariates [n, K]. offset [n]: is added to the log of the expected units. product, period, category: int [n],
    numbered from 0 without gaps; each category has periods of its own. Every product and period must have units.
    """

    covariates: np.ndarray
    offset: np.ndarray
    product: np.ndarray
    period: np.ndarray
    category: np.ndarray

    @property
    def categories(self) -> int:
        """Return G."""
        return int(self.category[-1]) + 1 if len(self.category) else 0

    def where(self, kept: np.ndarray) -> "Cells":
        """Return the cells that are kept, bool [n], numbered anew."""
        numbers = (np.unique(of[kept], return_inverse=True)[1] for of in (self.product, self.period, self.category))
        return Cells(self.covariates[kept], self.offset[kept], *numbers)

    @property
    def starts(self) -> np.ndarray:
        """Return the first cell of each category, [G]."""
        return np.flatnonzero(np.diff(self.category, prepend=-1))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of values [n, ...] over the cells of each category, [G, ...]."""
        return np.asarray(np.add.reduceat(values, self.starts))

    def effects(self, weight: np.ndarray) -> TwoWayEffects:
        """Return the effects of products and periods under weights [n]."""
        return TwoWayEffects(self.product, self.period, weight)


@dataclass(frozen=True)
class PoissonFit:
    """Regressions of units [n] on the covariates of cells: expected [n] units, coefficient and its last_step [G, K].

    Where a slope or an effect separates sales from the others, the likelihood has no maximum, see identified.
    """

    cells: Cells
    units: np.ndarray
    expected: np.ndarray
    coefficient: np.ndarray
    last_step: np.ndarray

    @cached_property
    def away(self) -> np.ndarray:
        """Return the covariates [n, K] less what effects of products and periods explain of them."""
        effects = self.cells.effects(self.expected)
        return np.column_stack([effects.residual(column)[0] for column in self.cells.covariates.T])

    @cached_property
    def information(self) -> np.ndarray:
        """Return the curvature [G, K, K] of the likelihood."""
        return _information(self.cells, self.expected, self.away)

    @cached_property
    def inverse(self) -> np.ndarray:
        """Return the inverse [G, K, K] of the information, 0 in directions that the units do not identify."""
        return _inverse(self.information)

    @cached_property
    def identified(self) -> np.ndarray:
        """Return which coefficients the units identify, bool [G, K]: the search has settled, and there is information.

        At a maximum the expected units of a category are those sold.
        """
        sold, expected = self.cells.sums(self.units), self.cells.sums(self.expected)
        is_settled = (self.last_step < NEARLY_SETTLED) & (np.abs(expected - sold) < AS_SOLD * sold)[:, None]
        variance = np.diagonal(self.inverse, axis1=1, axis2=2)
        own = np.einsum("gkl,glk->gk", self.information, self.inverse)  # 1 but for directions left out of the inverse
        return is_settled & (variance > 0) & (variance < 1 / LEAST_INFORMATION) & (own > WHOLE)

    def shifts(self, bought: csr_array, times: np.ndarray) -> np.ndarray:
        """Return by how much the coefficients move, [B, G, K], if user u counts `times` [B, U].

        bought [U, n]: units of each user. It is one Newton step from the optimum, the score bootstrap of Kline & Santos
        (2012). Units of users are summed by category first: replicates of all cells would take gigabytes.
        """
        shape, cell = (len(self.cells.category), self.cells.categories), np.arange(len(self.cells.category))
        columns = (csr_array((column, (cell, self.cells.category)), shape) for column in self.away.T)
        scores = np.stack([times @ (bought @ column) for column in columns], axis=2)
        return np.einsum("gkl,bgl->bgk", self.inverse, scores)

    def spread_of_shocks(self, noise: np.ndarray) -> np.ndarray:
        """Return the standard deviation [G, K] of the coefficients by shocks of cells, beyond the chance of who buys.

        noise [n]: the variance of units by the chance of who buys, the sum of the squares of what each user bought.
        What the cells' residuals give above it comes from shocks, which all users of a cell share.
        """
        influence = np.einsum("nk,nkl->nl", self.away, self.inverse[self.cells.category])
        residual = self.units - self.expected
        variance = self.cells.sums((residual[:, None] * influence) ** 2)
        by_chance = self.cells.sums(noise[:, None] * influence**2)
        return np.sqrt(np.maximum(self._correction[:, None] * variance - by_chance, 0))

    @cached_property
    def _correction(self) -> np.ndarray:
        """Return cells / (cells − coefficients) of each category, [G]: residuals are smaller than shocks by as much."""
        cells = np.bincount(self.cells.category)
        first = (np.unique(number, return_index=True)[1] for number in (self.cells.product, self.cells.period))
        effects = sum(np.bincount(self.cells.category[of], minlength=len(cells)) for of in first)
        return cells / np.maximum(cells - effects - self.cells.covariates.shape[1] + 1, 1)

    def implied(self, log_units: np.ndarray) -> np.ndarray:
        """Return the coefficients [G, K] of the same regression of a demand's log units [n], NaN where unknown.

        They are those of least squares with the weights of this regression. A coefficient is NaN where cells without
        log units hold more than MOST_MISSING of the information on it.
        """
        known = np.isfinite(log_units)
        found = np.full_like(self.coefficient, np.nan)
        if not known.any():
            return found
        cells, weight = self.cells.where(known), self.expected[known]
        effects = cells.effects(weight)
        away = np.column_stack([effects.residual(column)[0] for column in cells.covariates.T])
        scores = cells.sums((weight * log_units[known])[:, None] * away)
        place, information = np.unique(self.cells.category[known]), _information(cells, weight, away)
        kept, all_of_it = (np.diagonal(of, axis1=1, axis2=2) for of in (information, self.information[place]))
        values = np.einsum("gkl,gl->gk", _inverse(information), scores)
        found[place] = np.where(kept >= (1 - MOST_MISSING) * all_of_it, values, np.nan)
        return found


def poisson_fit(cells: Cells, units: np.ndarray) -> PoissonFit:
    """Return the regressions of units [n], by Newton's method in all categories at once."""
    count, width = cells.categories, cells.covariates.shape[1]
    coefficient, last_step = np.zeros((count, width)), np.full((count, width), LONGEST_STEP)
    expected = (units + (np.bincount(cells.product, units) / np.bincount(cells.product))[cells.product]) / 2
    limits = np.log([LEAST * units.mean(), MOST * units.mean()])
    moving, place, part = np.arange(count), np.arange(len(units)), cells
    for _ in range(STEPS):
        found, fresh = _newton_step(part, units[place], expected[place], coefficient[moving], limits)
        moved = np.maximum.reduceat(np.abs(np.log(fresh / expected[place])), part.starts)
        last_step[moving], coefficient[moving] = np.abs(found - coefficient[moving]), found
        expected[place] = fresh
        is_moving = np.maximum(last_step[moving].max(axis=1), moved) > SETTLED
        last_step[moving] = np.maximum(last_step[moving], moved[:, None])
        if not is_moving.any():
            break
        kept = is_moving[part.category]
        moving, place, part = moving[is_moving], place[kept], part.where(kept)
    return PoissonFit(cells, units, expected, coefficient, last_step)


def _newton_step(
    cells: Cells, units: np.ndarray, expected: np.ndarray, coefficient: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients [G, K] and expected units [n] after a step from those given, by least squares.

    limits: of the logs of expected units.
    """
    working = np.log(expected) - cells.offset + units / expected - 1
    effects = cells.effects(expected)
    left, *columns = (effects.residual(values)[0] for values in (working, *cells.covariates.T))
    away = np.column_stack(columns)
    scores = cells.sums((expected * left)[:, None] * away)
    best = np.einsum("gkl,gl->gk", _inverse(_information(cells, expected, away)), scores)
    found = coefficient + np.clip(best - coefficient, -LONGEST_STEP, LONGEST_STEP)
    log_expected = cells.offset + working - left + (away * found[cells.category]).sum(axis=1)
    return found, np.exp(log_expected.clip(*limits))


def _information(cells: Cells, weight: np.ndarray, away: np.ndarray) -> np.ndarray:
    return cells.sums(weight[:, None, None] * away[:, :, None] * away[:, None, :])


def _inverse(information: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.pinv(information, rcond=1e-9, hermitian=True))
