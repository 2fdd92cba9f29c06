"""The price elasticities that the log shows without the demand model, and what the model says of the same sales."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from gpu_pricer.evaluation.demand.catalog_demand import CatalogDemand
from gpu_pricer.evaluation.demand.category_regression import Cells, PoissonFit, poisson_fit
from gpu_pricer.evaluation.held_out import Bootstrap, Log

COVARIATES = ("log_price", "display", "mailer")
ELASTICITY = COVARIATES.index("log_price")
VALUES = ("observed", "low", "high", "implied")
SEEN = 0.8  # of the periods from a product's first to its last; the prices of the others are guesses
MUCH_RISING = 0.05  # share of the purchases: by chance so many intervals of 90 % lie above 0 if sales answer no price
MUCH_WEAKER = 0.6  # of the log's elasticity
LEAST_VARIATION = 1e-9  # units × variance of log price; with less of it the log identifies no slope


@dataclass(frozen=True)
class ObservedElasticities:
    """Elasticities of units over all periods of the log.

    categories: category_id, observed (of the log), low and high (the ends of its interval) and implied (of the demand);
    null where unknown. total: the four of all categories together in which they are known, each weighted by its
    information; empty where there is none.
    """

    categories: pl.DataFrame
    total: dict[str, float | None]


def observed_elasticities(
    log: Log, bootstrap: Bootstrap, seed: int, demand: CatalogDemand | None = None
) -> ObservedElasticities:
    """Return the elasticities that a regression finds in the log, and in a demand's expected units of the same cells.

    Units of a product in a period ~ Poisson(exp(level of the product + level of the category in the period + elasticity
    · ln price + effects of display and mailer)), with one set of coefficients per category. A category of one product
    has no levels of periods, but the number of visits. The regression knows products whose price is seen in most
    periods; the others' prices are carried from sales to periods without one, and would tell too little.

    Two estimates of one regression are alike where the demand is right, whatever the regression leaves out (indirect
    inference: Gouriéroux, Monfort & Renault 1993). Intervals are of users, resampled, and of shocks of products in
    periods, which all users share; together they have the two-way clustered variance, users + cells − noise (Cameron,
    Gelbach & Miller 2011). No elasticity is identified without a sale, by prices that never moved, or by few sales, all
    at low prices, so that any steeper slope fits them as well.
    """
    names, table = log.shelf["category_id"].unique().sort().to_frame(), _table(log)
    if table.is_empty():
        return ObservedElasticities(names.with_columns(pl.lit(None, pl.Float64).alias(name) for name in VALUES), {})
    fit = poisson_fit(_cells(table), table["units"].to_numpy())
    observed, implied = fit.coefficient[:, ELASTICITY], np.full(fit.cells.categories, np.nan)
    if demand is not None:
        implied = fit.implied(_log_units(log, table, demand))[:, ELASTICITY]
    replicates = observed + _shifts(fit, _bought(log, table), bootstrap, seed)
    tails = [(1 - bootstrap.level) / 2, (1 + bootstrap.level) / 2]
    low, high = np.quantile(replicates, tails, axis=0)
    known = fit.identified[:, ELASTICITY] & (high - low > LEAST_VARIATION)
    values = pl.DataFrame(dict(zip(VALUES, (observed, low, high, implied), strict=True))).fill_nan(None)
    found = values.with_columns(
        table["category_id"].unique(maintain_order=True), pl.when(pl.Series(known)).then(pl.col(VALUES))
    )
    categories = names.join(found, on="category_id", how="left", maintain_order="left")
    counted = known if demand is None else known & np.isfinite(implied)
    weight = 1 / fit.inverse[counted, ELASTICITY, ELASTICITY]
    return ObservedElasticities(categories, _total(values.filter(counted), replicates[:, counted], weight, tails))


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


def weak_response(in_log: dict[str, float | None], level: float) -> list[str]:
    """Return a line that warns if the demand model responds much less to prices than the log shows; else none.

    in_log: of metrics.json. level: of the interval. In a simulated electronics shop whose shelf lists products for
    weeks after they are gone, the model's elasticity was a fifth of the log's. There is no warning of a stronger
    response: the regression finds too little where prices follow demand, and the model has controls for that.
    """
    observed, low, high, implied = (in_log.get(name) for name in VALUES)
    if observed is None or low is None or high is None or implied is None:
        return []
    if implied <= max(high, MUCH_WEAKER * observed) or high >= 0:
        return []
    return [
        f"at the prices of the log the demand model has an elasticity of {implied:.2f}, but a regression on the same "
        f"sales finds {observed:.2f} ({level:.0%} interval {low:.2f} to {high:.2f}): the learned price response is "
        "much weaker than these sales show, and prices from it are probably too high. Compare the categories (observed "
        "and implied under price_response in metrics.json), and run a price test before these prices (gpu-pricer "
        "pricetest)"
    ]


def _table(log: Log) -> pl.DataFrame:
    """Return a row per product and period, sorted by category and product.

    Columns: category_id, product_id, period, price, units, log_visits, COVARIATES, and is_alone: in its category.
    Products, and periods of a category, without a sale are left out: they fit any elasticity.
    """
    visited = log.visits.group_by("period").agg(log_visits=pl.len().log())
    units = _by_user(log).group_by("product_id", "period").agg(units=pl.col("units").sum())
    table = (
        log.shelf.join(visited, on="period")
        .join(units, on=["product_id", "period"], how="left")
        .with_columns(pl.col("display", "mailer", "units").fill_null(0.0), log_price=pl.col("price").log())
        .with_columns(number=pl.col("period").rank("dense"))
        .sort("category_id", "product_id", "period")
    )
    seen = (pl.col("price_age") == 0).sum() / (pl.col("number").max() - pl.col("number").min() + 1)
    table = table.filter((seen.over("product_id") >= SEEN) & (pl.col("units").sum().over("product_id") > 0))
    table = table.with_columns(is_alone=pl.col("product_id").n_unique().over("category_id") == 1)
    return table.filter(pl.col("is_alone") | (pl.col("units").sum().over("category_id", "period") > 0))


def _by_user(log: Log) -> pl.DataFrame:
    """Return the units of each user, product and period; several occasions of a period count as their mean."""
    bought = log.choices.drop_nulls("product_id")
    return bought.group_by("user_id", "period", "product_id").agg(units=pl.col("quantity").mean().cast(pl.Float64))


def _cells(table: pl.DataFrame) -> Cells:
    """Return the cells of the rows of _table; all periods of a product that is alone in its category are one."""
    own_period = pl.struct("category_id", pl.when(~pl.col("is_alone")).then("period"))
    product, period, category = (
        table.select(key.rank("dense") - 1).to_series().to_numpy().astype(np.int64)
        for key in (pl.col("product_id"), own_period, pl.col("category_id"))
    )
    return Cells(table.select(COVARIATES).to_numpy(), table["log_visits"].to_numpy(), product, period, category)


def _bought(log: Log, table: pl.DataFrame) -> csr_array:
    """Return the units [U, n] that a user bought in a cell."""
    who = log.visits["user_id"].unique().sort()
    bought = (
        _by_user(log)
        .join(table.select("product_id", "period").with_row_index("cell"), on=["product_id", "period"])
        .join(who.to_frame().with_row_index("user"), on="user_id")
    )
    place = bought["user"].to_numpy(), bought["cell"].to_numpy()
    return csr_array((bought["units"].to_numpy(), place), (len(who), table.height))


def _log_units(log: Log, table: pl.DataFrame, demand: CatalogDemand) -> np.ndarray:
    """Return the log units [n] that the demand expects in the cells, beside all that was on the shelf; NaN: unknown."""
    key = ["product_id", "period"]
    shelf = log.shelf.join(table.select("period").unique(), on="period", how="semi").select(*key, "price")
    expected = shelf.with_columns(log_units=demand.log_units(shelf))
    return table.join(expected, on=key, how="left", maintain_order="left")["log_units"].to_numpy()


def _shifts(fit: PoissonFit, bought: csr_array, bootstrap: Bootstrap, seed: int) -> np.ndarray:
    """Return by how much the elasticities move, [B, G], by who buys and by shocks of cells."""
    shifts = fit.shifts(bought, bootstrap.multiplicities(bought.shape[0], seed))[:, :, ELASTICITY]
    noise = np.asarray(bought.power(2).sum(axis=0))
    spread = fit.spread_of_shocks(noise)[:, ELASTICITY]
    return shifts + spread * np.random.default_rng([seed, 1]).standard_normal(shifts.shape)


def _total(values: pl.DataFrame, replicates: np.ndarray, weight: np.ndarray, tails: list[float]) -> dict:
    """Return VALUES of G categories together, by the weights [G]; values: VALUES of each; replicates [B, G]."""
    if values.is_empty():
        return {}
    share = pl.Series(weight / weight.sum())
    observed, implied = values.select((pl.col("observed", "implied") * share).sum()).row(0)
    low, high = np.quantile(replicates @ share.to_numpy(), tails)
    is_known = not values["implied"].has_nulls()
    return {"observed": observed, "low": float(low), "high": float(high), "implied": implied if is_known else None}
