"""The price elasticities that the log alone shows, by a Poisson regression; their intervals know users and shocks."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from gpu_pricer.evaluation.held_out import Bootstrap, Log

COVARIATES = ("log_price", "rival_price", "display", "mailer")
ELASTICITY = COVARIATES.index("log_price")
STEPS = 50
LONGEST_STEP = 2.0
SETTLED = 1e-9  # a category whose coefficients all move by less takes no further step
IDENTIFIED = 0.999  # share of the elasticity's direction that is left of it where the curvature is inverted
MUCH_RISING = 0.05  # share of the purchases: by chance so many intervals of 90 % lie above 0 if sales answer no price
LEAST_VARIATION = 1e-9  # units × variance of log price; with less of it the log identifies no slope


def observed_elasticities(log: Log, bootstrap: Bootstrap, seed: int) -> pl.DataFrame:
    """Return category_id, observed, low and high: the elasticity of units per product and period, and its interval.

    Units ~ Poisson(visits · exp(level of the product + elasticity · ln price + coefficients · (the rivals' ln price,
    display, mailer))), with one set of coefficients per category. Periods without a sale count as zeros (Santos Silva
    & Tenreyro 2006). A replicate of the users moves the estimate by one Newton step from the optimum, which is the
    score bootstrap of Kline & Santos (2012). Shocks of a product in a period, which all its users share, add a normal
    deviation: together they have the two-way clustered variance, users + cells − noise (Cameron, Gelbach & Miller
    2011). Null where the log identifies no elasticity: no sale, a price that never
    moved, or few sales, all at low prices, so that any steeper slope fits them as well.
    """
    cells = _cells(log)
    bought = _bought(log, cells)
    units = np.asarray(bought.sum(axis=0))
    regression = _Regression.of(cells)
    response, is_settled = regression.fitted(units)
    shares = regression.shares(response)
    information = regression.information(units, shares)
    times = bootstrap.multiplicities(bought.shape[0], seed)
    elasticity, shifts = response[:, ELASTICITY], _solved(information, regression.scores(bought, shares, times))
    noise = np.asarray(bought.power(2).sum(axis=0))
    spread = regression.spread_of_shocks(units, noise, shares, information)
    of_shocks = spread * np.random.default_rng([seed, 1]).standard_normal(shifts.shape[:2])
    tails = [(1 - bootstrap.level) / 2, (1 + bootstrap.level) / 2]
    low, high = np.quantile(elasticity + shifts[:, :, ELASTICITY] + of_shocks, tails, 0)
    known = is_settled & (information[:, ELASTICITY, ELASTICITY] > LEAST_VARIATION) & (high - low > LEAST_VARIATION)
    left = np.einsum("gk,gk->g", information[:, ELASTICITY], _inverse(information)[:, :, ELASTICITY])
    known &= left > IDENTIFIED
    categories = cells["category_id"].unique().sort()
    table = pl.DataFrame({"category_id": categories, "observed": elasticity, "low": low, "high": high})
    return table.with_columns(pl.when(pl.Series(known)).then(pl.col("observed", "low", "high")))


def rising_sales(by_category: dict[str, dict], level: float) -> list[str]:
    """Return a line that warns if sales rise with prices in categories of many purchases; else none.

    by_category: elasticity_by_category of metrics.json. level: of the intervals. Sales rise with prices where prices
    follow demand for reasons that the log does not hold, and such prices teach a response that is too low. In a
    simulated electronics shop, where an old model becomes cheaper on the day its successor makes it less wanted,
    learned elasticities were a third of the true ones, and in 3 of 10 categories sales rose with prices.
    """
    known = [row for row in by_category.values() if row.get("observed") is not None]
    rising = [row for row in known if row["low"] > 0]
    bought, all_bought = (sum(row["purchases"] for row in rows) for rows in (rising, known))
    if not rising or bought < MUCH_RISING * all_bought:
        return []
    return [
        f"sales rise with prices in {len(rising)} of {len(known)} categories, which have {bought / all_bought:.0%} of "
        f"the purchases ({level:.0%} intervals of the regression on the log): prices follow demand there, as where old "
        "models become cheaper because fewer people want them, and the learned price response is too low. Run a price "
        "test before prices of such categories (gpu-pricer pricetest), or say what moves prices alone "
        "(train.response.endogeneity.instruments)"
    ]


def _cells(log: Log) -> pl.DataFrame:
    """Return a row per product and period, sorted by product: the covariates, and the log of the period's visits.

    rival_price is the mean deviation of the log prices of the category's other products from these products' means.
    """
    visited = log.visits.group_by("period").agg(log_visits=pl.len().log())
    move = pl.col("log_price") - pl.col("log_price").mean().over("product_id")
    return (
        log.shelf.join(visited, on="period")
        .with_columns(pl.col("display", "mailer").fill_null(0.0), log_price=pl.col("price").log())
        .with_columns(move=move)
        .with_columns(
            rival_price=((pl.col("move").sum() - pl.col("move")) / (pl.len() - 1).clip(1)).over("category_id", "period")
        )
        .select("product_id", "period", "category_id", "log_visits", *COVARIATES)
        .sort("category_id", "product_id", "period")
    )


def _bought(log: Log, cells: pl.DataFrame) -> csr_array:
    """Return the units that a user bought in a cell, [U, cells]; several occasions of a period count as their mean."""
    who = log.visits["user_id"].unique().sort()
    bought = (
        log.choices.drop_nulls("product_id")
        .group_by("user_id", "period", "product_id")
        .agg(pl.col("quantity").mean())
        .join(cells.select("product_id", "period").with_row_index("cell"), on=["product_id", "period"])
        .join(who.to_frame().with_row_index("user"), on="user_id")
    )
    place = bought["user"].to_numpy(), bought["cell"].to_numpy()
    return csr_array((bought["quantity"].cast(pl.Float64).to_numpy(), place), (len(who), cells.height))


@dataclass(frozen=True)
class _Regression:
    """Covariates [cells, K], offset [cells], and the numbers of the product and of the category of every cell [cells].

    Cells are sorted by category.
    """

    covariates: np.ndarray
    offset: np.ndarray
    product: np.ndarray
    category: np.ndarray

    @classmethod
    def of(cls, cells: pl.DataFrame) -> "_Regression":
        """Return the regression of the cells that _cells returns."""
        product, category = ((cells[name].rank("dense") - 1).to_numpy() for name in ("product_id", "category_id"))
        return cls(cells.select(COVARIATES).to_numpy(), cells["log_visits"].to_numpy(), product, category)

    def fitted(self, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients [G, K] that maximise the likelihood, and whether a maximum exists, [G].

        The products' levels are concentrated out. There is no maximum where a slope separates sales from the others:
        the coefficients then still move by LONGEST_STEP after the last step.
        """
        response = np.zeros((int(self.category.max()) + 1, self.covariates.shape[1]))
        moved, moving, part, bought = np.zeros(len(response)), np.arange(len(response)), self, units
        for _ in range(STEPS):
            shares = part.shares(response[moving])
            step = _solved(part.information(bought, shares), part.scores(bought[None], shares))[0]
            step = np.clip(step, -LONGEST_STEP, LONGEST_STEP)
            response[moving] += step
            moved[moving] = np.abs(step[:, ELASTICITY])
            is_moving = np.abs(step).max(axis=1) > SETTLED
            if not is_moving.any():
                break
            if not is_moving.all():
                kept = is_moving[part.category]
                moving, part, bought = moving[is_moving], part.of_cells(kept), bought[kept]
        return response, moved < LONGEST_STEP

    def of_cells(self, kept: np.ndarray) -> "_Regression":
        """Return the regression of the cells kept [cells] alone, all of some categories, numbered anew."""
        product, category = (
            np.unique(number[kept], return_inverse=True)[1] for number in (self.product, self.category)
        )
        return _Regression(self.covariates[kept], self.offset[kept], product, category)

    def shares(self, response: np.ndarray) -> np.ndarray:
        """Return the share of each cell in its product's units, [cells]."""
        utility = self.offset + (self.covariates * response[self.category]).sum(axis=1)
        largest = np.maximum.reduceat(utility, np.flatnonzero(np.diff(self.category, prepend=-1)))
        weight = np.exp(utility - largest[self.category])
        return weight / np.bincount(self.product, weight)[self.product]

    def scores(self, units: np.ndarray | csr_array, shares: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Return the gradients [B, G, K] for B lists of units [B, cells], or for `times` [B, U] those of U users.

        Units of users are summed by category first: replicates of all cells would take gigabytes.
        """
        away = self._away(shares)
        groups = int(self.category.max()) + 1
        cell = np.arange(len(self.category))
        by_category = [csr_array((column, (cell, self.category)), (len(cell), groups)) for column in away.T]
        of_rows = (units @ column for column in by_category)
        return np.stack([rows if times is None else times @ rows for rows in of_rows], axis=2)

    def information(self, units: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return the curvature [G, K, K] of the likelihood for the units [cells]."""
        expected = np.bincount(self.product, units)[self.product] * shares
        away = self._away(shares)
        products = expected[:, None, None] * away[:, :, None] * away[:, None, :]
        return np.asarray(np.add.reduceat(products, np.flatnonzero(np.diff(self.category, prepend=-1))))

    def spread_of_shocks(
        self, units: np.ndarray, noise: np.ndarray, shares: np.ndarray, information: np.ndarray
    ) -> np.ndarray:
        """Return the standard deviation [G] of the elasticities by shocks of cells, beyond the chance of who buys.

        units [cells]; noise [cells]: the variance of units by the chance of who buys, which is the sum of the squares
        of what each user bought; information [G, K, K]. What the cells' residuals give above it comes from shocks.
        """
        inverse = _inverse(information)[:, ELASTICITY]
        influence = (self._away(shares) * inverse[self.category]).sum(axis=1)
        residual = units - np.bincount(self.product, units)[self.product] * shares
        variance = np.bincount(self.category, (residual * influence) ** 2, minlength=len(inverse))
        by_chance = np.bincount(self.category, noise * influence**2, minlength=len(inverse))
        return np.sqrt(np.maximum(self._correction(len(inverse)) * variance - by_chance, 0))

    def _correction(self, groups: int) -> np.ndarray:
        """Return cells / (cells − coefficients) of each category, [G]: residuals are smaller than shocks by as much."""
        cells = np.bincount(self.category, minlength=groups)
        levels = np.bincount(self.category[np.unique(self.product, return_index=True)[1]], minlength=groups)
        return cells / np.maximum(cells - levels - len(COVARIATES), 1)

    def _away(self, shares: np.ndarray) -> np.ndarray:
        """Return the covariates [cells, K] minus their means over the product's units."""
        means = [np.bincount(self.product, shares * column)[self.product] for column in self.covariates.T]
        return self.covariates - np.stack(means, axis=1)


def _solved(information: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the Newton steps [B, G, K], which are 0 in directions that the log does not identify."""
    return np.einsum("gkl,bgl->bgk", _inverse(information), scores)


def _inverse(information: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.pinv(information, rcond=1e-9, hermitian=True))
